//go:build outside

package arrow

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/row"
)

// TestOutsideReaders writes each format and lets pyarrow, DuckDB and polars judge the
// types, the values, the metadata and the statistics. TIDELINE_PYTHON names a Python
// that has pyarrow, duckdb, polars, pandas and pytz.
func TestOutsideReaders(t *testing.T) {
	python := os.Getenv("TIDELINE_PYTHON")
	if python == "" {
		t.Fatal("TIDELINE_PYTHON must name a Python with pyarrow, duckdb and polars")
	}
	dir := t.TempDir()
	s := schemaOf(outsideTypes...)
	writeAll(t, dir, "values", s, outsideRows())
	writeAll(t, dir, "empty", s, nil)
	writeAll(t, dir, "wide", schemaOf("bigint", "decimal(65,30)"), wideRows())
	writeAll(t, dir, "many", schemaOf("bigint", "decimal(12,2)", "text", "double"), manyRows())
	out, err := exec.Command(python, filepath.Join("testdata", "read.py"), dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

var outsideTypes = []string{
	"bigint", "double", "decimal(12,2)", "decimal(38,10)", "decimal(4,4)", "decimal", "text",
	"boolean", "timestamp(6)", "date", "bytes", "json", "text",
}

// outsideRows holds the borders of each type, as far as Python can say them, a row of
// nulls, and a last column that holds nothing but nulls.
func outsideRows() []row.Row {
	dec := decimal.RequireFromString
	const firstDay, lastDay, day = -719_162, 2_932_896, 86_400_000_000
	return []row.Row{
		{int64(math.MinInt64), math.Inf(-1), dec("-9999999999.99"),
			dec("-9999999999999999999999999999.9999999999"), dec("-0.9999"), dec("-1.5"),
			"", false, timeline.Time(firstDay * day), row.Days(firstDay), []byte{},
			row.Document(`null`), nil},
		{int64(0), 0.0, dec("0.00"), dec("0.0000000000"), dec("0.0000"), dec("0"), "a\x00b",
			true, timeline.Time(-1), row.Days(-1), []byte{0, 0xff}, row.Document(`{"a":[1,2]}`), nil},
		{int64(1), nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil},
		{int64(2), math.NaN(), dec("0.01"), dec("0.0000000001"), dec("0.0001"),
			dec("1234567890123456789"), "żółw 🐢", true, timeline.Time(1_700_000_000_123_456),
			row.Days(19_000), []byte("\xfe\xff"), row.Document(`"x"`), nil},
		{int64(math.MaxInt64), math.SmallestNonzeroFloat64, dec("9999999999.99"),
			dec("9999999999999999999999999999.9999999999"), dec("0.9999"), dec("0.0000000001"),
			"\U0010ffff", false, timeline.Time(lastDay*day + day - 1), row.Days(lastDay),
			[]byte{0x80}, row.Document(`1.50`), nil},
	}
}

func wideRows() []row.Row {
	var out []row.Row
	for i, d := range []string{
		"99999999999999999999999999999999999.999999999999999999999999999999",
		"-99999999999999999999999999999999999.999999999999999999999999999999",
		"0.000000000000000000000000000001", "-0.000000000000000000000000000001",
	} {
		out = append(out, row.Row{int64(i), decimal.RequireFromString(d)})
	}
	return append(out, row.Row{int64(9), nil})
}

// manyRows fills two row groups and many pages, in an order that gives row groups
// different statistics.
func manyRows() []row.Row {
	out := make([]row.Row, groupRows+100_000)
	for i := range out {
		n := int64(i) - 1_000_000
		out[i] = row.Row{n, decimal.New(n*17, -2), fmt.Sprintf("k%07d", i), float64(n) / 8}
		if i%10 == 3 {
			out[i][1], out[i][2], out[i][3] = nil, nil, nil
		}
	}
	return out
}

// writeAll writes rows to name.arrow, .arrows and .parquet and, unless they are too
// many, what must be read to name.json.
func writeAll(t *testing.T, dir, name string, s row.Schema, rows []row.Row) {
	t.Helper()
	for ext := range writers {
		rd := NewEncodedReader(context.Background(), checked(t), s, testMeta(),
			&fake{rows: rows}, 0)
		_, err := WriteFile(context.Background(), filepath.Join(dir, name+ext), rd, nil)
		rd.Release()
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(rows) > 1000 {
		return
	}
	want := make([][]*string, len(rows))
	for i, r := range rows {
		for _, v := range r {
			want[i] = append(want[i], spelt(v))
		}
	}
	b, err := json.Marshal(want)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".json"), b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// spelt gives a value in a form that no language rounds; read.py has the other half.
func spelt(v row.Value) *string {
	var s string
	switch x := v.(type) {
	case nil:
		return nil
	case float64:
		s = strconv.FormatFloat(x, 'x', -1, 64)
	case timeline.Time:
		s = strconv.FormatInt(int64(x), 10)
	case []byte:
		s = hex.EncodeToString(x)
	case decimal.Decimal:
		s = x.String()
	default:
		s = fmt.Sprint(x)
	}
	return &s
}
