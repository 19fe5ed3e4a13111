package plan

import (
	"fmt"
	"slices"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/tideline/tideline/processors/operator"
	"github.com/tideline/tideline/timeline/row"
)

// groupTable is the name under which items and HAVING read groups and aggregates.
const groupTable = "_group"

// group plans the aggregates: rows go to their group's key, and what the aggregates are
// of goes with them.
func (p *parts) group(rel *relation) (*relation, error) {
	if err := p.completeGroups(rel); err != nil {
		return nil, err
	}
	in := *rel
	in.cols = slices.Clone(rel.cols)
	var sent []int // columns sent: groups, then arguments
	for i, e := range p.byGroups {
		at, err := in.place(e)
		if err != nil {
			return nil, p.s.near(`\bgroup\s+by\b`, "%v", err)
		}
		if k := in.cols[at].typ.Kind; k == row.Double || k == row.JSON {
			return nil, p.s.near(`\bgroup\s+by\b`, "grouping by %s, a %s, is not supported; CAST it to "+
				"DECIMAL or CHAR", quote(p.groups[i]), in.cols[at].typ)
		}
		sent = append(sent, at)
	}
	key := p.groupKey(&in, sent)
	op := &operator.Aggregate{Groups: len(sent)}
	for _, c := range p.calls {
		g, at, err := p.aggregated(&in, c, len(sent))
		if err != nil {
			return nil, err
		}
		if at >= 0 {
			sent = append(sent, at)
		}
		op.Aggs = append(op.Aggs, g)
	}
	carried := in.keep(sent)
	op.Input = carried.columns()
	nd := p.s.g.add(p.s, "group", op)
	op.Name = nd.name
	carried.send(nd, operator.KeyForm{Partition: seq(op.Groups)})
	out := p.grouping(nd, op)
	out.key = key
	return p.filterGroups(out, op)
}

// completeGroups adds the columns that the groups determine, where items read them.
func (p *parts) completeGroups(rel *relation) error {
	for _, it := range append(slices.Clone(p.items), item{expr: p.having, name: "HAVING"}) {
		if it.expr == nil {
			continue
		}
		for _, c := range p.loose(it.expr) {
			at := rel.find(c.Qualifier.Name.String(), c.Name.String())
			e, err := p.s.bindOver(p.s.scope, []ast.Expr{c})
			if err != nil {
				return err
			}
			if at < 0 || !p.determined(rel, at) {
				return p.s.near(word(c.Name.String()), "%s in %s is neither grouped nor aggregated; add "+
					"it to GROUP BY, or write max(%s)", quote(c), it.name, quote(c))
			}
			p.groups = append(p.groups, c)
			p.byGroups = append(p.byGroups, e[0])
		}
	}
	return nil
}

// loose returns the columns of an expression outside groups and aggregates.
func (p *parts) loose(e ast.Expr) (out []*ast.ColName) {
	_ = ast.Walk(func(n ast.SQLNode) (bool, error) {
		x, ok := n.(ast.Expr)
		if !ok {
			return true, nil
		}
		if p.groupOf(x) >= 0 || p.callOf(x) >= 0 {
			return false, nil
		}
		if c, ok := x.(*ast.ColName); ok {
			out = append(out, c)
		}
		return true, nil
	}, e)
	return out
}

func (p *parts) groupOf(e ast.Expr) int {
	text := ast.String(e)
	return slices.IndexFunc(p.groups, func(g ast.Expr) bool { return ast.String(g) == text })
}

func (p *parts) callOf(e ast.Expr) int {
	text := ast.String(e)
	return slices.IndexFunc(p.calls, func(c *call) bool { return c.text == text })
}

func (p *parts) determined(rel *relation, col int) bool {
	var have []int
	for _, e := range p.byGroups {
		if at := rel.column(e); at >= 0 {
			have = append(have, at)
		}
	}
	return slices.ContainsFunc(rel.deps, func(d dependency) bool {
		return slices.Contains(d.to, col) && rel.covers(have, d.from)
	})
}

// groupKey returns which of the groups tell the others.
func (p *parts) groupKey(in *relation, sent []int) []int {
	var out []int
	for _, c := range in.reduce(sent) {
		i := slices.Index(sent, c)
		if !slices.Contains(out, i) {
			out = append(out, i)
		}
	}
	return out
}

