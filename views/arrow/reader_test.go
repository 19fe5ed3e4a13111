package arrow

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/shopspring/decimal"

	"github.com/tideline/tideline/timeline/row"
)

func numbered(n int) []row.Row {
	out := make([]row.Row, n)
	for i := range out {
		out[i] = row.Row{int64(i), "text"}
	}
	return out
}

// readers are both ways in.
var readers = map[string]func(
	context.Context, memory.Allocator, row.Schema, *fake, int,
) *Reader{
	"values": func(
		ctx context.Context, a memory.Allocator, s row.Schema, f *fake, batch int,
	) *Reader {
		return NewReader(ctx, a, s, testMeta(), f, batch)
	},
	"bytes": func(
		ctx context.Context, a memory.Allocator, s row.Schema, f *fake, batch int,
	) *Reader {
		return NewEncodedReader(ctx, a, s, testMeta(), f, batch)
	},
}

func eachReader(t *testing.T, test func(t *testing.T, open openFunc)) {
	for name, open := range readers {
		t.Run(name, func(t *testing.T) {
			alloc := checked(t)
			test(t, func(ctx context.Context, s row.Schema, f *fake, batch int) *Reader {
				return open(ctx, alloc, s, f, batch)
			})
		})
	}
}

type openFunc func(ctx context.Context, s row.Schema, f *fake, batch int) *Reader

// TestBatches: every batch but the last is full, and a view whose size is a multiple
// of the batch ends without an empty one.
func TestBatches(t *testing.T) {
	eachReader(t, func(t *testing.T, open openFunc) {
		for _, c := range []struct{ rows, batch, batches int }{
			{0, 4, 0}, {1, 4, 1}, {4, 4, 1}, {5, 4, 2}, {8, 4, 2}, {5000, 0, 1},
		} {
			f := &fake{rows: numbered(c.rows)}
			rd := open(context.Background(), schemaOf("bigint", "text"), f, c.batch)
			batches, rows := 0, 0
			for rd.Next() {
				batches++
				rows += int(rd.Record().NumRows())
			}
			rd.Release()
			if rd.Err() != nil || batches != c.batches || rows != c.rows || f.closed != 1 {
				t.Errorf("%+v: %d batches, %d rows, closed %d times, %v",
					c, batches, rows, f.closed, rd.Err())
			}
		}
	})
}

// TestWideRows: wide rows close a batch early, so that memory stays bounded.
func TestWideRows(t *testing.T) {
	wide := strings.Repeat("x", maxBatchBytes/4)
	eachReader(t, func(t *testing.T, open openFunc) {
		f := &fake{}
		for i := range 9 {
			f.rows = append(f.rows, row.Row{int64(i), wide})
		}
		rd := open(context.Background(), schemaOf("bigint", "text"), f, 100)
		defer rd.Release()
		for _, want := range []int64{4, 4, 1} {
			if !rd.Next() || rd.Record().NumRows() != want {
				t.Fatalf("want a batch of %d rows", want)
			}
		}
		if rd.Next() || rd.Err() != nil {
			t.Fatal("want the end", rd.Err())
		}
	})
}

// TestReleasedEarly: a reader given up in the middle closes its rows, and frees its
// batch unless somebody retained it.
func TestReleasedEarly(t *testing.T) {
	eachReader(t, func(t *testing.T, open openFunc) {
		f := &fake{rows: numbered(10)}
		rd := open(context.Background(), schemaOf("bigint", "text"), f, 4)
		rd.Retain()
		if !rd.Next() {
			t.Fatal(rd.Err())
		}
		rec := rd.Record()
		rec.Retain()
		rd.Release()
		if f.closed != 0 {
			t.Error("closed while still referred to")
		}
		rd.Release()
		if f.closed != 1 {
			t.Errorf("closed %d times", f.closed)
		}
		if got := rowsOf(schemaOf("bigint", "text"), rec); sameRows(got, numbered(4)) != nil {
			t.Errorf("retained batch holds %v", got)
		}
		rec.Release()
	})
}

