package plan

import (
	"fmt"
	"runtime"
	"sort"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/transform"
	"github.com/dolthub/go-mysql-server/sql/types"

	"github.com/tideline/tideline/processors/operator"
	"github.com/tideline/tideline/timeline/row"
)

// lowerer turns bound expressions into the operator's. kept holds, for each lane, the
// stream's columns that the lane keeps, ascending.
type lowerer struct {
	b    *bound
	kept [][]int
	// resolve, if set, says what a field stands for; the rest is not used then.
	resolve func(f *expression.GetField) (operator.Expr, row.Type, error)
}

func newLowerer(b *bound) lowerer {
	l := lowerer{b: b, kept: make([][]int, len(b.lanes))}
	for i, lane := range b.lanes {
		l.kept[i] = sortedKeys(lane.needed)
	}
	return l
}

func sortedKeys(m map[int]bool) []int {
	out := make([]int, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Ints(out)
	return out
}

// field lowers a column reference.
func (l lowerer) field(f *expression.GetField) (operator.Expr, row.Type, error) {
	if l.resolve != nil {
		return l.resolve(f)
	}
	r, err := l.b.ref(f)
	if err != nil {
		return nil, row.Type{}, err
	}
	lane := l.b.lanes[r.lane]
	if r.column < 0 {
		name := lane.alias + "." + timeColumn
		return operator.Time{Lane: r.lane, Name: name}, row.Type{Kind: row.Timestamp}, nil
	}
	c := lane.stream.Schema.Columns[r.column]
	name := lane.alias + "." + c.Name
	if r.key >= 0 {
		return operator.KeyField{Lane: r.lane, Position: r.key, Name: name}, c.Type, nil
	}
	at := sort.SearchInts(l.kept[r.lane], r.column)
	return operator.Field{Lane: r.lane, Column: at, Name: name}, c.Type, nil
}

// value lowers an expression of the select list.
func (l lowerer) value(e sql.Expression) (operator.Expr, row.Type, error) {
	if f, ok := e.(*expression.GetField); ok {
		return l.field(f)
	}
	t, err := rowType(e.Type())
	if err != nil {
		return nil, row.Type{}, err
	}
	if t.Kind == row.Decimal {
		t = l.decimal(e, t)
	}
	c, err := l.compile(e)
	if err != nil {
		return nil, row.Type{}, err
	}
	c.result = func(ctx *sql.Context, v any) (row.Value, error) {
		return fromSQL(ctx, e.Type(), t, v)
	}
	return c, t, nil
}

// cond lowers a condition: true, false, or null for SQL's unknown.
func (l lowerer) cond(e sql.Expression) (operator.Expr, error) {
	c, err := l.compile(e)
	if err != nil {
		return nil, err
	}
	c.result = func(ctx *sql.Context, v any) (row.Value, error) {
		if v == nil {
			return nil, nil
		}
		b, err := sql.ConvertToBool(ctx, v)
		return b, err
	}
	return c, nil
}

// compile gives every field of the expression its place in the engine's row.
func (l lowerer) compile(e sql.Expression) (*evaluator, error) {
	c := &evaluator{text: e.String()}
	places := map[string]int{}
	out, _, err := transform.Expr(e, func(e sql.Expression) (
		sql.Expression, transform.TreeIdentity, error) {
		switch e := e.(type) {
		case *expression.GetField:
			src, t, err := l.field(e)
			if err != nil {
				return nil, transform.SameTree, err
			}
			name := strings.ToLower(e.Table() + "." + e.Name())
			at, ok := places[name]
			if !ok {
				at = len(c.fields)
				places[name] = at
				c.fields = append(c.fields, src)
				c.toSQL = append(c.toSQL, toSQL(t))
			}
			return e.WithIndex(at), transform.NewTree, nil
		case *expression.Arithmetic:
			return checkedArithmetic{e}, transform.NewTree, nil
		}
		return e, transform.SameTree, nil
	})
	if err != nil {
		return nil, fmt.Errorf("preparing expression %s: %w", e, err)
	}
	if !out.Resolved() {
		return nil, fmt.Errorf("expression %s cannot be resolved", clip(e.String()))
	}
	c.expr = out
	if c.ctx, err = newContext(); err != nil {
		return nil, fmt.Errorf("preparing the SQL engine: %w", err)
	}
	c.row = make(sql.Row, len(c.fields))
	disposeAfter(c)
	return c, nil
}

// disposeAfter gives back what the engine holds outside Go's memory, compiled regular
// expressions, once nothing refers to the evaluator any more.
func disposeAfter(c *evaluator) {
	var held []sql.Disposable
	sql.Inspect(c.expr, func(e sql.Expression) bool {
		if d, ok := e.(sql.Disposable); ok {
			held = append(held, d)
		}
		return true
	})
	if len(held) == 0 {
		return
	}
	runtime.SetFinalizer(c, func(*evaluator) {
		for _, d := range held {
			d.Dispose()
		}
	})
}

// decimal returns the type that holds every result of a decimal expression. The
// engine's scale is kept; its precision does not count the digits that a product or a
// sum may gain. A decimal column without precision makes the result one, too.
func (l lowerer) decimal(e sql.Expression, t row.Type) row.Type {
	unbounded := false
	transform.InspectExpr(e, func(e sql.Expression) bool {
		if f, ok := e.(*expression.GetField); ok {
			_, ft, err := l.field(f)
			unbounded = unbounded || (err == nil && ft.Kind == row.Decimal && ft.Precision == 0)
		}
		return false
	})
	if unbounded {
		return row.Type{Kind: row.Decimal}
	}
	t.Precision = min(max(wholeDigits(e)+t.Scale, t.Precision), types.DecimalTypeMaxPrecision)
	return t
}

// bigintDigits is how many digits the whole part of a bigint can have.
const bigintDigits = 19

// wholeDigits bounds the digits before the point of a numeric expression's result.
func wholeDigits(e sql.Expression) int {
	if lit, ok := e.(*expression.Literal); ok && types.IsInteger(e.Type()) {
		return len(fmt.Sprint(lit.Value()))
	}
	own := 0
	if d, ok := e.Type().(sql.DecimalType); ok {
		own = int(d.Precision()) - int(d.Scale())
	} else if types.IsInteger(e.Type()) {
		return bigintDigits
	}
	var digits []int
	for _, c := range e.Children() {
		if types.IsNumber(c.Type()) {
			digits = append(digits, wholeDigits(c))
		}
	}
	most, sum := 0, 0
	for _, d := range digits {
		most, sum = max(most, d), sum+d
	}
	switch a := e.(type) {
	case *expression.Arithmetic:
		if a.Op == "*" {
			return max(own, sum)
		}
		return max(own, most+1)
	case *expression.Div:
		if len(digits) == 2 && types.IsDecimal(a.RightChild.Type()) {
			return max(own, digits[0]+int(a.RightChild.Type().(sql.DecimalType).Scale()))
		}
		return max(own, most)
	}
	return max(own, most)
}
