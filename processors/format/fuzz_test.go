package format

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/shopspring/decimal"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/row"
)

var everyType = []string{"id text", "n bigint", "x double", "d decimal(12,2)", "e decimal",
	"b boolean", "t timestamp", "day date", "raw bytes", "doc json"}

// check holds F1, F2 and F4 for one record: used and fresh decoders agree, errors are
// *Error with a reason, rows are of their types and survive encoding.
func check(t *testing.T, used, fresh Decoder, s row.Schema, r Record) {
	ch, err := used.Decode(r)
	got := outcome(s, ch, err)
	if err != nil {
		var e *Error
		if !errors.As(err, &e) || e.Reason == "" || e.Err == nil || ch.Kind != 0 {
			t.Fatalf("bad error: %s, %+v", got, ch)
		}
	}
	if ch.Kind == Upsert {
		for i, v := range ch.Row {
			if !fits(s.Columns[i].Type.Kind, v) {
				t.Fatalf("column %s holds a %T", s.Columns[i].Name, v)
			}
		}
		b := row.AppendRow(nil, ch.Row)
		back, err := row.DecodeRow(b)
		if err != nil || string(row.AppendRow(nil, back)) != string(b) {
			t.Fatalf("%s does not survive encoding: %v", got, err)
		}
	}
	for _, v := range ch.Key {
		if v == nil {
			t.Fatalf("null key column: %s", got)
		}
	}
	again, err := fresh.Decode(r)
	if other := outcome(s, again, err); other != got {
		t.Fatalf("a fresh decoder differs:\n%s\n%s", other, got)
	}
}

func fits(k row.Kind, v row.Value) bool {
	switch v.(type) {
	case nil:
		return true
	case int64:
		return k == row.Bigint
	case float64:
		return k == row.Double
	case decimal.Decimal:
		return k == row.Decimal
	case string:
		return k == row.Text
	case bool:
		return k == row.Boolean
	case timeline.Time:
		return k == row.Timestamp
	case row.Days:
		return k == row.Date
	case []byte:
		return k == row.Bytes
	case row.Document:
		return k == row.JSON
	}
	return false
}

func fuzz(f *testing.F, s row.Schema, construct func(Options) (Decoder, error)) {
	used, err := construct(Options{Schema: s})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, key, value []byte, null bool) {
		if null {
			value = nil
		}
		fresh, _ := construct(Options{Schema: s})
		check(t, used, fresh, s, Record{Key: key, Value: value, Timestamp: at})
	})
}

func FuzzJSON(f *testing.F) {
	for _, v := range []string{`{}`, `{"id":"k","n":1,"x":1.5,"d":1.25,"e":1e3,"b":true}`,
		`{"t":"2023-11-14T22:13:20.5Z","day":"2024-02-29","raw":"3q2+7w==","doc":[1,{"a":"\u0000"}]}`,
		`{"t":1,"day":1,"e":1e999999999,"x":1e999,"n":9223372036854775808}`, `{"x":nan,"e":-inf}`,
		`{"doc":"\ud800"}`, `{"e":0e-99999}`, `{"d":"-0.00"}`} {
		f.Add([]byte("k"), []byte(v), false)
	}
	f.Add([]byte(""), []byte(nil), true)
	fuzz(f, mustSchema(1, everyType...), NewJSON)
}

func FuzzDebezium(f *testing.F) {
	for _, v := range []string{`{"d":"BBo=","e":{"scale":9,"value":"AQ=="},"x":"NaN"}`,
		`{"id":"k","n":1,"b":1,"t":1700000000000001,"day":3,"raw":"AQ==","doc":"{\"a\":1}"}`} {
		f.Add([]byte(`{"id":"k"}`), []byte(envelope("c", v, pgSource)), false)
		f.Add([]byte(`{"id":"k"}`), []byte(embedded(`{"type":"bytes","name":"`+connectDecimal+
			`","field":"d"}`, envelope("u", v, binlogRow))), false)
	}
	seen := map[string]bool{}
	for n, line := range recording(f, "pg-schema") {
		if !seen[line.Topic] {
			seen[line.Topic] = true
			r := line.record(n)
			f.Add(r.Key, r.Value, false)
		}
	}
	fuzz(f, mustSchema(1, everyType...), NewDebezium)
}

// TestRoundTrip: a row written as JSON decodes to itself, whatever the order of fields.
func TestRoundTrip(t *testing.T) {
	s := mustSchema(1, everyType...)
	d, _ := NewJSON(Options{Schema: s})
	rapid.Check(t, func(t *rapid.T) {
		null := func(v row.Value) row.Value {
			if rapid.Bool().Draw(t, "null") {
				return nil
			}
			return v
		}
		r := row.Row{
			rapid.String().Draw(t, "id"), null(rapid.Int64().Draw(t, "n")),
			null(rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64).Draw(t, "x")),
			null(decimal.New(rapid.Int64Range(-1e12+1, 1e12-1).Draw(t, "d"), -2)),
			null(decimal.New(rapid.Int64Range(-1e9, 1e9).Draw(t, "e")*10+1, -3)),
			null(rapid.Bool().Draw(t, "b")),
			null(timeline.Time(rapid.Int64Range(-1e16, 1e17).Draw(t, "t"))),
			null(row.Days(rapid.Int32Range(-7e5, 2e6).Draw(t, "day"))),
			null(rapid.SliceOf(rapid.Byte()).Draw(t, "raw")),
			null(row.Document(fmt.Sprintf(`{"a":[%d]}`, rapid.Int().Draw(t, "doc")))),
		}
		order := rapid.Permutation([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}).Draw(t, "order")
		cols, vals := make([]row.Column, len(order)), make(row.Row, len(order))
		for i, j := range order {
			cols[i], vals[i] = s.Columns[j], r[j]
		}
		value := row.AppendRowJSON(nil, cols, vals, func(int) bool { return false })
		ch, err := d.Decode(Record{Key: []byte(row.KeyText(r[:1])), Value: value, Timestamp: at})
		if err != nil {
			t.Fatalf("%s: %v", value, err)
		}
		for i := range r {
			if !row.Equal(r[i], ch.Row[i]) {
				t.Fatalf("column %s: %v became %v", s.Columns[i].Name, r[i], ch.Row[i])
			}
		}
	})
}
