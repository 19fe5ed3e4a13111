package plan

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/expression/function"
	gmsplan "github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/planbuilder"
	"github.com/dolthub/go-mysql-server/sql/transform"
	"github.com/dolthub/go-mysql-server/sql/types"
	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/tideline/tideline/processors/spec"
)

// bound is a query whose names are resolved and whose expressions are typed.
type bound struct {
	*query
	items []sql.Expression
	where sql.Expression // nil if there is none
	ons   map[*treeNode]sql.Expression
}

// bind resolves all scalar expressions of the query at once: it lets the SQL engine
// bind a SELECT of them all over the plain list of tables. The shape of the query,
// joins and filter, stays with us.
func bind(q *query, cat sql.Catalog) (*bound, error) {
	b := &bound{query: q, ons: map[*treeNode]sql.Expression{}}
	var joins []*treeNode
	var collect func(n *treeNode)
	collect = func(n *treeNode) {
		if n.l != nil {
			collect(n.l)
			collect(n.r)
			joins = append(joins, n)
		}
	}
	collect(q.root)
	var scalars []ast.Expr
	for _, it := range q.items {
		scalars = append(scalars, it.expr)
	}
	for _, n := range joins {
		scalars = append(scalars, n.on)
	}
	if q.where != nil {
		scalars = append(scalars, q.where)
	}
	exprs, err := b.scalars(cat, scalars)
	if err != nil {
		return nil, err
	}
	b.items, exprs = exprs[:len(q.items)], exprs[len(q.items):]
	for i, n := range joins {
		b.ons[n] = exprs[i]
	}
	if q.where != nil {
		b.where = exprs[len(joins)]
	}
	for i, e := range append(append([]sql.Expression{}, b.items...), exprs...) {
		if err := b.note(e); err != nil {
			if i < len(b.items) {
				return nil, q.at(q.items[i].pos, "%v", err)
			}
			return nil, q.at(0, "%v", err)
		}
	}
	return b, b.scopes()
}

// scalars binds expressions over all tables of the query.
func (b *bound) scalars(cat sql.Catalog, exprs []ast.Expr) ([]sql.Expression, error) {
	stmt := &ast.Select{}
	for _, e := range exprs {
		stmt.SelectExprs = append(stmt.SelectExprs, &ast.AliasedExpr{Expr: e})
	}
	for _, l := range b.lanes {
		stmt.From = append(stmt.From, &ast.AliasedTableExpr{
			Expr: ast.TableName{Name: ast.NewTableIdent(l.stream.Name)},
			As:   ast.NewTableIdent(l.alias),
			Auth: ast.AuthInformation{},
		})
	}
	out, err := bindList(cat, stmt)
	if err != nil {
		return nil, b.unbound(err)
	}
	return out, nil
}

