package plan

import (
	"fmt"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/expression/function"

	"github.com/tideline/tideline/processors/operator"
)

// keyed describes an expression that is either null or equal to one column of the
// record key: a key column of a lane, or coalesce or ifnull of such.
type keyed struct {
	pos   int    // position in the key
	lanes uint64 // not null if and only if one of these lanes has a row
}

func (b *bound) keyed(e sql.Expression) (keyed, bool) {
	switch e := e.(type) {
	case *expression.GetField:
		r, err := b.ref(e)
		if err != nil || r.key < 0 {
			return keyed{}, false
		}
		return keyed{r.key, 1 << r.lane}, true
	case *function.Coalesce, *function.IfNull:
		all := keyed{pos: -1}
		for _, c := range e.Children() {
			k, ok := b.keyed(c)
			if !ok || (all.pos >= 0 && k.pos != all.pos) {
				return keyed{}, false
			}
			all.pos = k.pos
			all.lanes |= k.lanes
		}
		return all, all.pos >= 0
	}
	return keyed{}, false
}

// pattern is a set of lanes that have a row in a result of the join, as a bit mask.
type pattern = uint64

// tree turns a node of FROM into the operator's join tree. It also returns every
// pattern in which the node can have a row, which tells what can be null.
func (b *bound) tree(n *treeNode, lower lowerer) (operator.Node, map[pattern]bool, error) {
	if n.l == nil {
		return operator.Leaf(n.lane), map[pattern]bool{1 << n.lane: true}, nil
	}
	l, pl, err := b.tree(n.l, lower)
	if err != nil {
		return nil, nil, err
	}
	r, pr, err := b.tree(n.r, lower)
	if err != nil {
		return nil, nil, err
	}
	eqs, extra, err := b.splitOn(n)
	if err != nil {
		return nil, nil, err
	}
	both, always := matches(pl, pr, eqs)
	if err := b.checkFull(n, always, extra); err != nil {
		return nil, nil, err
	}
	join := &operator.Join{Kind: n.kind, L: l, R: r}
	var conds operator.And
	if !always {
		for _, e := range eqs {
			conds = append(conds, operator.AnyOn{Lanes: bits(e[0].lanes)},
				operator.AnyOn{Lanes: bits(e[1].lanes)})
		}
	}
	for _, e := range extra {
		c, err := lower.cond(e)
		if err != nil {
			return nil, nil, b.near(`\bon\b`, "%v", err)
		}
		conds = append(conds, c)
	}
	if len(conds) > 0 {
		join.Cond = conds
	}
	if n.kind == operator.Left || n.kind == operator.Full {
		merge(both, pl)
	}
	if n.kind == operator.Right || n.kind == operator.Full {
		merge(both, pr)
	}
	return join, both, nil
}

// matches returns the patterns in which two sides match, as far as the equalities of
// keys go, and whether they match in every combination.
func matches(pl, pr map[pattern]bool, eqs [][2]keyed) (map[pattern]bool, bool) {
	out, always := map[pattern]bool{}, true
	for a := range pl {
		for c := range pr {
			ok := true
			for _, e := range eqs {
				ok = ok && e[0].lanes&a != 0 && e[1].lanes&c != 0
			}
			if ok {
				out[a|c] = true
			}
			always = always && ok
		}
	}
	return out, always
}

func merge(to, from map[pattern]bool) {
	for p := range from {
		to[p] = true
	}
}

func bits(mask uint64) (out []int) {
	for i := 0; mask != 0; i, mask = i+1, mask>>1 {
		if mask&1 != 0 {
			out = append(out, i)
		}
	}
	return out
}

// checkFull refuses full joins that could pair and not pair under one key: they would
// have two rows there.
func (b *bound) checkFull(n *treeNode, always bool, extra []sql.Expression) error {
	if n.kind != operator.Full {
		return nil
	}
	if len(extra) > 0 {
		return b.later(`\bfull\b`, "FULL OUTER JOIN on more than the keys is not supported (%q); "+
			"keep the equality of the keys, and put the rest into CASE in the select list",
			quote(n.on))
	}
	if !always {
		return b.later(`\bfull\b`, "FULL OUTER JOIN on %q, which can be null on a side that has a "+
			"row, is not supported; write %s = %s", quote(n.on),
			b.keyOf(n.l.lanes(), 0), b.keyOf(n.r.lanes(), 0))
	}
	return nil
}

// keyOf writes the expression that is the key whenever one of the lanes has a row.
func (b *bound) keyOf(lanes uint64, pos int) string {
	var cols []string
	for _, i := range bits(lanes) {
		l := b.lanes[i]
		cols = append(cols, l.alias+"."+l.stream.Schema.Columns[l.stream.Schema.Key[pos]].Name)
	}
	if len(cols) == 1 {
		return cols[0]
	}
	return "coalesce(" + strings.Join(cols, ", ") + ")"
}

