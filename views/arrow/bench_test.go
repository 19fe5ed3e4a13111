package arrow

import (
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/shopspring/decimal"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/row"
)

// benchRows is the six columns of an ordinary view, a tenth of the last null.
func benchRows() (row.Schema, [][]byte) {
	const n = 1 << 14
	s := schemaOf("bigint", "bigint", "text", "text", "decimal(12,2)", "timestamp(6)")
	encoded := make([][]byte, n)
	for i := range encoded {
		r := row.Row{
			int64(i) * 7919, int64(i % 1000), "shipped", fmt.Sprintf("customer %d", i%5000),
			decimal.New(int64(i)*31, -2), timeline.FromMillis(1_700_000_000_000 + int64(i)),
		}
		if i%10 == 0 {
			r[5] = nil
		}
		encoded[i] = row.AppendRow(nil, r)
	}
	return s, encoded
}

// cycle gives stored rows over and over until it has given left of them.
type cycle struct {
	encoded [][]byte
	left    int
	row     row.Row
}

// Next does what a caller must who has no use for NextEncoded.
func (c *cycle) Next() (r row.Row, ok bool, err error) {
	b, ok, _ := c.NextEncoded()
	if ok {
		c.row, err = row.DecodeRowInto(c.row, b)
	}
	return c.row, ok, err
}

func (c *cycle) NextEncoded() ([]byte, bool, error) {
	if c.left--; c.left < 0 {
		return nil, false, nil
	}
	return c.encoded[c.left%len(c.encoded)], true, nil
}

func (c *cycle) Close() error { return nil }

// BenchmarkWrite writes six columns; one operation is one row.
func BenchmarkWrite(b *testing.B) {
	s, encoded := benchRows()
	for _, format := range []struct {
		name  string
		write writeFunc
	}{{"ipc", WriteIPCStream}, {"parquet", WriteParquet}} {
		for _, way := range []string{"bytes", "values"} {
			b.Run(format.name+"/"+way, func(b *testing.B) {
				b.ReportAllocs()
				src := &cycle{encoded: encoded, left: b.N}
				alloc, ctx := memory.NewGoAllocator(), context.Background()
				rd := NewReader(ctx, alloc, s, testMeta(), src, 0)
				if way == "bytes" {
					rd.Release()
					rd = NewEncodedReader(ctx, alloc, s, testMeta(), src, 0)
				}
				defer rd.Release()
				if _, err := format.write(ctx, io.Discard, rd, nil); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			})
		}
	}
}
