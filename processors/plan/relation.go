package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/expression/function"

	"github.com/tideline/tideline/processors/operator"
	"github.com/tideline/tideline/timeline/row"
)

// relation is a set of rows that a query can read: what an operator emits, filtered and
// projected. Filter and projection are computed where the rows are sent on.
type relation struct {
	alias string // by which the query calls it
	from  *node
	cols  []relColumn
	where []operator.Expr // over the operator's row
	// key lists the columns that tell the rows apart; empty if there is one row at most.
	key []int
	// deps says which columns determine others.
	deps []dependency
	// same lists columns that are equal in every row.
	same [][2]int
	// merged lists columns of the two sides of a full join, and the column that holds
	// the one of them which is not null.
	merged []mergedColumn
}

// relColumn is a column of a relation. One without a name is only kept to tell rows apart.
type relColumn struct {
	table, name string
	typ         row.Type
	expr        operator.Expr // over the operator's row
}

type dependency struct{ from, to []int }

type mergedColumn struct{ left, right, column int }

// node is an operator in the making.
type node struct {
	name    string
	what    string // for people
	op      operator.Operator
	in, out []*edge
	history bool
	text    string // the SQL it comes from

	table *tableScan // the operator keeps a stream as a table
	query *compiled  // the operator joins streams on their keys
	view  *View      // the operator keeps a view
	stage *Stage
}

// edge carries rows of one operator to an input of another.
type edge struct {
	from, to *node
	names    []string // of the columns
	types    []row.Type
	route    *operator.Route
	exchange *Exchange
}

// find returns the index of a column by the names a query gives it.
func (r *relation) find(table, name string) int {
	return slices.IndexFunc(r.cols, func(c relColumn) bool {
		return c.name != "" && strings.EqualFold(c.name, name) &&
			(table == "" || strings.EqualFold(c.table, table))
	})
}

// field returns the index of the column that a bound field reads.
func (r *relation) field(f *expression.GetField) (int, error) {
	if i := r.find(f.Table(), f.Name()); i >= 0 {
		return i, nil
	}
	return -1, fmt.Errorf("binding SQL: field %s is of no table in FROM", f)
}

// lowerer returns what turns bound expressions over the relation into operators'.
func (r *relation) lowerer() lowerer {
	return lowerer{resolve: func(f *expression.GetField) (operator.Expr, row.Type, error) {
		i, err := r.field(f)
		if err != nil {
			return nil, row.Type{}, err
		}
		return r.cols[i].expr, r.cols[i].typ, nil
	}}
}

// column returns the column that an expression is a plain reference to, or -1.
func (r *relation) column(e sql.Expression) int {
	switch e := e.(type) {
	case *expression.GetField:
		i, err := r.field(e)
		if err != nil {
			return -1
		}
		return i
	case *function.Coalesce, *function.IfNull:
		c := e.Children()
		if len(c) != 2 {
			return -1
		}
		a, b := r.column(c[0]), r.column(c[1])
		for _, m := range r.merged {
			if m.left == a && m.right == b || m.left == b && m.right == a {
				return m.column
			}
		}
	}
	return -1
}

// place returns the column that holds an expression, adding one if there is none.
func (r *relation) place(e sql.Expression) (int, error) {
	if i := r.column(e); i >= 0 {
		return i, nil
	}
	x, t, err := r.lowerer().value(e)
	if err != nil {
		return -1, err
	}
	r.cols = append(r.cols, relColumn{typ: t, expr: x})
	return len(r.cols) - 1, nil
}

// filter adds a condition that the rows must meet.
func (r *relation) filter(e sql.Expression) error {
	x, err := r.lowerer().cond(e)
	if err == nil {
		r.where = append(r.where, x)
	}
	return err
}

// equal says whether two columns are equal in every row.
func (r *relation) equal(a, b int) bool {
	if a == b {
		return true
	}
	seen := map[int]bool{a: true}
	for again := true; again; {
		again = false
		for _, s := range r.same {
			if seen[s[0]] != seen[s[1]] {
				seen[s[0]], seen[s[1]], again = true, true, true
			}
		}
	}
	return seen[b]
}

// covers says whether every one of want equals one of have.
func (r *relation) covers(have, want []int) bool {
	for _, w := range want {
		if !slices.ContainsFunc(have, func(h int) bool { return r.equal(h, w) }) {
			return false
		}
	}
	return true
}

// reduce leaves out of cols what others of them determine.
func (r *relation) reduce(cols []int) []int {
	out := slices.Clone(cols)
	for _, d := range r.deps {
		if !r.covers(out, d.from) {
			continue
		}
		rest := out[:0:0]
		for _, c := range out {
			byOther := slices.Contains(d.to, c) && !slices.Contains(d.from, c)
			if !byOther {
				rest = append(rest, c)
			}
		}
		if r.covers(rest, d.from) {
			out = rest
		}
	}
	return out
}

// keep returns the relation with only the columns listed, in that order.
func (r *relation) keep(cols []int) *relation {
	at := map[int]int{}
	out := &relation{alias: r.alias, from: r.from, where: r.where}
	for i, c := range cols {
		if _, ok := at[c]; !ok {
			at[c] = i
		}
		out.cols = append(out.cols, r.cols[c])
	}
	mapped := func(in []int) ([]int, bool) {
		var to []int
		for _, c := range in {
			if i, ok := at[c]; ok {
				to = append(to, i)
			}
		}
		return to, len(to) == len(in)
	}
	out.key, _ = mapped(r.key)
	for _, d := range r.deps {
		if from, all := mapped(d.from); all {
			to, _ := mapped(d.to)
			out.deps = append(out.deps, dependency{from, to})
		}
	}
	for _, s := range r.same {
		if p, all := mapped(s[:]); all {
			out.same = append(out.same, [2]int{p[0], p[1]})
		}
	}
	for _, m := range r.merged {
		if p, all := mapped([]int{m.left, m.right, m.column}); all {
			out.merged = append(out.merged, mergedColumn{p[0], p[1], p[2]})
		}
	}
	return out
}

// send routes the relation's rows to an operator.
func (r *relation) send(to *node, form operator.KeyForm) {
	e := &edge{from: r.from, to: to, route: &operator.Route{Key: form}}
	switch len(r.where) {
	case 0:
	case 1:
		e.route.Filter = r.where[0]
	default:
		e.route.Filter = operator.And(r.where)
	}
	for i, c := range r.cols {
		name := c.name
		if name == "" {
			name = fmt.Sprintf("#%d", i+1)
		}
		e.names = append(e.names, name)
		e.types = append(e.types, c.typ)
		e.route.Columns = append(e.route.Columns, c.expr)
	}
	r.from.out = append(r.from.out, e)
	to.in = append(to.in, e)
}

// columns returns the relation's columns as an operator's.
func (r *relation) columns() []row.Column {
	out := make([]row.Column, len(r.cols))
	for i, c := range r.cols {
		out[i] = row.Column{Name: c.name, Type: c.typ}
	}
	return out
}

// emitted makes cols the columns of an operator's rows: their expressions are fields.
func emitted(cols []relColumn) []relColumn {
	out := slices.Clone(cols)
	for i := range out {
		name := out[i].name
		if out[i].table != "" && name != "" {
			name = out[i].table + "." + name
		} else if name == "" {
			name = fmt.Sprintf("#%d", i+1)
		}
		out[i].expr = operator.Field{Lane: 0, Column: i, Name: name}
	}
	return out
}
