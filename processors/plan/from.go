package plan

import (
	"slices"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/transform"
	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/tideline/tideline/processors/operator"
	"github.com/tideline/tideline/timeline/row"
)

// fromNode is a node of the FROM clause of a general query.
type fromNode struct {
	leaf int // index of the scope, if l is nil
	asOf ast.Expr
	kind operator.JoinKind
	l, r *fromNode
	on   ast.Expr

	boundOn   []sql.Expression // conjuncts
	boundAsOf sql.Expression
}

// leaves returns the tables below the node, as a bit mask.
func (n *fromNode) leaves() uint64 {
	if n.l == nil {
		return 1 << n.leaf
	}
	return n.l.leaves() | n.r.leaves()
}

// from takes FROM apart; every table becomes a relation of the scope.
func (s *selection) from(te ast.TableExpr) (*fromNode, error) {
	switch t := te.(type) {
	case *ast.ParenTableExpr:
		if len(t.Exprs) == 1 {
			return s.from(t.Exprs[0])
		}
	case *ast.AliasedTableExpr:
		return s.table(t)
	case *ast.JoinTableExpr:
		return s.joinOf(t)
	}
	return nil, s.near(`,`, "%q in FROM is not supported; write JOIN ... ON with the columns "+
		"to be equal", clip(ast.String(te)))
}

func (s *selection) joinOf(t *ast.JoinTableExpr) (n *fromNode, err error) {
	n = &fromNode{on: t.Condition.On}
	var ok bool
	if n.kind, ok = joinKind(t); !ok {
		return nil, s.near(`\bnatural\b`, "%s is not supported; write JOIN ... ON",
			strings.ToUpper(t.Join))
	}
	if len(t.Condition.Using) > 0 {
		return nil, s.near(`\busing\b`, "USING is not supported; write ON, as ON a.id = b.id")
	}
	if n.l, err = s.from(t.LeftExpr); err != nil {
		return nil, err
	}
	if n.r, err = s.from(t.RightExpr); err != nil {
		return nil, err
	}
	if n.on == nil {
		return nil, s.near(`\b(cross\s+)?join\b`, "a cross join is not supported; "+
			"write JOIN ... ON with the columns to be equal")
	}
	return n, nil
}

// table adds a table of FROM to the scope.
func (s *selection) table(t *ast.AliasedTableExpr) (*fromNode, error) {
	n := &fromNode{leaf: len(s.scope)}
	var rel *relation
	var err error
	alias := t.As.String()
	switch e := t.Expr.(type) {
	case *ast.Subquery:
		if rel, err = s.nested(e.Select, e.Columns); err != nil {
			return nil, err
		}
	case ast.TableName:
		if alias == "" {
			alias = e.Name.String()
		}
		if !e.DbQualifier.IsEmpty() {
			return nil, s.near(word(e.Name.String()), "table %s names a database; write the "+
				"name alone", ast.String(e))
		}
		if rel, err = s.named(e.Name.String()); err != nil {
			return nil, err
		}
	default:
		return nil, s.near(`\bfrom\b`, "%q in FROM is not supported", clip(ast.String(t)))
	}
	if t.AsOf != nil {
		if n.asOf = t.AsOf.Time; n.asOf == nil {
			return nil, s.near(`\bfor\s+system_time\b`, "FOR SYSTEM_TIME is supported with "+
				"AS OF an instant only, as AS OF o._time")
		}
	}
	if t.Hints != nil || len(t.Partitions) > 0 || t.Lateral {
		return nil, s.near(word(alias), "hints, PARTITION and LATERAL have no meaning in a view "+
			"(%q); leave them out", clip(ast.String(t)))
	}
	for _, o := range s.scope {
		if strings.EqualFold(o.alias, alias) {
			return nil, s.near(word(alias), "two tables in FROM are called %s; give one another "+
				"alias", alias)
		}
	}
	if len(s.scope) == maxLanes {
		return nil, s.near(word(alias), "a query joins at most %d tables", maxLanes)
	}
	rel.rename(alias)
	s.scope = append(s.scope, rel)
	return n, nil
}

