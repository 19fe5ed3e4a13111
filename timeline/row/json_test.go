package row

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/valyala/fastjson"
	"pgregory.net/rapid"

	"github.com/tideline/tideline/timeline"
)

func mustType(t *testing.T, s string) Type {
	t.Helper()
	typ, err := ParseType(s)
	if err != nil {
		t.Fatal(err)
	}
	return typ
}

func TestParseJSON(t *testing.T) {
	noon := timeline.Time(1714564800000000)
	for _, c := range []struct {
		typ, text string
		want      Value
	}{
		{"bigint", `7`, int64(7)}, {"bigint", `-7.0`, int64(-7)}, {"bigint", `1e3`, int64(1000)},
		{"bigint", `"9223372036854775807"`, int64(9223372036854775807)},
		{"bigint", `9223372036854775807.000`, int64(9223372036854775807)},
		{"bigint", `-9223372036854775808`, int64(-9223372036854775808)},
		{"bigint", `null`, nil}, {"json", `null`, nil}, {"text", `null`, nil},
		{"double", `0.1`, 0.1}, {"double", `-0`, 0.0}, {"double", `1e-7`, 1e-7},
		{"double", `2.2250738585072011e-308`, 2.2250738585072011e-308},
		{"decimal(12,2)", `1.5`, decimal.New(150, -2)},
		{"decimal(12,2)", `"1.5000"`, decimal.New(150, -2)},
		{"decimal(12,2)", `-0.00`, decimal.New(0, -2)},
		{"decimal(12,2)", `1e3`, decimal.New(100000, -2)},
		{"decimal(4,4)", `0.1234`, decimal.New(1234, -4)},
		{"decimal(38,2)", `123456789012345678901234567890.1`,
			decimal.RequireFromString("123456789012345678901234567890.10")},
		{"decimal", `1.5000`, decimal.New(15, -1)}, {"decimal", `1e2`, decimal.New(100, 0)},
		{"decimal", `0.000`, decimal.New(0, 0)},
		{"text", `"a\u0000\n日"`, "a\x00\n日"}, {"text", `""`, ""},
		{"boolean", `true`, true}, {"boolean", `false`, false},
		{"timestamp", `"2024-05-01T14:00:00+02:00"`, noon},
		{"timestamp(6)", `"2024-05-01 12:00:00.0000019Z"`, noon + 1},
		{"timestamp", `1714564800000`, noon},
		{"date", `"2024-05-01"`, Days(19844)}, {"date", `19844`, Days(19844)},
		{"bytes", `"AP8="`, []byte{0, 255}}, {"bytes", `""`, []byte{}},
		{"json", ` { "b" : [ 1.50 , "\u00e9\u0001" ] , "a" : {} } `,
			Document(`{"b":[1.50,"é\u0001"],"a":{}}`)},
		{"json", `"x"`, Document(`"x"`)}, {"json", `12`, Document(`12`)},
		{"json", `false`, Document(`false`)},
	} {
		typ := mustType(t, c.typ)
		got, err := ParseJSON(typ, fastjson.MustParse(c.text))
		if err != nil || string(AppendRow(nil, Row{got})) != string(AppendRow(nil, Row{c.want})) {
			t.Errorf("%s from %s: got %#v, %v, want %#v", c.typ, c.text, got, err, c.want)
		}
	}
}

