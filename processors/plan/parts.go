package plan

import (
	"errors"
	"slices"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/tideline/tideline/timeline/row"
)

// parts are the expressions of a SELECT, and what they are bound to.
type parts struct {
	s    *selection
	sel  *ast.Select
	tree *fromNode

	items   []item
	grouped bool
	groups  []ast.Expr // grouping expressions
	calls   []*call    // aggregates
	having  ast.Expr   // nil if there is none

	all      []sql.Expression // everything that reads the tables of FROM
	where    []sql.Expression // conjuncts
	values   []sql.Expression // of the items, if not grouped
	byGroups []sql.Expression
}

// call is one aggregate function and its argument.
type call struct {
	name     string
	distinct bool
	star     bool
	arg      ast.Expr
	bound    sql.Expression
	node     ast.Expr
	text     string
}

// collect names the items, and finds groups and aggregates.
func (p *parts) collect() error {
	list := &query{source: p.s.source}
	for _, r := range p.s.scope {
		l := &lane{alias: r.alias, stream: &Stream{}}
		for _, c := range r.cols {
			if c.name != "" && c.name != timeColumn {
				l.stream.Schema.Columns = append(l.stream.Schema.Columns, row.Column{Name: c.name})
			}
		}
		list.lanes = append(list.lanes, l)
	}
	if err := list.selectList(p.sel.SelectExprs); err != nil {
		return err
	}
	p.items = list.items
	if p.sel.Having != nil {
		p.having = p.sel.Having.Expr
	}
	for _, g := range p.sel.GroupBy {
		e, err := p.groupItem(g)
		if err != nil {
			return err
		}
		p.groups = append(p.groups, e)
	}
	if p.having != nil {
		p.having = p.unalias(p.having)
	}
	for i := range p.items {
		p.qualify(p.items[i].expr)
	}
	for _, g := range p.groups {
		p.qualify(g)
	}
	if p.having != nil {
		p.qualify(p.having)
	}
	for i := range p.items {
		if err := p.findCalls(p.items[i].expr); err != nil {
			return err
		}
	}
	if p.having != nil {
		if err := p.findCalls(p.having); err != nil {
			return err
		}
	}
	p.grouped = len(p.groups) > 0 || len(p.calls) > 0 || p.having != nil
	return nil
}

// alias returns the item that a plain name means, if no column of FROM has that name.
func (p *parts) alias(e ast.Expr) (ast.Expr, bool) {
	c, ok := e.(*ast.ColName)
	if !ok || !c.Qualifier.IsEmpty() {
		return nil, false
	}
	for _, r := range p.s.scope {
		if r.find("", c.Name.String()) >= 0 {
			return nil, false
		}
	}
	for _, it := range p.items {
		if strings.EqualFold(it.name, c.Name.String()) {
			return it.expr, true
		}
	}
	return nil, false
}

// groupItem reads an entry of GROUP BY, which may name an item or give its number.
func (p *parts) groupItem(e ast.Expr) (ast.Expr, error) {
	if x, ok := p.alias(e); ok {
		return x, nil
	}
	if v, ok := e.(*ast.SQLVal); ok && v.Type == ast.IntVal {
		n := 0
		for _, d := range v.Val {
			n = n*10 + int(d-'0')
			if n > len(p.items) {
				break
			}
		}
		if n < 1 || n > len(p.items) {
			return nil, p.s.near(`\bgroup\s+by\b`, "GROUP BY %s: there are %d columns", v.Val,
				len(p.items))
		}
		return p.items[n-1].expr, nil
	}
	return e, nil
}

// unalias puts the items' expressions in the place of their names.
func (p *parts) unalias(e ast.Expr) ast.Expr {
	var found []ast.Expr
	_ = ast.Walk(func(n ast.SQLNode) (bool, error) {
		if c, ok := n.(*ast.ColName); ok {
			if _, ok := p.alias(c); ok {
				found = append(found, c)
			}
		}
		return true, nil
	}, e)
	for _, c := range found {
		x, _ := p.alias(c)
		e = ast.ReplaceExpr(e, c, x)
	}
	return e
}