// splitOn splits ON into the equalities of the two sides' keys, left side first, and
// the other conjuncts. Every column of the key must be equated.
func (b *bound) splitOn(n *treeNode) (eqs [][2]keyed, extra []sql.Expression, err error) {
	left, right := n.l.lanes(), n.r.lanes()
	covered := map[int]bool{}
	for _, c := range conjuncts(b.ons[n]) {
		eq, ok := c.(*expression.Equals)
		if !ok {
			extra = append(extra, c)
			continue
		}
		l, okL := b.keyed(eq.Left())
		r, okR := b.keyed(eq.Right())
		if okL && okR && l.lanes&^right == 0 && r.lanes&^left == 0 {
			l, r = r, l
		}
		if !okL || !okR || l.pos != r.pos || l.lanes&^left != 0 || r.lanes&^right != 0 {
			extra = append(extra, c)
			continue
		}
		covered[l.pos] = true
		eqs = append(eqs, [2]keyed{l, r})
	}
	if len(covered) > 0 {
		if err := b.checkKeys(); err != nil {
			return nil, nil, err
		}
		if len(covered) == len(b.lanes[0].stream.Schema.Key) {
			return eqs, extra, nil
		}
	}
	return nil, nil, b.notOnKey(n, extra, len(covered) > 0)
}

// notOnKey says what a join is on instead of the whole keys, and what it should be on.
func (b *bound) notOnKey(n *treeNode, extra []sql.Expression, part bool) error {
	kind := "a join without an equality of the two sides"
	for _, e := range extra {
		if eq, ok := e.(*expression.Equals); ok {
			l, r := b.lanesOf(eq.Left()), b.lanesOf(eq.Right())
			if l != 0 && r != 0 && l&r == 0 {
				kind = "a join on columns other than the whole keys (a foreign key)"
			}
		}
	}
	if part {
		kind = "a join on a part of the key"
	}
	at := word(strings.Fields(quote(n.on))[0])
	l, r := b.lanes[bits(n.l.lanes())[0]].stream, b.lanes[bits(n.r.lanes())[0]].stream
	if len(l.Schema.Key) != len(r.Schema.Key) {
		return b.later(at, "%s is not supported in this version (ON %s); both sides must be joined "+
			"on their keys, and those of %s and %s differ in length, %d and %d", kind,
			quote(n.on), l.Name, r.Name, len(l.Schema.Key), len(r.Schema.Key))
	}
	var want []string
	for i := range l.Schema.Key {
		want = append(want, b.keyOf(n.l.lanes(), i)+" = "+b.keyOf(n.r.lanes(), i))
	}
	return b.later(at, "%s is not supported in this version (ON %s); both sides must be joined "+
		"on their keys: ON %s", kind, quote(n.on), strings.Join(want, " AND "))
}

func conjuncts(e sql.Expression) []sql.Expression {
	if a, ok := e.(*expression.And); ok {
		return append(conjuncts(a.LeftChild), conjuncts(a.RightChild)...)
	}
	return []sql.Expression{e}
}

// checkKeys refuses joined streams whose record keys are not of one type.
func (b *bound) checkKeys() error {
	first := b.lanes[0].stream
	for _, l := range b.lanes[1:] {
		x, y := keyTypes(first), keyTypes(l.stream)
		if len(x) != len(y) {
			return b.later(word(l.alias), "the keys of streams %s and %s differ in length, %d and %d; "+
				"a join must equate the whole keys", first.Name, l.stream.Name, len(x), len(y))
		}
		for i := range x {
			if x[i] != y[i] {
				return b.later(word(l.alias), "the keys of streams %s and %s have different types, "+
					"%s and %s; declare them alike", first.Name, l.stream.Name, x[i], y[i])
			}
		}
	}
	return nil
}

// keyColumns finds the items that equal the record key whenever there is a row.
func (b *bound) keyColumns(patterns map[pattern]bool) ([]int, error) {
	first := b.lanes[0].stream
	out := make([]int, len(first.Schema.Key))
	var missing []string
	for pos := range out {
		out[pos] = -1
		for i, e := range b.items {
			k, ok := b.keyed(e)
			if !ok || k.pos != pos || !everywhere(k.lanes, patterns) {
				continue
			}
			if out[pos] < 0 || (b.stated(i) && !b.stated(out[pos])) {
				out[pos] = i
			}
		}
		if out[pos] < 0 {
			missing = append(missing, b.missingKey(pos, patterns))
		}
	}
	if len(missing) > 0 {
		return nil, b.later(`^`, "the select list lacks the view's key; add %s",
			strings.Join(missing, ", "))
	}
	return out, b.checkStated(out)
}

func everywhere(lanes uint64, patterns map[pattern]bool) bool {
	for p := range patterns {
		if p&lanes == 0 {
			return false
		}
	}
	return true
}

// missingKey writes the shortest expression for a key column.
func (b *bound) missingKey(pos int, patterns map[pattern]bool) string {
	for i := range b.lanes {
		if everywhere(1<<i, patterns) {
			return b.keyOf(1<<i, pos)
		}
	}
	name := b.lanes[0].stream.Schema.Columns[b.lanes[0].stream.Schema.Key[pos]].Name
	return fmt.Sprintf("%s AS %s", b.keyOf(b.root.lanes(), pos), name)
}

func (b *bound) stated(item int) bool {
	for _, k := range b.view.Key {
		if strings.EqualFold(k, b.query.items[item].name) {
			return true
		}
	}
	return false
}

// checkStated compares the key that the file states with the one derived.
func (b *bound) checkStated(derived []int) error {
	if len(b.view.Key) == 0 {
		return nil
	}
	var names []string
	same := len(derived) == len(b.view.Key)
	for i, d := range derived {
		names = append(names, b.query.items[d].name)
		same = same && strings.EqualFold(b.view.Key[i], names[i])
	}
	if same {
		return nil
	}
	e := b.at(-1, "the stated key [%s] is not the key of its query, [%s]; leave key out or "+
		"state that", strings.Join(b.view.Key, ", "), strings.Join(names, ", "))
	return e
}