// rename makes a relation a table of FROM: its key determines its other columns.
func (r *relation) rename(alias string) {
	r.alias = alias
	var all []int
	for i := range r.cols {
		r.cols[i].table = alias
		all = append(all, i)
	}
	r.deps = append([]dependency{{slices.Clone(r.key), all}}, r.deps...)
}

// spread plans a node of FROM.
func (s *selection) spread(n *fromNode) (*relation, error) {
	if n.l == nil {
		if n.asOf != nil {
			return nil, s.near(`\bfor\s+system_time\b`, "FOR SYSTEM_TIME AS OF belongs to the right "+
				"side of a JOIN or LEFT JOIN")
		}
		return s.scope[n.leaf], nil
	}
	if rel := s.keyed(n); rel != nil {
		return rel, nil
	}
	l, err := s.spread(n.l)
	if err != nil {
		return nil, err
	}
	right := n.r
	var asOf sql.Expression
	if right.l == nil && right.asOf != nil {
		asOf = right.boundAsOf
		right = &fromNode{leaf: right.leaf}
	}
	r, err := s.spread(right)
	if err != nil {
		return nil, err
	}
	j := &joining{s: s, n: n, l: l, r: r}
	if err := j.split(); err != nil {
		return nil, err
	}
	if asOf != nil {
		return j.temporal(asOf)
	}
	return j.bags()
}

// joining plans one join.
type joining struct {
	s    *selection
	n    *fromNode
	l, r *relation
	// on holds, for each equality, the columns of both sides that are equal.
	on   [][2]int
	rest []sql.Expression
}

// split parts ON into equalities of both sides, conditions on one side that can be met
// before the join, and the rest.
func (j *joining) split() error {
	left, right := j.n.l.leaves(), j.n.r.leaves()
	for _, c := range j.n.boundOn {
		mask := j.s.leavesOf(c)
		if eq, ok := c.(*expression.Equals); ok {
			a, b := eq.Left(), eq.Right()
			ma, mb := j.s.leavesOf(a), j.s.leavesOf(b)
			if ma != 0 && mb != 0 && ma&^right == 0 && mb&^left == 0 {
				a, b, ma, mb = b, a, mb, ma
			}
			if ma != 0 && mb != 0 && ma&^left == 0 && mb&^right == 0 {
				if err := j.equate(a, b); err != nil {
					return err
				}
				continue
			}
		}
		switch {
		case mask != 0 && mask&^right == 0 && (j.n.kind == operator.Inner || j.n.kind == operator.Left) &&
			j.n.r.asOf == nil:
			if err := j.r.filter(c); err != nil {
				return j.fail(err)
			}
		case mask != 0 && mask&^left == 0 && (j.n.kind == operator.Inner || j.n.kind == operator.Right):
			if err := j.l.filter(c); err != nil {
				return j.fail(err)
			}
		default:
			j.rest = append(j.rest, c)
		}
	}
	if len(j.on) == 0 {
		return j.s.near(`\bon\b`, "a join without an equality of the two sides (ON %s) is not "+
			"supported; add one, as ON a.x = b.y", quote(j.n.on))
	}
	return nil
}

func (j *joining) fail(err error) error { return j.s.near(`\bon\b`, "%v", err) }

func (j *joining) equate(a, b sql.Expression) error {
	l, err := j.l.place(a)
	if err != nil {
		return j.fail(err)
	}
	r, err := j.r.place(b)
	if err != nil {
		return j.fail(err)
	}
	if lt, rt := j.l.cols[l].typ, j.r.cols[r].typ; lt != rt {
		return j.s.near(`\bon\b`, "ON %s compares %s with %s; declare both alike, or CAST one side "+
			"to the other's type", quote(j.n.on), lt, rt)
	}
	if k := j.l.cols[l].typ.Kind; k == row.Double || k == row.JSON {
		return j.s.near(`\bon\b`, "ON %s joins on a %s; CAST both sides to DECIMAL or CHAR",
			quote(j.n.on), j.l.cols[l].typ)
	}
	j.on = append(j.on, [2]int{l, r})
	return nil
}