func TestParseJSONRefuses(t *testing.T) {
	for _, c := range []struct{ typ, text, want string }{
		{"bigint", `1.5`, `reading bigint from JSON number "1.5": not integral; want an integral`},
		{"bigint", `9223372036854775808`, "out of range"}, {"bigint", `1e5000`, "out of range"},
		{"bigint", `1e999999999`, "out of range"}, {"bigint", `"+1"`, "not decimal digits"},
		{"bigint", `"1.0"`, "not decimal digits"}, {"bigint", `true`, "from JSON true"},
		{"bigint", `"0x10"`, "not decimal digits"}, {"bigint", `"1_000"`, "not decimal digits"},
		{"bigint", `1-2`, "not a number"}, {"double", `"1.5"`, "want a number"},
		{"double", `1e400`, "out of range"}, {"double", `nan`, "not a number"},
		{"double", `inf`, "not a number"}, {"decimal(4,2)", `1.001`, "more than 2 digits"},
		{"decimal(4,2)", `100`, "does not fit decimal(4,2)"},
		{"decimal(4,2)", `"1,5"`, "not a number"}, {"decimal(4,2)", `"− 1"`, "not a number"},
		{"decimal", `1e99999999`, "out of range"}, {"decimal", `"NaN"`, "not a number"},
		{"text", `true`, "want a string"}, {"text", "\"\xff\"", "not valid UTF-8"},
		{"boolean", `1`, "want true or false"}, {"boolean", `"true"`, "want true or false"},
		{"timestamp", `"2024-05-01"`, "not a time"},
		{"timestamp", `"2024-05-01T12:00:00"`, "not a time"},
		{"timestamp", `"2023-02-29T12:00:00Z"`, "not a time"},
		{"timestamp", `1e18`, "outside the years"}, {"timestamp", `1.5`, "not integral"},
		{"timestamp", `"0000-01-01T00:00:00+01:00"`, "not a time"},
		{"date", `"2024-5-1"`, "not a date"}, {"date", `99999999999`, "outside the years"},
		{"bytes", `"?"`, "want a base64 string"}, {"bytes", `"AP9="`, "want a base64 string"},
		{"bytes", `[1]`, "from JSON array"}, {"text", `{"a":1}`, "from JSON object"},
		{"json", "[\"\xff\"]", "not valid UTF-8"}, {"json", `[1-2]`, "not a JSON number"},
		{"json", `[01]`, "not a JSON number"}, {"json", `{"a":nan}`, "not a JSON number"},
		{"json", "{\"\xff\":1}", "not valid UTF-8"}, {"json", `1.`, "not a JSON number"},
	} {
		v, err := ParseJSON(mustType(t, c.typ), fastjson.MustParse(c.text))
		if err == nil || v != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s from %s: got %v, %v, want %q", c.typ, c.text, v, err, c.want)
		}
	}
}

func TestJSONRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		typ := genType(t)
		v := genNullable(t, typ)
		text := AppendJSON(nil, v)
		var std any
		if err := json.Unmarshal(text, &std); err != nil {
			t.Fatalf("%v is written as %s: %v", v, text, err)
		}
		if s, ok := v.(string); ok && std != s {
			t.Fatalf("%q is written as %s, which reads as %q", s, text, std)
		}
		parsed, err := fastjson.ParseBytes(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseJSON(typ, parsed)
		if err != nil || string(AppendRow(nil, Row{got})) != string(AppendRow(nil, Row{v})) {
			t.Fatalf("%s %v is written as %s, which reads as %v, %v", typ, v, text, got, err)
		}
	})
}

func TestAppendRowJSON(t *testing.T) {
	cols := []Column{{Name: "id"}, {Name: `a"b`}, {Name: "note"}}
	r := Row{int64(1), decimal.New(-5, -2), nil}
	got := string(AppendRowJSON(nil, cols, r, nil))
	if want := `{"id":1,"a\"b":-0.05,"note":null}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	got = string(AppendRowJSON(nil, cols, r, func(i int) bool { return i == 0 }))
	if want := `{"a\"b":-0.05,"note":null}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := AppendJSON(nil, "a\xffb"); string(got) != "\"a\uFFFDb\"" {
		t.Errorf("invalid UTF-8 is written as %q", got)
	}
}