// qualify writes every column with its table and in one spelling, so that equal
// expressions have equal text.
func (p *parts) qualify(e ast.Expr) {
	_ = ast.Walk(func(n ast.SQLNode) (bool, error) {
		c, ok := n.(*ast.ColName)
		if !ok {
			return true, nil
		}
		table, at, found := c.Qualifier.Name.String(), -1, 0
		for i, r := range p.s.scope {
			if (table == "" || strings.EqualFold(table, r.alias)) && r.find("", c.Name.String()) >= 0 {
				at = i
				found++
			}
		}
		if found == 1 {
			r := p.s.scope[at]
			c.Qualifier.Name = ast.NewTableIdent(r.alias)
			c.Name = ast.NewColIdent(r.cols[r.find("", c.Name.String())].name)
		}
		return true, nil
	}, e)
}

// findCalls notes the aggregates of an expression.
func (p *parts) findCalls(e ast.Expr) error {
	return ast.Walk(func(n ast.SQLNode) (bool, error) {
		f, ok := n.(*ast.FuncExpr)
		if !ok || !aggregates[f.Name.Lowered()] || f.Over != nil {
			return true, nil
		}
		c := &call{name: f.Name.Lowered(), distinct: f.Distinct, node: f, text: ast.String(f)}
		at := word(c.name) + `\s*\(`
		if !supported[c.name] {
			return false, p.s.near(at, "aggregate %s is not supported; there are count, sum, avg, min "+
				"and max", c.name)
		}
		if len(f.Exprs) != 1 {
			return false, p.s.near(at, "aggregate %s of %d expressions is not supported; "+
				"CONCAT them into one", c.name, len(f.Exprs))
		}
		switch x := f.Exprs[0].(type) {
		case *ast.StarExpr:
			c.star = true
		case *ast.AliasedExpr:
			c.arg = x.Expr
		}
		if c.arg == nil && (!c.star || c.name != "count") {
			return false, p.s.near(at, "%q is not supported", quote(f))
		}
		if c.distinct && (c.name == "sum" || c.name == "avg") {
			return false, p.s.near(at, "%s(DISTINCT ...) is not supported; aggregate a subquery with "+
				"SELECT DISTINCT", c.name)
		}
		if p.callOf(f) < 0 {
			p.calls = append(p.calls, c)
		}
		return false, nil
	}, e)
}

// bind binds everything that reads the tables of FROM.
func (p *parts) bind() error {
	var exprs []ast.Expr
	var to []func(sql.Expression)
	want := func(e ast.Expr, f func(sql.Expression)) {
		exprs = append(exprs, e)
		to = append(to, f)
	}
	p.wantJoins(p.tree, want)
	if p.sel.Where != nil {
		want(p.sel.Where.Expr, func(e sql.Expression) { p.where = conjuncts(e) })
	}
	if !p.grouped {
		for _, it := range p.items {
			want(it.expr, func(e sql.Expression) { p.values = append(p.values, e) })
		}
	}
	for _, g := range p.groups {
		want(g, func(e sql.Expression) { p.byGroups = append(p.byGroups, e) })
	}
	if p.grouped {
		for _, it := range append(slices.Clone(p.items), item{expr: p.having}) {
			if it.expr == nil {
				continue
			}
			for _, c := range p.loose(it.expr) {
				want(c, func(sql.Expression) {}) // a group may determine it
			}
		}
	}
	for _, c := range p.calls {
		if !c.star {
			want(c.arg, func(e sql.Expression) { c.bound = e })
		}
	}
	bound, err := p.s.bindOver(p.s.scope, exprs)
	if err != nil {
		return err
	}
	p.all = bound
	for i, e := range bound {
		to[i](e)
	}
	return p.scopes(p.tree)
}

