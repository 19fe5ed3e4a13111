package arrow

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/big"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/file"
	"github.com/apache/arrow/go/v15/parquet/pqarrow"
	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/row"
)

var allTypes = []string{
	"bigint", "double", "decimal(12,2)", "decimal(38,10)", "decimal(4,4)", "decimal(65,30)",
	"decimal(18,0)", "decimal(19,0)", "decimal", "text", "boolean", "timestamp(6)", "date",
	"bytes", "json",
}

// genValue draws a value of a type, its borders included.
func genValue(t row.Type) *rapid.Generator[row.Value] {
	return rapid.Custom(func(rt *rapid.T) row.Value {
		switch t.Kind {
		case row.Bigint:
			return rapid.Int64().Draw(rt, "bigint")
		case row.Double:
			return rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{
				0, math.NaN(), math.Inf(1), math.Inf(-1), math.SmallestNonzeroFloat64,
			})).Draw(rt, "double")
		case row.Decimal:
			return genDecimal(t).Draw(rt, "decimal")
		case row.Text:
			return rapid.String().Draw(rt, "text")
		case row.Boolean:
			return rapid.Bool().Draw(rt, "boolean")
		case row.Timestamp:
			return timeline.Time(rapid.Int64().Draw(rt, "timestamp"))
		case row.Date:
			return row.Days(rapid.Int32().Draw(rt, "date"))
		case row.Bytes:
			return rapid.SliceOf(rapid.Byte()).Draw(rt, "bytes")
		}
		return row.Document(fmt.Sprintf(`{"a":%d}`, rapid.Int().Draw(rt, "json")))
	})
}

// genDecimal draws decimals that fit t's Arrow type, near its borders often.
func genDecimal(t row.Type) *rapid.Generator[decimal.Decimal] {
	digits, scale := decimalShape(t)
	return rapid.Custom(func(rt *rapid.T) decimal.Decimal {
		n := rapid.IntRange(1, digits).Draw(rt, "digits")
		limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
		c := new(big.Int).Sub(limit, big.NewInt(1))
		if rapid.Bool().Draw(rt, "inner") {
			c.SetBytes(rapid.SliceOfN(rapid.Byte(), 1, 28).Draw(rt, "bits"))
			c.Mod(c, limit)
		}
		if rapid.Bool().Draw(rt, "negative") {
			c.Neg(c)
		}
		d, err := row.FitDecimal(t, decimal.NewFromBigInt(c, int32(-scale)))
		if err != nil {
			rt.Fatalf("generating: %v", err)
		}
		return d
	})
}

func genRows(rt *rapid.T, s row.Schema) []row.Row {
	out := make([]row.Row, rapid.IntRange(0, 30).Draw(rt, "rows"))
	for i := range out {
		out[i] = make(row.Row, len(s.Columns))
		for j, c := range s.Columns {
			if j == 0 || rapid.IntRange(0, 3).Draw(rt, "null") > 0 {
				out[i][j] = genValue(c.Type).Draw(rt, c.Name)
			}
		}
	}
	return out
}

// TestRoundTrip: whatever the schema, the rows, the size of a batch, the way in
// (values or bytes) and the way out, what is read back is what was put in.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		alloc := memory.NewCheckedAllocator(memory.NewGoAllocator())
		defer alloc.AssertSize(t, 0)
		s := schemaOf(rapid.SliceOfN(rapid.SampledFrom(allTypes), 1, 6).Draw(rt, "types")...)
		in := genRows(rt, s)
		batch := rapid.IntRange(0, 9).Draw(rt, "batch")
		values := rapid.Bool().Draw(rt, "values")
		for name, way := range ways {
			if name == "parquet" && (wide(s) || !encodable(s, in)) {
				continue // see TestWideDecimals
			}
			f := &fake{rows: in}
			var rd *Reader
			if values {
				rd = NewReader(context.Background(), alloc, s, testMeta(), f, batch)
			} else {
				rd = NewEncodedReader(context.Background(), alloc, s, testMeta(), f, batch)
			}
			out, err := way(alloc, s, rd)
			rd.Release()
			if err != nil {
				rt.Fatalf("%s: %v", name, err)
			}
			if err := sameRows(out, in); err != nil {
				rt.Fatalf("%s: %v", name, err)
			}
			if f.closed != 1 {
				rt.Fatalf("%s: rows closed %d times", name, f.closed)
			}
		}
	})
}