// bindList lets the SQL engine bind the select list of a plain SELECT.
func bindList(cat sql.Catalog, stmt *ast.Select) ([]sql.Expression, error) {
	ctx, err := newContext()
	if err != nil {
		return nil, fmt.Errorf("preparing the SQL engine: %w", err)
	}
	node, _, err := planbuilder.New(ctx, cat, nil, nil).BindOnly(stmt, ast.String(stmt), nil)
	if err != nil {
		return nil, err
	}
	p, ok := node.(*gmsplan.Project)
	if !ok || len(p.Projections) != len(stmt.SelectExprs) {
		return nil, fmt.Errorf("the query is not a plain projection (%T)", node)
	}
	out := make([]sql.Expression, len(p.Projections))
	for i, e := range p.Projections {
		if a, ok := e.(*expression.Alias); ok {
			e = a.Child
		}
		if out[i], err = intervals(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// intervals writes "t + INTERVAL ..." as date_add and date_sub: the engine's operators
// drop the fraction of a second.
func intervals(e sql.Expression) (sql.Expression, error) {
	out, _, err := transform.Expr(e, func(e sql.Expression) (
		sql.Expression, transform.TreeIdentity, error) {
		a, ok := e.(*expression.Arithmetic)
		if !ok {
			return e, transform.SameTree, nil
		}
		left, right := a.LeftChild, a.RightChild
		if _, ok := left.(*expression.Interval); ok && a.Op == "+" {
			left, right = right, left
		}
		if _, ok := right.(*expression.Interval); !ok {
			return e, transform.SameTree, nil
		}
		f := function.NewDateAdd
		if a.Op == "-" {
			f = function.NewDateSub
		}
		x, err := f(left, right)
		return x, transform.NewTree, err
	})
	return out, err
}

var (
	noColumn  = regexp.MustCompile(`^column "?([^"]*?)"? could not be found in any table in scope`)
	noTabCol  = regexp.MustCompile(`^table "([^"]*)" does not have column "([^"]*)"`)
	noTable   = regexp.MustCompile(`^table not found: (\S+)`)
	noFunc    = regexp.MustCompile(`^function: '([^']*)' not found`)
	ambiguous = regexp.MustCompile(`^ambiguous column name "([^"]*)"`)
)

// unbound puts the binder's error into our words, with the nearest valid name.
func (b *bound) unbound(err error) error {
	var tables []named
	for _, l := range b.lanes {
		t := named{alias: l.alias}
		for _, c := range l.stream.Schema.Columns {
			t.columns = append(t.columns, c.Name)
		}
		tables = append(tables, t)
	}
	return b.explainUnbound(err, tables)
}

// named is a table that expressions may read, by the names it has in the query.
type named struct {
	alias   string
	columns []string
}

func (b *source) explainUnbound(err error, tables []named) error {
	var aliases []string
	for _, t := range tables {
		aliases = append(aliases, t.alias)
	}
	msg, _, _ := strings.Cut(err.Error(), ", maybe you mean")
	if m := noTabCol.FindStringSubmatch(msg); m != nil {
		return b.noColumn(m[2], m[1], tables)
	}
	if m := noColumn.FindStringSubmatch(msg); m != nil {
		return b.noColumn(m[1], "", tables)
	}
	if m := noTable.FindStringSubmatch(msg); m != nil {
		return b.near(word(m[1])+`\s*\.`, "there is no table %q in FROM%s", m[1],
			spec.Suggest(m[1], aliases))
	}
	if m := noFunc.FindStringSubmatch(msg); m != nil {
		return b.near(word(m[1])+`\s*\(`, "there is no function %q%s", m[1],
			spec.Suggest(m[1], functionNames()))
	}
	if m := ambiguous.FindStringSubmatch(msg); m != nil {
		return b.near(word(m[1]), "column %q is in more than one table; write it with its table, "+
			"as %s.%s", m[1], aliases[0], m[1])
	}
	return b.at(0, "binding SQL: %s", msg)
}

func (b *source) noColumn(col, alias string, tables []named) error {
	var names []string
	for _, t := range tables {
		if alias == "" || strings.EqualFold(t.alias, alias) {
			names = append(names, t.columns...)
		}
	}
	where, pat := "", word(col)
	if alias != "" {
		where, pat = " in "+alias, word(alias)+`\s*\.\s*`+word(col)
	}
	hint := spec.Suggest(col, names)
	if hint == "" {
		hint = "; there are " + strings.Join(names, ", ")
	}
	return b.near(pat, "there is no column %q%s%s", col, where, hint)
}

// ref is what a field of a bound expression stands for.
type ref struct {
	lane   int
	key    int // position in the lane's key, or -1
	column int // index of the stream's column, or -1 for _time
}

func (b *bound) ref(f *expression.GetField) (ref, error) {
	for i, l := range b.lanes {
		if !strings.EqualFold(l.alias, f.Table()) {
			continue
		}
		if strings.EqualFold(f.Name(), timeColumn) {
			return ref{lane: i, key: -1, column: -1}, nil
		}
		c := l.stream.Schema.Find(f.Name())
		if c < 0 {
			break
		}
		for pos, k := range l.stream.Schema.Key {
			if k == c {
				return ref{lane: i, key: pos, column: c}, nil
			}
		}
		return ref{lane: i, key: -1, column: c}, nil
	}
	return ref{}, fmt.Errorf("binding SQL: field %s is of no table in FROM", f)
}

// note marks the columns an expression reads as needed, and refuses what no view may
// evaluate.
func (b *bound) note(e sql.Expression) error {
	return vet(e, func(f *expression.GetField) error {
		r, err := b.ref(f)
		if err == nil {
			b.lanes[r.lane].need(r)
		}
		return err
	})
}

// vet refuses what the engine itself calls non-deterministic or what would read rows
// through it. It calls field for every column.
func vet(e sql.Expression, field func(*expression.GetField) error) (err error) {
	sql.Inspect(e, func(e sql.Expression) bool {
		if err != nil || e == nil {
			return false
		}
		switch e := e.(type) {
		case *expression.GetField:
			err = field(e)
		case *expression.Arithmetic, *expression.Div, *expression.IntDiv, *expression.Mod:
			err = noTimeArithmetic(e)
		case *function.Greatest, *function.Least:
			for _, c := range e.Children() {
				if types.IsDecimal(c.Type()) {
					err = fmt.Errorf("%s is not supported for decimals; write CASE WHEN a > b THEN a "+
						"ELSE b END", e)
				}
			}
		case *expression.SystemVar, *expression.UserVar:
			err = fmt.Errorf("variable %s is not allowed: a view must be a function of its "+
				"streams alone; write the value", e)
		case sql.Aggregation, *gmsplan.Subquery:
			err = fmt.Errorf("%s is not supported in a view", e)
		case sql.NonDeterministicExpression:
			if e.IsNonDeterministic() {
				err = fmt.Errorf("%s is not allowed: its value depends on more than the row", e)
			}
		}
		return true
	})
	return err
}

// noTimeArithmetic refuses to reckon with dates as numbers, which is never what is meant.
func noTimeArithmetic(e sql.Expression) error {
	for _, c := range e.Children() {
		if types.IsTime(c.Type()) || types.IsTimespan(c.Type()) {
			return fmt.Errorf("%s reckons with %s as a number; use INTERVAL, date_add, datediff "+
				"or timestampdiff", e, c)
		}
	}
	return nil
}

func (l *lane) need(r ref) {
	switch {
	case r.column < 0:
		l.time = true
	case r.key < 0:
		l.needed[r.column] = true
	}
}

// lanesOf returns the lanes an expression reads, as a bit mask.
func (b *bound) lanesOf(e sql.Expression) uint64 {
	var mask uint64
	transform.InspectExpr(e, func(e sql.Expression) bool {
		if f, ok := e.(*expression.GetField); ok {
			if r, err := b.ref(f); err == nil {
				mask |= 1 << r.lane
			}
		}
		return false
	})
	return mask
}

// scopes refuses an ON that reads tables which are not below its join.
func (b *bound) scopes() error {
	for n, on := range b.ons {
		if out := b.lanesOf(on) &^ n.lanes(); out != 0 {
			for i, l := range b.lanes {
				if out&(1<<i) != 0 {
					return b.near(`\bon\b`, "ON %s reads %s, which is not part of that join; "+
						"move the condition to the join with %s", quote(n.on), l.alias, l.alias)
				}
			}
		}
	}
	return nil
}
