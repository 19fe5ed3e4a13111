package oracle

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
)

// drawer draws a case from a seed.
type drawer struct {
	*rand.Rand
	c *trial
	n int // aliases given
}

var (
	texts    = []any{"a", "b", "c", "A", "2", "null", "", "*", "é"}
	numbers  = []any{int64(1), int64(2), int64(3), int64(-4), int64(0)}
	decimals = []any{big.NewRat(1, 4), big.NewRat(-5, 2), big.NewRat(3, 1), big.NewRat(1, 100)}
)

// epoch is when everything starts, in milliseconds.
const epoch = 1_700_000_000_000

func draw(seed uint64, size int) *trial {
	d := &drawer{Rand: rand.New(rand.NewPCG(seed, 0)), c: &trial{seed: seed}}
	d.c.partitions, d.c.lateness = 1+d.IntN(4), int64(5+d.IntN(50))
	d.streams()
	d.changes(size)
	for range 1 + d.IntN(3) {
		d.view()
	}
	return d.c
}

func (d *drawer) maybe(percent int) bool { return d.IntN(100) < percent }

func pick[T any](d *drawer, from []T) T { return from[d.IntN(len(from))] }

func (d *drawer) streams() {
	n := 2 + d.IntN(3)
	keys := []kind{text, text, integer}
	parts := 1 + d.IntN(4)
	for i := range n {
		name := string(rune('a' + i))
		s := stream{name: name, partitions: parts, partitioner: pick(d, []string{"murmur2", "fnv1a"})}
		cols := []column{{name, "id", pick(d, keys)}, {name, "f", pick(d, keys)}, {name, "g", text},
			{name, "n", integer}, {name, "d", kind{'d', 2}}}
		s.cols, s.keys = append(s.cols, cols[:2]...), 1
		if d.maybe(20) {
			s.cols, s.keys = append(s.cols[:1:1], column{name, "id2", pick(d, keys)}, cols[1]), 2
		}
		for _, c := range cols[2:] {
			if d.maybe(75) {
				s.cols = append(s.cols, c)
			}
		}
		d.c.streams = append(d.c.streams, s)
	}
}

// value draws a value; with few, from the first few only, so that rows meet.
func (d *drawer) value(k kind, few, nulls int) any {
	if d.maybe(nulls) {
		return nil
	}
	from := texts
	switch k.base {
	case 'i':
		from = numbers
	case 'd':
		from = decimals
	}
	return from[d.IntN(min(few, len(from)))]
}

func (d *drawer) changes(n int) {
	ms := int64(epoch)
	few := 2 + d.IntN(4)
	for range n {
		if d.maybe(60) {
			ms += int64(d.IntN(12))
		}
		i := d.IntN(len(d.c.streams))
		s := d.c.streams[i]
		x := change{stream: i, ms: ms}
		for _, c := range s.cols[:s.keys] {
			x.key = append(x.key, d.value(c.kind, few, 0))
		}
		if s.keys == 1 && x.key[0] == "" { // no record key
			continue
		}
		if d.maybe(82) {
			x.row = slices.Clone(x.key)
			for _, c := range s.cols[s.keys:] {
				x.row = append(x.row, d.value(c.kind, few, 15))
			}
		}
		d.c.changes = append(d.c.changes, x)
	}
	d.deliver()
}

// deliver gives each change its position: out of order within the lateness.
func (d *drawer) deliver() {
	c := d.c
	for i := range c.changes {
		c.changes[i].order = int(c.changes[i].ms-c.changes[0].ms)*1000 +
			d.IntN(int(c.lateness))*1000 + d.IntN(1000)
	}
	c.sorted()
}

// view draws a view; none if its query is too much work.
func (d *drawer) view() {
	i := len(d.c.views)
	v := view{name: fmt.Sprint("v", i), q: d.query(0)}
	d.c.views = append(d.c.views, v)
	p, err := d.c.plan()
	if err != nil {
		return
	}
	defer func() {
		if recover() != nil {
			d.c.views = d.c.views[:i]
		}
	}()
	// A view's key must not be null: leave such rows out.
	for _, pv := range p.Views {
		if pv.Name != v.name {
			continue
		}
		null := map[int]bool{}
		for _, ms := range d.c.instants() {
			for _, r := range d.c.world().eval(v.q, at(ms)).rows {
				for _, k := range pv.Schema.Key {
					null[k] = null[k] || r[k] == nil
				}
			}
		}
		for _, k := range pv.Schema.Key {
			if null[k] {
				v.q = v.q.without(v.q.items[k].expr)
			}
		}
	}
	d.c.views[i] = v
}