func wide(s row.Schema) bool {
	return slices.ContainsFunc(s.Columns, func(c row.Column) bool {
		return c.Type.Precision > maxDigits128
	})
}

// encodable tells whether this build of the Arrow library can write rows as Parquet. Its
// assertions (tag assert) fail on the empty dictionary of a column that holds nothing but
// nulls, which it goes on to write correctly without them.
func encodable(s row.Schema, rows []row.Row) bool {
	for i := range s.Columns {
		hasValue := func(r row.Row) bool { return r[i] != nil }
		if asserting && len(rows) > 0 && !slices.ContainsFunc(rows, hasValue) {
			return false
		}
	}
	return true
}

// TestWideDecimals reads decimals above 38 digits from Parquet by hand, as big-endian
// two's complement, because the library's own reader (v15) gets negative ones wrong.
func TestWideDecimals(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := schemaOf("bigint", "decimal(65,30)")
		in := genRows(rt, s)
		if !encodable(s, in) {
			return
		}
		var buf bytes.Buffer
		rd := NewReader(context.Background(), memory.DefaultAllocator, s, testMeta(),
			&fake{rows: in}, 0)
		defer rd.Release()
		if _, err := WriteParquet(context.Background(), &buf, rd, nil); err != nil {
			rt.Fatal(err)
		}
		f, err := file.NewParquetReader(bytes.NewReader(buf.Bytes()))
		if err != nil {
			rt.Fatal(err)
		}
		got := make([]parquet.FixedLenByteArray, len(in))
		levels := make([]int16, len(in))
		if len(in) > 0 {
			col, err := f.RowGroup(0).Column(1)
			if err != nil {
				rt.Fatal(err)
			}
			_, _, err = col.(*file.FixedLenByteArrayColumnChunkReader).ReadBatch(
				int64(len(in)), got, levels, nil)
			if err != nil {
				rt.Fatal(err)
			}
		}
		for i, at := 0, 0; i < len(in); i++ {
			if null := levels[i] == 0; null != (in[i][1] == nil) {
				rt.Fatalf("row %d: null %v, want %v", i, null, in[i][1])
			} else if null {
				continue
			}
			if d := decimal.NewFromBigInt(signed(got[at]), -30); !row.Equal(d, in[i][1]) {
				rt.Fatalf("row %d: %v, want %v", i, d, in[i][1])
			}
			at++
		}
	})
}

