package arrow

import (
	"errors"
	"fmt"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/shopspring/decimal"
	"go.uber.org/goleak"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/row"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// checked returns an allocator that fails the test if anything is left in it.
func checked(t *testing.T) *memory.CheckedAllocator {
	t.Helper()
	alloc := memory.NewCheckedAllocator(memory.NewGoAllocator())
	t.Cleanup(func() { alloc.AssertSize(t, 0) })
	return alloc
}

// fake gives rows from a slice, both ways, and counts its closings. After failAt
// rows (if that is not 0) it fails.
type fake struct {
	rows     []row.Row
	at       int
	failAt   int
	closed   int
	closeErr error
	onNext   func(at int)
	buf      []byte
}

var errFake = errors.New("the store is gone")

func (f *fake) Next() (row.Row, bool, error) {
	if f.onNext != nil {
		f.onNext(f.at)
	}
	if f.failAt > 0 && f.at >= f.failAt {
		return nil, false, errFake
	}
	if f.at >= len(f.rows) {
		return nil, false, nil
	}
	f.at++
	return f.rows[f.at-1], true, nil
}

func (f *fake) NextEncoded() ([]byte, bool, error) {
	r, ok, err := f.Next()
	if !ok || err != nil {
		return nil, false, err
	}
	// One buffer for all rows: a reader that keeps a row's bytes shows itself.
	f.buf = row.AppendRow(f.buf[:0], r)
	return f.buf, true, nil
}

func (f *fake) Close() error {
	f.closed++
	return f.closeErr
}

// mustType reads a column type.
func mustType(s string) row.Type {
	t, err := row.ParseType(s)
	if err != nil {
		panic(err)
	}
	return t
}

// schemaOf builds a schema of columns c0, c1 …, the first of which is the key.
func schemaOf(types ...string) row.Schema {
	s := row.Schema{Key: []int{0}}
	for i, t := range types {
		s.Columns = append(s.Columns, row.Column{Name: fmt.Sprintf("c%d", i), Type: mustType(t)})
	}
	return s
}

func testMeta() Meta {
	return Meta{
		View: "order_view", AsOf: timeline.FromMillis(1_700_000_000_123),
		Watermark: timeline.FromMillis(1_700_000_060_000) + 7,
		Pipeline:  "shop", PipelineVersion: "v3", Quality: timeline.Estimated,
	}
}

// rowsOf reads a record back, by way of code of its own: the model of these tests.
func rowsOf(s row.Schema, rec arrow.Record) []row.Row {
	out := make([]row.Row, rec.NumRows())
	for i := range out {
		out[i] = make(row.Row, len(s.Columns))
		for j, c := range s.Columns {
			if col := rec.Column(j); col.IsValid(i) {
				out[i][j] = valueOf(c.Type, col, i)
			}
		}
	}
	return out
}

func valueOf(t row.Type, col arrow.Array, i int) row.Value {
	switch a := col.(type) {
	case *array.Int64:
		return a.Value(i)
	case *array.Float64:
		return a.Value(i)
	case *array.Decimal128:
		scale := a.DataType().(*arrow.Decimal128Type).Scale
		return decimal.NewFromBigInt(a.Value(i).BigInt(), -scale)
	case *array.Decimal256:
		scale := a.DataType().(*arrow.Decimal256Type).Scale
		return decimal.NewFromBigInt(a.Value(i).BigInt(), -scale)
	case *array.String:
		if t.Kind == row.JSON {
			return row.Document(a.Value(i))
		}
		return string(append([]byte{}, a.Value(i)...)) // the buffer is freed later
	case *array.Boolean:
		return a.Value(i)
	case *array.Timestamp:
		return timeline.Time(a.Value(i))
	case *array.Date32:
		return row.Days(a.Value(i))
	case *array.Binary:
		return append([]byte{}, a.Value(i)...)
	}
	panic(fmt.Sprintf("no model for %T", col))
}

// sameRows compares by value.
func sameRows(got, want []row.Row) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d rows, want %d", len(got), len(want))
	}
	for i := range want {
		for j := range want[i] {
			if !row.Equal(got[i][j], want[i][j]) {
				return fmt.Errorf("row %d column %d: %v, want %v", i, j, got[i][j], want[i][j])
			}
		}
	}
	return nil
}
