package oracle

import (
	"fmt"
	"strings"
)

// kind is the type of a column: what SQL can compare it with.
type kind struct {
	base  byte // t text, i bigint, d decimal, b boolean, s instant
	scale int  // of a decimal
}

var (
	text    = kind{base: 't'}
	integer = kind{base: 'i'}
	instant = kind{base: 's'}
)

// column is a column of a table in FROM.
type column struct {
	table, name string
	kind        kind
}

// expr is an expression: it can be written and evaluated.
type expr interface {
	sql() string
	eval(s *scope) any
}

type (
	colRef  column
	literal struct{ v any }
	// binary is a comparison, an operation on numbers, or AND and OR.
	binary struct {
		op   string
		l, r expr
	}
	not      struct{ x expr }
	isNull   struct{ x expr }
	coalesce struct{ args []expr }
	// aggregate is evaluated over the rows of a group; a nil argument is the star.
	aggregate struct {
		fn       string
		distinct bool
		arg      expr
		kind     kind // of the argument
	}
)

func (c colRef) sql() string { return c.table + "." + c.name }

func (l literal) sql() string {
	if s, ok := l.v.(string); ok {
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return show(l.v)
}

func (b binary) sql() string { return "(" + b.l.sql() + " " + b.op + " " + b.r.sql() + ")" }

func (n not) sql() string { return "(NOT " + n.x.sql() + ")" }

func (n isNull) sql() string { return "(" + n.x.sql() + " IS NULL)" }

func (c coalesce) sql() string {
	args := make([]string, len(c.args))
	for i, a := range c.args {
		args[i] = a.sql()
	}
	return "coalesce(" + strings.Join(args, ", ") + ")"
}

func (a aggregate) sql() string {
	switch {
	case a.arg == nil:
		return "count(*)"
	case a.distinct:
		return a.fn + "(DISTINCT " + a.arg.sql() + ")"
	}
	return a.fn + "(" + a.arg.sql() + ")"
}

// item is a column of a select list.
type item struct {
	expr expr
	name string
	kind kind
}

// query is a SELECT. It is immutable: what changes it makes a copy.
type query struct {
	items    []item
	distinct bool
	from     *from
	where    expr
	grouped  bool // also without groups
	groups   []expr
	having   expr
}

// from is a table if l is nil, else a join.
type from struct {
	name  string // of a stream or view; empty for a subquery
	sub   *query
	alias string
	asOf  string // the alias at whose _time the table is read
	kind  string // INNER, LEFT, RIGHT, FULL OUTER
	l, r  *from
	on    expr
}

func (q *query) sql() string {
	var b strings.Builder
	b.WriteString("SELECT ")
	if q.distinct {
		b.WriteString("DISTINCT ")
	}
	for i, it := range q.items {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s AS %s", it.expr.sql(), it.name)
	}
	b.WriteString(" FROM " + q.from.sql())
	if q.where != nil {
		b.WriteString(" WHERE " + q.where.sql())
	}
	for i, g := range q.groups {
		if i == 0 {
			b.WriteString(" GROUP BY ")
		} else {
			b.WriteString(", ")
		}
		b.WriteString(g.sql())
	}
	if q.having != nil {
		b.WriteString(" HAVING " + q.having.sql())
	}
	return b.String()
}

func (f *from) sql() string {
	switch {
	case f.l != nil:
		return "(" + f.l.sql() + " " + f.kind + " JOIN " + f.r.sql() + " ON " + f.on.sql() + ")"
	case f.sub != nil:
		return "(" + f.sub.sql() + ") " + f.alias
	case f.asOf != "":
		return f.name + " FOR SYSTEM_TIME AS OF " + f.asOf + "._time AS " + f.alias
	}
	return f.name + " AS " + f.alias
}