// without returns the query without rows where an item is null.
func (q *query) without(e expr) *query {
	out := *q
	cond := expr(not{isNull{e}})
	to := &out.where
	if q.grouped {
		to = &out.having
	}
	if *to != nil {
		cond = binary{"AND", *to, cond}
	}
	*to = cond
	return &out
}

func (d *drawer) query(depth int) *query {
	q := &query{}
	var cols []column
	var merged []item
	q.from, cols = d.tree(depth, 1+d.IntN(4-min(depth, 2)), &merged)
	if d.maybe(25) {
		q.where = d.condition(cols, 2)
	}
	switch {
	case d.maybe(45 + depth*15):
		d.group(q, cols)
	case d.maybe(12):
		q.distinct = true
		for range 1 + d.IntN(2) {
			c := pick(d, ofKinds(cols, "ti"))
			d.item(q, colRef(c), c.kind)
		}
	default:
		d.plain(q, cols, merged)
	}
	return q
}

func (d *drawer) item(q *query, e expr, k kind) {
	q.items = append(q.items, item{e, fmt.Sprint("c", len(q.items)), k})
}

// plain selects what can be a key, and more.
func (d *drawer) plain(q *query, cols []column, merged []item) {
	for _, it := range merged {
		d.item(q, it.expr, it.kind)
	}
	for _, c := range cols {
		if c.kind == instant && !d.maybe(20) {
			continue
		}
		if strings.HasPrefix(c.name, "id") || c.name[0] == 'c' || d.maybe(40) {
			d.item(q, colRef(c), c.kind)
		}
	}
	if nums := ofKinds(cols, "i"); len(nums) > 0 && d.maybe(40) {
		e, k := d.number(nums)
		d.item(q, e, k)
	}
}

func (d *drawer) number(nums []column) (expr, kind) {
	a, b := pick(d, nums), pick(d, nums)
	switch d.IntN(3) {
	case 0:
		return binary{pick(d, []string{"+", "-", "*"}), colRef(a), colRef(b)}, integer
	case 1:
		return binary{"+", colRef(a), literal{int64(d.IntN(3))}}, integer
	}
	return coalesce{[]expr{colRef(a), colRef(b), literal{int64(7)}}}, integer
}

func ofKinds(cols []column, bases string) (out []column) {
	for _, c := range cols {
		for i := range len(bases) {
			if c.kind.base == bases[i] {
				out = append(out, c)
			}
		}
	}
	return out
}

func (d *drawer) group(q *query, cols []column) {
	q.grouped = true
	for range d.IntN(3) {
		c := pick(d, ofKinds(cols, "ti"))
		fresh := true
		for _, g := range q.groups {
			fresh = fresh && g != expr(colRef(c))
		}
		if fresh {
			q.groups = append(q.groups, colRef(c))
			d.item(q, colRef(c), c.kind)
		}
	}
	for range 1 + d.IntN(3) {
		e, k := d.aggregate(cols)
		d.item(q, e, k)
	}
	switch {
	case len(q.groups) == 0:
		q.having = binary{">", aggregate{fn: "count"}, literal{int64(0)}}
	case d.maybe(25):
		e, k := d.aggregate(cols)
		q.having = d.compared(e, k)
	}
}

func (d *drawer) aggregate(cols []column) (expr, kind) {
	fn := pick(d, []string{"count", "count", "sum", "avg", "min", "max"})
	switch fn {
	case "count":
		if d.maybe(40) {
			return aggregate{fn: fn}, integer
		}
		c := pick(d, ofKinds(cols, "tid"))
		return aggregate{fn, d.maybe(50), colRef(c), c.kind}, integer
	case "min", "max":
		c := pick(d, ofKinds(cols, "tid"))
		return aggregate{fn, false, colRef(c), c.kind}, c.kind
	}
	nums := ofKinds(cols, "id")
	if len(nums) == 0 {
		return aggregate{fn: "count"}, integer
	}
	c := pick(d, nums)
	k := c.kind
	if fn == "avg" {
		k = kind{'d', k.scale + 4}
	}
	return aggregate{fn, false, colRef(c), c.kind}, k
}

func (d *drawer) compared(e expr, k kind) expr {
	ops := []string{"=", "<>", "<>", "<", "<=", ">", ">="}
	return binary{pick(d, ops), e, literal{d.value(k, 4, 0)}}
}