// TestReaderErrors: whatever goes wrong stops the reader, closes the rows once and is
// told with the view, and the column where there is one.
func TestReaderErrors(t *testing.T) {
	two := schemaOf("bigint", "decimal(4,2)")
	long := decimal.RequireFromString("1.234")
	big := decimal.RequireFromString("123456789012345678901234567890")
	cases := []struct {
		name string
		rows fake
		want string
	}{
		{"rows fail", fake{rows: []row.Row{{int64(1), nil}}, failAt: 1}, errFake.Error()},
		{"closing fails", fake{closeErr: errors.New("not closed")}, "not closed"},
		{"null key", fake{rows: []row.Row{{nil, nil}}}, `column "c0": null in a key column`},
		{"too long", fake{rows: []row.Row{{int64(1), long}}},
			`column "c1": decimal 1.234 does not fit 4 digits, 2 of them after the point`},
		{"too big", fake{rows: []row.Row{{int64(1), big}}}, `does not fit 4 digits`},
		{"few values", fake{rows: []row.Row{{int64(1)}}}, "row has 1 values, the view has 2"},
		{"many values", fake{rows: []row.Row{{int64(1), nil, nil}}}, "the view"},
		{"wrong type", fake{rows: []row.Row{{"1", nil}}},
			`column "c0": value of Go type string does not fit bigint`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			eachReader(t, func(t *testing.T, open openFunc) {
				f := c.rows
				rd := open(context.Background(), two, &f, 4)
				defer rd.Release()
				first, second := rd.Next(), rd.Next()
				if first || second || rd.Record() != nil {
					t.Error("a batch despite the error")
				}
				err := rd.Err()
				if err == nil || !strings.Contains(err.Error(), c.want) ||
					!strings.HasPrefix(err.Error(), `reading rows of view "order_view": `) {
					t.Errorf("got %v, want %s", err, c.want)
				}
				if f.closed != 1 {
					t.Errorf("rows closed %d times", f.closed)
				}
			})
		})
	}
}

// TestInvalidType: a column without an Arrow type is refused before a row is read.
func TestInvalidType(t *testing.T) {
	s := row.Schema{Columns: []row.Column{
		{Name: "odd"},
		{Name: "wide", Type: row.Type{Kind: row.Decimal, Precision: 80}},
	}}
	eachReader(t, func(t *testing.T, open openFunc) {
		f := &fake{rows: []row.Row{{nil, nil}}}
		rd := open(context.Background(), s, f, 4)
		defer rd.Release()
		if rd.Next() || rd.Err() == nil || !strings.Contains(rd.Err().Error(), `column "odd"`) {
			t.Error(rd.Err())
		}
		if f.at != 0 || f.closed != 1 {
			t.Errorf("%d rows read, closed %d times", f.at, f.closed)
		}
	})
}

// TestCancelled: a context that ends stops the reader within rowsPerCheck rows, with
// its cause, and one already over gives no row.
func TestCancelled(t *testing.T) {
	eachReader(t, func(t *testing.T, open openFunc) {
		for _, at := range []int{0, 10, 3000} {
			ctx, cancel := context.WithCancelCause(context.Background())
			cause := errors.New("the user left")
			f := &fake{rows: numbered(20_000), onNext: func(i int) {
				if i == at {
					cancel(cause)
				}
			}}
			if at == 0 {
				cancel(cause)
			}
			rd := open(ctx, schemaOf("bigint", "text"), f, 100)
			for rd.Next() {
				if rd.Record().NumRows() != 100 {
					t.Error("a short batch")
				}
			}
			if !errors.Is(rd.Err(), cause) || f.at > at+rowsPerCheck || f.closed != 1 {
				t.Errorf("at %d: read %d, closed %d times, %v", at, f.at, f.closed, rd.Err())
			}
			rd.Release()
		}
	})
}