// leavesOf returns the tables an expression reads, as a bit mask.
func (s *selection) leavesOf(e sql.Expression) (mask uint64) {
	transform.InspectExpr(e, func(e sql.Expression) bool {
		if f, ok := e.(*expression.GetField); ok {
			for i, r := range s.scope {
				if strings.EqualFold(r.alias, f.Table()) {
					mask |= 1 << i
				}
			}
		}
		return false
	})
	return mask
}

// sides returns the columns of one side of the equalities.
func (j *joining) sides(side int) []int {
	out := make([]int, len(j.on))
	for i, p := range j.on {
		out[i] = p[side]
	}
	return out
}

// identity is the part of a relation's key that the join columns do not tell.
func identity(r *relation, on []int) (out []int) {
	for _, k := range r.key {
		if !r.covers(on, []int{k}) {
			out = append(out, k)
		}
	}
	return out
}

// bags plans a join of which both sides change.
func (j *joining) bags() (*relation, error) {
	if j.n.kind == operator.Full && len(j.rest) > 0 && len(j.l.key)+len(j.r.key) == 0 {
		return nil, j.s.near(`\bfull\b`, "FULL OUTER JOIN of two queries of one row on more than an "+
			"equality is not supported (ON %s): nothing tells its rows apart; put the condition into CASE "+
			"in the select list", quote(j.n.on))
	}
	op := &operator.BagJoin{Kind: j.n.kind}
	nd := j.s.g.add(j.s, "join", op)
	op.Name = nd.name
	for side, r := range []*relation{j.l, j.r} {
		on := j.sides(side)
		op.Sides[side] = r.columns()
		ident := identity(r, on)
		op.Unique[side] = len(ident) == 0
		r.send(nd, operator.KeyForm{Partition: on, Lane: byte('0' + side), Identity: ident,
			KeepNulls: j.keeps(side), Spread: r.key})
	}
	cond, err := j.residual()
	if err != nil {
		return nil, err
	}
	op.Cond = cond
	nd.what = j.n.kind.String() + " join"
	return j.combine(nd), nil
}

func (j *joining) keeps(side int) bool {
	return j.n.kind == operator.Full || j.n.kind == operator.Left && side == 0 ||
		j.n.kind == operator.Right && side == 1
}

// residual lowers what ON asks beyond the equalities, over both sides as lanes.
func (j *joining) residual() (operator.Expr, error) {
	low := lowerer{resolve: func(f *expression.GetField) (operator.Expr, row.Type, error) {
		for lane, r := range []*relation{j.l, j.r} {
			if i := r.find(f.Table(), f.Name()); i >= 0 {
				name := f.Table() + "." + f.Name()
				return operator.Field{Lane: lane, Column: i, Name: name}, r.cols[i].typ, nil
			}
		}
		_, err := j.l.field(f)
		return nil, row.Type{}, err
	}}
	var conds operator.And
	for _, e := range j.rest {
		c, err := low.cond(e)
		if err != nil {
			return nil, j.fail(err)
		}
		conds = append(conds, c)
	}
	switch len(conds) {
	case 0:
		return nil, nil
	case 1:
		return conds[0], nil
	}
	return conds, nil
}