// aggregated plans one aggregate; at is the column it is of, -1 for none, and arg where
// that column is going to stand.
func (p *parts) aggregated(
	in *relation, c *call, arg int,
) (g operator.Aggregated, at int, err error) {
	if c.star {
		return operator.Aggregated{Func: operator.CountRows, Out: row.Type{Kind: row.Bigint}}, -1, nil
	}
	if at, err = in.place(c.bound); err != nil {
		return g, -1, p.s.near(word(c.name)+`\s*\(`, "%v", err)
	}
	g.Arg, g.In = arg, in.cols[at].typ
	fail := func(hint string) (operator.Aggregated, int, error) {
		return g, -1, p.s.near(word(c.name)+`\s*\(`, "%s of a %s is not supported; %s", c.name,
			g.In, hint)
	}
	switch c.name {
	case "count":
		g.Func, g.Out = operator.Count, row.Type{Kind: row.Bigint}
		if c.distinct {
			g.Func = operator.CountDistinct
			if g.In.Kind == row.JSON {
				return fail("CAST it to CHAR")
			}
		}
	case "min", "max":
		g.Func, g.Out = operator.Min, g.In
		if c.name == "max" {
			g.Func = operator.Max
		}
		if g.In.Kind == row.JSON || g.In.Kind == row.Boolean {
			return fail("CAST it to CHAR or SIGNED")
		}
	case "sum":
		g.Func, g.Out = operator.Sum, g.In
		switch {
		case g.In.Kind == row.Decimal && g.In.Precision > 0:
			g.Out.Precision = min(g.In.Precision+22, 65)
		case g.In.Kind == row.Boolean:
			g.Out = row.Type{Kind: row.Bigint}
		case g.In.Kind != row.Bigint && g.In.Kind != row.Decimal && g.In.Kind != row.Double:
			return fail("CAST it to a number")
		}
	case "avg":
		g.Func, g.Out = operator.Avg, g.In
		switch {
		case g.In.Kind == row.Decimal && g.In.Precision > 0:
			g.Out.Scale = min(g.In.Scale+4, 30)
			g.Out.Precision = min(g.In.Precision+4, 65)
		case g.In.Kind == row.Bigint, g.In.Kind == row.Boolean:
			g.Out = row.Type{Kind: row.Decimal, Precision: 23, Scale: 4}
		case g.In.Kind != row.Decimal && g.In.Kind != row.Double:
			return fail("CAST it to a number")
		}
	}
	return g, at, nil
}

// grouping describes what the operator emits, and makes items and HAVING read that.
func (p *parts) grouping(nd *node, op *operator.Aggregate) *relation {
	out := &relation{alias: groupTable, from: nd}
	for i, c := range op.Rows() {
		name := fmt.Sprintf("g%d", i)
		if i >= op.Groups {
			name = fmt.Sprintf("a%d", i-op.Groups)
		}
		out.cols = append(out.cols, relColumn{table: groupTable, name: name, typ: c.Type})
	}
	out.cols = emitted(out.cols)
	for i := range out.cols { // write what they are, for people
		f := out.cols[i].expr.(operator.Field)
		if i < op.Groups {
			f.Name = quote(p.groups[i])
		} else {
			f.Name = clip(p.calls[i-op.Groups].text)
		}
		out.cols[i].expr = f
	}
	for i := range p.items {
		p.items[i].expr = p.overGroups(p.items[i].expr)
	}
	if p.having != nil {
		p.having = p.overGroups(p.having)
	}
	return out
}

// overGroups puts references to groups and aggregates in the place of what they are.
func (p *parts) overGroups(e ast.Expr) ast.Expr {
	type swap struct {
		from ast.Expr
		to   string
	}
	var swaps []swap
	_ = ast.Walk(func(n ast.SQLNode) (bool, error) {
		x, ok := n.(ast.Expr)
		if !ok {
			return true, nil
		}
		if i := p.groupOf(x); i >= 0 {
			swaps = append(swaps, swap{x, fmt.Sprintf("g%d", i)})
			return false, nil
		}
		if i := p.callOf(x); i >= 0 {
			swaps = append(swaps, swap{x, fmt.Sprintf("a%d", i)})
			return false, nil
		}
		return true, nil
	}, e)
	for _, s := range swaps {
		col := ast.NewColName(s.to)
		col.Qualifier.Name = ast.NewTableIdent(groupTable)
		e = ast.ReplaceExpr(e, s.from, col)
	}
	return e
}

// filterGroups adds HAVING. Without groups there is one row, even over nothing, which no
// message would bring: HAVING must leave that one out.
func (p *parts) filterGroups(out *relation, op *operator.Aggregate) (*relation, error) {
	if p.having != nil {
		e, err := p.s.bindOver([]*relation{out}, []ast.Expr{p.having})
		if err != nil {
			return nil, err
		}
		for _, c := range conjuncts(e[0]) {
			if err := out.filter(c); err != nil {
				return nil, p.s.near(`\bhaving\b`, "%v", err)
			}
		}
	}
	if op.Groups > 0 {
		return out, nil
	}
	env := operator.Env{Lanes: []operator.LaneRow{{On: true, Vals: op.Empty()}}}
	for _, c := range out.where {
		if v, err := c.Eval(&env); err == nil && v != true {
			return out, nil
		}
	}
	at := `\b(count|sum|avg|min|max)\s*\(`
	return nil, p.s.near(at, "an aggregate without GROUP BY that has a row even over no rows is not "+
		"supported in this version; add HAVING count(*) > 0")
}
