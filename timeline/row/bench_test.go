package row

import (
	"testing"

	"github.com/shopspring/decimal"
	"github.com/valyala/fastjson"

	"github.com/tideline/tideline/timeline"
)

var order = Row{int64(123456), int64(98765), "shipped", decimal.New(1999900, -2),
	timeline.Time(1714564800123456), nil}

func BenchmarkAppendRow(b *testing.B) {
	b.ReportAllocs()
	var dst []byte
	for b.Loop() {
		dst = AppendRow(dst[:0], order)
	}
}

func BenchmarkDecodeRow(b *testing.B) {
	b.ReportAllocs()
	enc := AppendRow(nil, order)
	for b.Loop() {
		if _, err := DecodeRow(enc); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeRowInto(b *testing.B) {
	b.ReportAllocs()
	enc := [][]byte{AppendRow(nil, order), AppendRow(nil, append(Row{int64(777777)}, order[1:]...))}
	var r Row
	var err error
	for i := 0; b.Loop(); i++ {
		if r, err = DecodeRowInto(r, enc[i&1]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSkip(b *testing.B) {
	enc := AppendRow(nil, order)
	for b.Loop() {
		for rest := enc; len(rest) > 0; {
			n, err := Skip(rest)
			if err != nil {
				b.Fatal(err)
			}
			rest = rest[n:]
		}
	}
}

func BenchmarkAppendKey(b *testing.B) {
	for name, vals := range map[string][]Value{
		"bigint": order[:1], "text": order[2:3], "decimal": order[3:4], "three": order[:3],
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var dst []byte
			for b.Loop() {
				dst = AppendKey(dst[:0], vals...)
			}
		})
	}
}

func BenchmarkKeyText(b *testing.B) {
	for name, vals := range map[string][]Value{"bigint": order[:1], "three": order[:3]} {
		types := make([]Type, len(vals))
		for i, v := range vals {
			types[i] = Type{Kind: kindOf(v)}
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				KeyText(vals)
			}
		})
		b.Run(name+"-parse", func(b *testing.B) {
			b.ReportAllocs()
			text := KeyText(vals)
			for b.Loop() {
				if _, err := ParseKeyText(types, text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseJSON(b *testing.B) {
	for _, c := range []struct{ typ, text string }{
		{"bigint", `123456`}, {"double", `19999.25`}, {"decimal(12,2)", `19999.5`},
		{"text", `"shipped"`}, {"timestamp", `"2024-05-01T12:00:00.123456Z"`},
	} {
		b.Run(c.typ, func(b *testing.B) {
			b.ReportAllocs()
			typ, err := ParseType(c.typ)
			if err != nil {
				b.Fatal(err)
			}
			v := fastjson.MustParse(c.text)
			for b.Loop() {
				if _, err := ParseJSON(typ, v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendRowJSON(b *testing.B) {
	b.ReportAllocs()
	cols := []Column{{Name: "id"}, {Name: "customer_id"}, {Name: "status"}, {Name: "total"},
		{Name: "placed_at"}, {Name: "note"}}
	var dst []byte
	for b.Loop() {
		dst = AppendRowJSON(dst[:0], cols, order, nil)
	}
}