func (p *parts) wantJoins(n *fromNode, want func(ast.Expr, func(sql.Expression))) {
	if n.asOf != nil {
		want(n.asOf, func(e sql.Expression) { n.boundAsOf = e })
	}
	if n.l != nil {
		p.wantJoins(n.l, want)
		p.wantJoins(n.r, want)
		want(n.on, func(e sql.Expression) { n.boundOn = conjuncts(e) })
	}
}

// scopes refuses an ON that reads tables which are not below its join.
func (p *parts) scopes(n *fromNode) error {
	if n.l == nil {
		return nil
	}
	for _, c := range n.boundOn {
		if out := p.s.leavesOf(c) &^ n.leaves(); out != 0 {
			alias := p.s.scope[bits(out)[0]].alias
			return p.s.near(`\bon\b`, "ON %s reads %s, which is not part of that join; "+
				"move the condition to the join with %s", quote(n.on), alias, alias)
		}
	}
	return errors.Join(p.scopes(n.l), p.scopes(n.r))
}

// bindOver binds expressions over tables, and refuses what no view may evaluate.
func (s *selection) bindOver(scope []*relation, exprs []ast.Expr) ([]sql.Expression, error) {
	q := &query{source: s.source}
	stmt := &ast.Select{}
	for _, e := range exprs {
		refuse := func(n ast.SQLNode) (bool, error) { return true, q.refuseExpr(n) }
		if err := ast.Walk(refuse, e); err != nil {
			return nil, err
		}
		stmt.SelectExprs = append(stmt.SelectExprs, &ast.AliasedExpr{Expr: e})
	}
	if len(exprs) == 0 {
		return nil, nil
	}
	var tables []named
	for _, r := range scope {
		stmt.From = append(stmt.From, &ast.AliasedTableExpr{
			Expr: ast.TableName{Name: ast.NewTableIdent(r.alias)},
		})
		t := named{alias: r.alias}
		for _, c := range r.cols {
			if c.name != "" && c.name != timeColumn {
				t.columns = append(t.columns, c.name)
			}
		}
		tables = append(tables, t)
	}
	out, err := bindList(scopeCatalog(scope), stmt)
	if err != nil {
		return nil, s.explainUnbound(err, tables)
	}
	for _, e := range out {
		if err := vet(e, func(*expression.GetField) error { return nil }); err != nil {
			return nil, s.at(0, "%v", err)
		}
	}
	return out, nil
}

// project makes the items the columns of the relation, and keeps what tells rows apart.
func (p *parts) project(rel *relation) (*relation, error) {
	if p.values == nil {
		exprs := make([]ast.Expr, len(p.items))
		for i := range p.items {
			exprs[i] = p.items[i].expr
		}
		var err error
		if p.values, err = p.s.bindOver([]*relation{rel}, exprs); err != nil {
			return nil, err
		}
	}
	cols := make([]int, len(p.items), len(p.items)+len(rel.key))
	out := *rel
	for i, e := range p.values {
		at := rel.column(e)
		if at < 0 {
			x, t, err := rel.lowerer().value(e)
			if err != nil {
				return nil, p.s.at(p.items[i].pos, "column %s: %v", p.items[i].name, err)
			}
			out.cols = append(slices.Clip(out.cols), relColumn{typ: t, expr: x})
			at = len(out.cols) - 1
		}
		cols[i] = at
	}
	key := make([]int, len(rel.key))
	for i, k := range rel.key {
		key[i] = slices.IndexFunc(cols[:len(p.items)], func(c int) bool { return rel.equal(c, k) })
		if key[i] < 0 {
			cols = append(cols, k)
			key[i] = len(cols) - 1
		}
	}
	res := out.keep(cols)
	res.key = key
	for i := range res.cols {
		res.cols[i].table, res.cols[i].name = "", ""
		if i < len(p.items) {
			res.cols[i].name = p.items[i].name
		}
	}
	return res, nil
}

var timestampColumn = row.Type{Kind: row.Timestamp}
