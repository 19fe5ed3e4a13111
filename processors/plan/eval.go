package plan

import (
	"fmt"
	"strings"
	"sync"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/types"

	"github.com/tideline/tideline/processors/operator"
	"github.com/tideline/tideline/timeline/row"
)

// evaluator is an operator.Expr that is computed by the SQL engine. Some of the
// engine's expressions cache inside themselves, so evaluations take turns.
type evaluator struct {
	text   string
	expr   sql.Expression
	fields []operator.Expr       // what stands at each place of row
	toSQL  []func(row.Value) any // nil where the engine's value is ours
	result func(ctx *sql.Context, v any) (row.Value, error)

	mu  sync.Mutex
	ctx *sql.Context
	row sql.Row
}

// String returns the expression as the SQL engine writes it.
func (c *evaluator) String() string { return c.text }

// Eval computes the expression. A panic of the engine becomes an error.
func (c *evaluator) Eval(e *operator.Env) (v row.Value, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer func() {
		if p := recover(); p != nil {
			v, err = nil, fmt.Errorf("the SQL engine failed: %v", p)
		}
	}()
	for i, f := range c.fields {
		if v, err = f.Eval(e); err != nil {
			return nil, err
		}
		if conv := c.toSQL[i]; conv != nil && v != nil {
			v = conv(v)
		}
		c.row[i] = v
	}
	out, err := c.expr.Eval(c.ctx, c.row)
	if c.ctx.WarningCount() > 0 {
		c.ctx.ClearWarnings() // MySQL's warnings are no errors; they would pile up
	}
	if err != nil {
		return nil, err
	}
	return c.result(c.ctx, out)
}

// checkedArithmetic refuses results beyond 64 bits, as MySQL does; the engine would
// wrap them round.
type checkedArithmetic struct{ *expression.Arithmetic }

// Eval computes the operation.
func (a checkedArithmetic) Eval(ctx *sql.Context, r sql.Row) (any, error) {
	if !types.IsInteger(a.Arithmetic.Type()) {
		return a.Arithmetic.Eval(ctx, r)
	}
	x, err := a.LeftChild.Eval(ctx, r)
	if err != nil || x == nil {
		return nil, err
	}
	y, err := a.RightChild.Eval(ctx, r)
	if err != nil || y == nil {
		return nil, err
	}
	l, okL := x.(int64)
	m, okR := toInt64(y)
	if !okL {
		l, okL = toInt64(x)
	}
	if !okL || !okR {
		return a.Arithmetic.Eval(ctx, r)
	}
	v, ok := checked(strings.ToLower(a.Op), l, m)
	if !ok {
		return nil, sql.ErrValueOutOfRange.New("BIGINT", a.String())
	}
	return v, nil
}

// WithChildren keeps the check on the copy.
func (a checkedArithmetic) WithChildren(c ...sql.Expression) (sql.Expression, error) {
	e, err := a.Arithmetic.WithChildren(c...)
	if inner, ok := e.(*expression.Arithmetic); ok {
		return checkedArithmetic{inner}, err
	}
	return e, err
}

func checked(op string, l, r int64) (int64, bool) {
	switch op {
	case "+":
		v := l + r
		return v, (v > l) == (r > 0)
	case "-":
		v := l - r
		return v, (v < l) == (r > 0)
	}
	if l == 0 || r == 0 {
		return 0, true
	}
	v := l * r
	return v, v/r == l && !(l == -1 && r == minInt64) && !(r == -1 && l == minInt64)
}

const minInt64 = -1 << 63

// toInt64 converts any of Go's integers that fit.
func toInt64(v any) (int64, bool) {
	switch n := v.(type) {
	case int64:
		return n, true
	case int:
		return int64(n), true
	case int8:
		return int64(n), true
	case int16:
		return int64(n), true
	case int32:
		return int64(n), true
	case uint8:
		return int64(n), true
	case uint16:
		return int64(n), true
	case uint32:
		return int64(n), true
	case uint:
		return int64(n), n <= 1<<63-1
	case uint64:
		return int64(n), n <= 1<<63-1
	case bool:
		if n {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}