// TestFitDecimal compares with rational arithmetic.
func TestFitDecimal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		typ := Type{Kind: Decimal}
		if rapid.Bool().Draw(t, "declared") {
			typ.Precision = rapid.IntRange(1, 30).Draw(t, "precision")
			typ.Scale = rapid.IntRange(0, typ.Precision).Draw(t, "scale")
		}
		text := rapid.StringMatching(`-?[0-9]{1,22}(\.[0-9]{0,12}0{0,3})?([eE][+-]?[0-9])?`).
			Draw(t, "text")
		want, _ := new(big.Rat).SetString(text)
		scaled := new(big.Rat).Mul(want, new(big.Rat).SetInt(pow(typ.Scale)))
		fits := typ.Precision == 0 ||
			scaled.IsInt() && scaled.Num().CmpAbs(pow(typ.Precision)) < 0
		d, err := parseDecimal(typ, []byte(text))
		if (err == nil) != fits {
			t.Fatalf("%s as %s: %v, want it to fit: %v", text, typ, err, fits)
		}
		if err != nil {
			return
		}
		if d.Rat().Cmp(want) != 0 {
			t.Fatalf("%s as %s is %s", text, typ, d)
		}
		if typ.Precision > 0 && int(d.Exponent()) != -typ.Scale {
			t.Fatalf("%s as %s has exponent %d", text, typ, d.Exponent())
		}
		plain := string(appendDecimal(nil, d))
		if plain != d.StringFixed(-d.Exponent()) {
			t.Fatalf("%s is written as %s", d, plain)
		}
		if typ.Precision == 0 && strings.Contains(plain, ".") && strings.HasSuffix(plain, "0") {
			t.Fatalf("%s keeps zeros: %s", text, plain)
		}
	})
}

func pow(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

func FuzzParseJSON(f *testing.F) {
	for _, s := range []string{`1.50`, `"x\u0000"`, `{"a":[1,null]}`, `1e5000`, `"2024-05-01"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for k := Invalid; k <= JSON; k++ {
			v, err := fastjson.Parse(text)
			if err != nil {
				return
			}
			typ := Type{Kind: k}
			got, err := ParseJSON(typ, v)
			if err != nil || got == nil {
				continue
			}
			out := AppendJSON(nil, got)
			if !json.Valid(out) {
				t.Fatalf("%s as %s is written as %s", text, typ, out)
			}
			again, err := ParseJSON(typ, fastjson.MustParseBytes(out))
			if err != nil || !Equal(got, again) {
				t.Fatalf("%s as %s is written as %s, which reads as %v, %v", text, typ, out, again, err)
			}
			if _, err := DecodeRow(AppendRow(nil, Row{got})); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestParseType(t *testing.T) {
	for text, want := range map[string]string{
		"bigint": "bigint", " BigInt ": "bigint", "timestamp": "timestamp(6)", "json": "json",
		"timestamp(6)": "timestamp(6)", "decimal(12, 2)": "decimal(12,2)", "date": "date",
		"decimal(5)": "decimal(5,0)", "decimal": "decimal", "bytes": "bytes", "double": "double",
		"boolean": "boolean", "TEXT": "text",
	} {
		typ, err := ParseType(text)
		if err != nil || typ.String() != want {
			t.Errorf("%q: got %s, %v", text, typ, err)
		}
		if again, err := ParseType(typ.String()); err != nil || again != typ {
			t.Errorf("%s reads back as %s, %v", typ, again, err)
		}
	}
	for text, want := range map[string]string{
		"bigit": `did you mean "bigint"`, "varchar(255)": `did you mean "text"`,
		"int": `did you mean "bigint"`, "bool": `did you mean "boolean"`, "": "did you mean",
		"timestmp": `did you mean "timestamp(6)"`, "timestamp(3)": "write timestamp(6)",
		"numeric(10,2)": `did you mean "decimal"`, "decimal(12": "want decimal(precision,scale)",
		"decimal(x,2)": "want decimal(precision,scale)", "decimal(0,0)": "want a precision of",
		"decimal(66,2)": "want a precision", "decimal(2,3)": "want a precision",
	} {
		if typ, err := ParseType(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %s, %v, want %q", text, typ, err, want)
		}
	}
}

func TestFind(t *testing.T) {
	s := Schema{Columns: []Column{{Name: "ID"}, {Name: "id"}, {Name: "Name"}}}
	for name, want := range map[string]int{"id": 1, "ID": 0, "Id": 0, "name": 2, "x": -1} {
		if got := s.Find(name); got != want {
			t.Errorf("%s: got %d, want %d", name, got, want)
		}
	}
}