func (d *drawer) condition(cols []column, depth int) expr {
	if depth > 0 && d.maybe(35) {
		l, r := d.condition(cols, depth-1), d.condition(cols, depth-1)
		return binary{pick(d, []string{"AND", "OR"}), l, r}
	}
	c := pick(d, ofKinds(cols, "tid"))
	switch d.IntN(6) {
	case 0:
		return isNull{colRef(c)}
	case 1:
		return not{isNull{colRef(c)}}
	case 2:
		return not{d.compared(colRef(c), c.kind)}
	case 3:
		return binary{pick(d, []string{"=", "<", "<>"}), colRef(c), colRef(pick(d, ofKinds(cols,
			string(c.kind.base))))}
	}
	return d.compared(colRef(c), c.kind)
}

// tree draws FROM with a number of tables.
func (d *drawer) tree(depth, n int, merged *[]item) (*from, []column) {
	if n == 1 {
		return d.leaf(depth)
	}
	cut := n - 1
	if d.maybe(20) {
		cut = 1
	}
	l, lc := d.tree(depth, cut, merged)
	r, rc := d.tree(depth, n-cut, merged)
	f := &from{l: l, r: r, kind: pick(d, []string{"INNER", "INNER", "INNER", "LEFT", "LEFT",
		"RIGHT", "FULL OUTER"})}
	cols := append(append([]column{}, lc...), rc...)
	if d.temporal(f, lc, rc) {
		return f, cols
	}
	x, y, ok := d.pair(lc, rc)
	if !ok {
		return l, lc
	}
	f.on = binary{"=", colRef(x), colRef(y)}
	*merged = append(*merged, item{expr: coalesce{[]expr{colRef(x), colRef(y)}}, kind: x.kind})
	if f.kind != "FULL OUTER" {
		*merged = (*merged)[:len(*merged)-1]
		if x, y, ok := d.pair(lc, rc); ok && d.maybe(20) {
			f.on = binary{"AND", f.on, binary{"=", colRef(x), colRef(y)}}
		}
	}
	if d.maybe(20) {
		f.on = binary{"AND", f.on, d.condition(cols, 0)}
	}
	return f, cols
}

// pair draws a column of either side to be equal; often a key.
func (d *drawer) pair(l, r []column) (column, column, bool) {
	for range 20 {
		x, y := pick(d, ofKinds(l, "ti")), pick(d, ofKinds(r, "ti"))
		if d.maybe(40) {
			x = ofKinds(l, "ti")[0]
		}
		if d.maybe(60) {
			y = ofKinds(r, "ti")[0]
		}
		if x.kind == y.kind {
			return x, y, true
		}
	}
	return column{}, column{}, false
}

// temporal makes the join one as of the left side's time, now and then.
func (d *drawer) temporal(f *from, l, r []column) bool {
	times := slices.DeleteFunc(ofKinds(l, "s"), func(c column) bool { return c.name != "_time" })
	if len(times) == 0 || f.r.name == "" || len(ofKinds(r, "s")) == 0 || !d.maybe(25) {
		return false
	}
	key := r[0]
	if len(r) > 1 && r[1].name == "id2" {
		return false
	}
	for _, c := range l {
		if c.kind == key.kind && (c.name != "id" || d.maybe(30)) {
			right := *f.r
			right.asOf = pick(d, times).table
			f.r, f.kind = &right, pick(d, []string{"INNER", "LEFT"})
			f.on = binary{"=", colRef(key), colRef(c)}
			return true
		}
	}
	return false
}

func (d *drawer) leaf(depth int) (*from, []column) {
	d.n++
	f := &from{alias: fmt.Sprint("t", d.n)}
	var cols []column
	switch {
	case depth < 2 && d.maybe(18):
		f.sub = d.query(depth + 1)
		cols = f.sub.columns()
	case len(d.c.views) > 0 && d.maybe(25):
		v := pick(d, d.c.views)
		f.name, cols = v.name, v.q.columns()
	default:
		s := pick(d, d.c.streams)
		f.name, cols = s.name, append([]column{}, s.cols...)
		cols = append(cols, column{s.name, "_time", instant})
	}
	out := make([]column, len(cols))
	for i, c := range cols {
		out[i] = column{f.alias, c.name, c.kind}
	}
	if len(ofKinds(out, "ti")) == 0 { // nothing to join or group by
		return d.leaf(2)
	}
	return f, out
}

func (q *query) columns() (out []column) {
	for _, it := range q.items {
		out = append(out, column{"", it.name, it.kind})
	}
	return out
}
