package operator

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tideline/tideline/timeline/row"
)

// ErrNullKey says that a row has no place in a view. Within an instant such rows may come
// and go; one that is there at its end is an error.
var ErrNullKey = errors.New("a column of the view's key is null; leave such rows out " +
	"with WHERE ... IS NOT NULL, or give the column a value with coalesce")

// Route says which of an operator's rows go to an exchange, in what form, and under
// which record key.
type Route struct {
	Filter  Expr   // nil lets every row through
	Columns []Expr // over the emitted row, which is the only lane
	Key     KeyForm
}

// KeyForm says what makes the record key of a row.
type KeyForm struct {
	// Plain makes it the text of the Partition columns as readers know it: the record
	// key of a view. Null is ErrNullKey.
	Plain     bool
	Partition []int // columns by which rows meet
	// Lane, if not 0, is the lane of the receiving operator, which keeps the rows of a
	// partition key apart by their Identity.
	Lane     byte
	Identity []int
	// KeepNulls sends rows whose partition columns hold a null where they match nothing,
	// spread by other columns; otherwise they are dropped, if there is a lane.
	KeepNulls bool
	Spread    []int
}

// Router applies a route; it reuses memory.
type Router struct {
	*Route
	env Env
	out row.Row
	buf []byte
}

// NewRouter prepares a route for one partition.
func NewRouter(r *Route) *Router {
	return &Router{Route: r, env: Env{Lanes: make([]LaneRow, 1)}, out: make(row.Row, len(r.Columns))}
}

// Send returns the record key and the encoded row of an emitted row; not ok if the row
// does not take this route. dst is what the row is appended to.
func (r *Router) Send(dst []byte, in row.Row) (key string, out []byte, ok bool, err error) {
	r.env.Lanes[0] = LaneRow{On: true, Vals: in}
	if r.Filter != nil {
		if ok, err = holds(r.Filter, &r.env); err != nil || !ok {
			return "", dst, false, wrapExpr(err)
		}
	}
	for i, c := range r.Columns {
		if r.out[i], err = c.Eval(&r.env); err != nil {
			return "", dst, false, fmt.Errorf("evaluating %s: %w", c, err)
		}
	}
	if key, ok, err = r.key(); err != nil || !ok {
		return "", dst, false, err
	}
	return key, row.AppendRow(dst, r.out), true, nil
}

func (r *Router) key() (string, bool, error) {
	k := &r.Route.Key
	null := false
	for _, c := range k.Partition {
		null = null || r.out[c] == nil
	}
	switch {
	case k.Plain && null:
		return "", false, ErrNullKey
	case k.Plain:
		vals := make([]row.Value, len(k.Partition))
		for i, c := range k.Partition {
			vals[i] = r.out[c]
		}
		return row.KeyText(vals), true, nil
	case k.Lane != 0 && null && !k.KeepNulls:
		return "", false, nil
	case k.Lane != 0 && null:
		r.buf = appendParts(r.buf[:0], r.out, k.Spread)
		r.buf = append(append(r.buf, keySplit...), laneNull, k.Lane)
		return string(r.buf), true, nil
	}
	r.buf = append(r.buf[:0], '*')
	if len(k.Partition) > 0 {
		r.buf = appendParts(r.buf[:0], r.out, k.Partition)
	}
	if k.Lane != 0 {
		r.buf = append(append(r.buf, keySplit...), k.Lane)
		r.buf = appendParts(r.buf, r.out, k.Identity)
	}
	return string(r.buf), true, nil
}

// String writes the route for explain and for definitions.
func (r *Route) String() string {
	var b strings.Builder
	for i, c := range r.Columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(c.String())
	}
	if r.Filter != nil {
		fmt.Fprintf(&b, " where %s", r.Filter)
	}
	fmt.Fprintf(&b, " by %s", r.names(r.Key.Partition))
	if r.Key.Lane != 0 {
		fmt.Fprintf(&b, " input %c, row %s", r.Key.Lane, r.names(r.Key.Identity))
	}
	if r.Key.KeepNulls {
		b.WriteString(", nulls too")
	}
	return b.String()
}

func (r *Route) names(cols []int) string {
	names := make([]string, len(cols))
	for i, c := range cols {
		names[i] = r.Columns[c].String()
	}
	return "(" + strings.Join(names, ", ") + ")"
}

// Coalesce is the first of its expressions that is not null.
type Coalesce []Expr

// Eval returns null if all are null.
func (c Coalesce) Eval(e *Env) (row.Value, error) {
	for _, x := range c {
		if v, err := x.Eval(e); v != nil || err != nil {
			return v, err
		}
	}
	return nil, nil
}

func (c Coalesce) String() string {
	parts := make([]string, len(c))
	for i, x := range c {
		parts[i] = x.String()
	}
	return "coalesce(" + strings.Join(parts, ", ") + ")"
}

// Null is null.
type Null struct{}

// Eval returns null.
func (Null) Eval(*Env) (row.Value, error) { return nil, nil }

func (Null) String() string { return "null" }