// signed reads big-endian two's complement.
func signed(b []byte) *big.Int {
	n := new(big.Int).SetBytes(b)
	if b[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n
}

// ways are the ways out and back in, by name.
var ways = map[string]func(memory.Allocator, row.Schema, *Reader) ([]row.Row, error){
	"records": func(_ memory.Allocator, s row.Schema, rd *Reader) ([]row.Row, error) {
		return collect(s, rd)
	},
	"stream": func(alloc memory.Allocator, s row.Schema, rd *Reader) ([]row.Row, error) {
		var buf bytes.Buffer
		if _, err := WriteIPCStream(context.Background(), &buf, rd, nil); err != nil {
			return nil, err
		}
		in, err := ipc.NewReader(&buf, ipc.WithAllocator(alloc))
		if err != nil {
			return nil, err
		}
		defer in.Release()
		if !in.Schema().Equal(rd.Schema()) {
			return nil, fmt.Errorf("schema came back as %v", in.Schema())
		}
		return collect(s, in)
	},
	"file": func(alloc memory.Allocator, s row.Schema, rd *Reader) ([]row.Row, error) {
		var buf bytes.Buffer
		if _, err := WriteIPCFile(context.Background(), &buf, rd, nil); err != nil {
			return nil, err
		}
		in, err := ipc.NewFileReader(bytes.NewReader(buf.Bytes()), ipc.WithAllocator(alloc))
		if err != nil {
			return nil, err
		}
		defer in.Close()
		var out []row.Row
		for i := range in.NumRecords() {
			rec, err := in.Record(i)
			if err != nil {
				return nil, err
			}
			out = append(out, rowsOf(s, rec)...)
		}
		return out, nil
	},
	"parquet": func(_ memory.Allocator, s row.Schema, rd *Reader) ([]row.Row, error) {
		var buf bytes.Buffer
		if _, err := WriteParquet(context.Background(), &buf, rd, nil); err != nil {
			return nil, err
		}
		return readParquet(s, buf.Bytes())
	},
}

func collect(s row.Schema, rd array.RecordReader) ([]row.Row, error) {
	var out []row.Row
	for rd.Next() {
		out = append(out, rowsOf(s, rd.Record())...)
	}
	return out, rd.Err()
}

// readParquet uses an allocator of its own, since v15's reader forgets pages.
func readParquet(s row.Schema, b []byte) ([]row.Row, error) {
	alloc := memory.NewGoAllocator()
	props := parquet.NewReaderProperties(alloc)
	f, err := file.NewParquetReader(bytes.NewReader(b), file.WithReadProps(props))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{}, alloc)
	if err != nil {
		return nil, err
	}
	table, err := in.ReadTable(context.Background())
	if err != nil {
		return nil, err
	}
	defer table.Release()
	records := array.NewTableReader(table, 0)
	defer records.Release()
	return collect(s, records)
}

// TestEncodedAgrees: over bytes of any kind, the short way over the bytes and the long
// way over row.DecodeRow give the same records, and refuse the same rows.
func TestEncodedAgrees(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		alloc := memory.NewCheckedAllocator(memory.NewGoAllocator())
		defer alloc.AssertSize(t, 0)
		s := schemaOf(rapid.SliceOfN(rapid.SampledFrom(allTypes), 1, 4).Draw(rt, "types")...)
		b := genBytes(rt, s)
		fast, fastErr := one(alloc, s, func(c []column) error { return appendEncoded(c, b) })
		values, err := row.DecodeRow(b)
		if err != nil {
			return // not written by AppendRow: enough that nothing panicked
		}
		slow, slowErr := one(alloc, s, func(c []column) error {
			_, err := appendRow(c, values)
			return err
		})
		if (fastErr == nil) != (slowErr == nil) {
			rt.Fatalf("bytes: %v, values: %v", fastErr, slowErr)
		}
		if err := sameRows(fast, slow); err != nil {
			rt.Fatal(err)
		}
	})
}

// genBytes draws an encoded row of s, of another schema, or a spoilt one.
func genBytes(rt *rapid.T, s row.Schema) []byte {
	if rapid.IntRange(0, 3).Draw(rt, "other") == 0 {
		s = schemaOf(rapid.SliceOfN(rapid.SampledFrom(allTypes), 0, 5).Draw(rt, "others")...)
	}
	r := make(row.Row, len(s.Columns))
	for i, c := range s.Columns {
		if rapid.IntRange(0, 4).Draw(rt, "null") > 0 {
			r[i] = genValue(c.Type).Draw(rt, "value")
		}
	}
	b := row.AppendRow(nil, r)
	switch rapid.IntRange(0, 3).Draw(rt, "spoil") {
	case 0:
		b = b[:rapid.IntRange(0, len(b)).Draw(rt, "cut")]
	case 1:
		if len(b) > 0 {
			b[rapid.IntRange(0, len(b)-1).Draw(rt, "at")] = rapid.Byte().Draw(rt, "byte")
		}
	}
	return b
}

// one appends a row to fresh columns and reads it back.
func one(
	alloc memory.Allocator, s row.Schema, appendTo func([]column) error,
) ([]row.Row, error) {
	rd := NewReader(context.Background(), alloc, s, testMeta(), &fake{}, 1)
	defer rd.Release()
	if err := appendTo(rd.columns); err != nil {
		return nil, err
	}
	rec := rd.builder.NewRecord()
	defer rec.Release()
	return rowsOf(s, rec), nil
}