// combine describes what the join emits: the left side's columns, then the right's.
func (j *joining) combine(nd *node) *relation {
	out := &relation{from: nd, cols: emitted(append(slices.Clone(j.l.cols), j.r.cols...))}
	n := len(j.l.cols)
	shift := func(in []int) []int {
		to := make([]int, len(in))
		for i, c := range in {
			to[i] = c + n
		}
		return to
	}
	out.deps = slices.Clone(j.l.deps)
	out.same = append(out.same, j.l.same...)
	out.merged = append(out.merged, j.l.merged...)
	if j.keeps(1) {
		out.deps = slices.DeleteFunc(out.deps, constant)
	}
	for _, d := range j.r.deps {
		if constant(d) && j.keeps(0) {
			continue
		}
		out.deps = append(out.deps, dependency{shift(d.from), shift(d.to)})
	}
	for _, s := range j.r.same {
		out.same = append(out.same, [2]int{s[0] + n, s[1] + n})
	}
	for _, m := range j.r.merged {
		out.merged = append(out.merged, mergedColumn{m.left + n, m.right + n, m.column + n})
	}
	if j.n.kind == operator.Inner {
		for _, p := range j.on {
			out.same = append(out.same, [2]int{p[0], p[1] + n})
		}
	}
	leftOne := j.l.covers(j.sides(0), j.l.key)
	rightOne := j.r.covers(j.sides(1), j.r.key)
	switch {
	case j.n.kind == operator.Full && leftOne && rightOne && len(j.rest) == 0:
		for _, p := range j.on {
			a, b := out.cols[p[0]], out.cols[p[1]+n]
			m := relColumn{typ: a.typ, expr: operator.Coalesce{a.expr, b.expr}}
			out.cols = append(out.cols, m)
			out.merged = append(out.merged, mergedColumn{p[0], p[1] + n, len(out.cols) - 1})
			out.key = append(out.key, len(out.cols)-1)
		}
	case rightOne && (j.n.kind == operator.Inner || j.n.kind == operator.Left):
		out.key = slices.Clone(j.l.key)
	case leftOne && (j.n.kind == operator.Inner || j.n.kind == operator.Right):
		out.key = shift(j.r.key)
	default:
		out.key = append(slices.Clone(j.l.key), shift(j.r.key)...)
	}
	return out
}

// constant says that columns have one value: that no longer holds beside rows without a match.
func constant(d dependency) bool { return len(d.from) == 0 }

// temporal plans a join with the right side as it stood at an instant of the left row.
func (j *joining) temporal(asOf sql.Expression) (*relation, error) {
	at := `\bfor\s+system_time\b`
	if j.n.kind != operator.Inner && j.n.kind != operator.Left {
		return nil, j.s.near(at, "FOR SYSTEM_TIME AS OF is supported in JOIN and LEFT JOIN only")
	}
	if j.s.leavesOf(asOf)&^j.n.l.leaves() != 0 {
		return nil, j.s.near(at, "the instant of FOR SYSTEM_TIME AS OF must be of the left side, "+
			"as AS OF o._time")
	}
	instant, err := j.l.place(asOf)
	if err != nil {
		return nil, j.s.near(at, "%v", err)
	}
	if j.l.cols[instant].typ.Kind != row.Timestamp {
		return nil, j.s.near(at, "FOR SYSTEM_TIME AS OF takes a timestamp, as o._time; %s is a %s",
			asOf, j.l.cols[instant].typ)
	}
	if !j.r.covers(j.sides(1), j.r.key) {
		return nil, j.s.near(at, "a table joined FOR SYSTEM_TIME AS OF must be joined on its whole "+
			"key (ON %s)", quote(j.n.on))
	}
	op := &operator.TemporalJoin{
		Kind: j.n.kind, Left: j.l.columns(), Right: j.r.columns(), At: instant,
	}
	nd := j.s.g.add(j.s, "asof", op)
	op.Name, nd.history = nd.name, true
	nd.what = j.n.kind.String() + " join as of " + asOf.String()
	// Its key says which version of a row only together with the left row.
	past := *j.r
	past.deps = nil
	for _, d := range j.r.deps {
		if constant(d) {
			past.deps = append(past.deps, d)
		}
	}
	j.r.send(nd, operator.KeyForm{Partition: j.sides(1), Lane: '0'})
	j.l.send(nd, operator.KeyForm{Partition: j.sides(0), Lane: '1',
		Identity: j.l.key, KeepNulls: j.n.kind == operator.Left, Spread: j.l.key})
	if op.Cond, err = j.residual(); err != nil {
		return nil, err
	}
	j.r = &past
	out := j.combine(nd)
	out.key = slices.Clone(j.l.key)
	out.deps = append(out.deps, dependency{out.key, seq(len(out.cols))})
	return out, nil
}
