package row

import (
	"bytes"
	"cmp"
	"errors"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"github.com/tideline/tideline/timeline"
)

func TestKeyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		types := genTypes(t, 1, 3)
		a, b := genVals(t, types, genNullable), genVals(t, types, genNullable)
		shared := rapid.IntRange(0, len(types)).Draw(t, "shared")
		copy(b, a[:shared])
		ka, kb := AppendKey(nil, a...), AppendKey(nil, b...)
		if got, want := bytes.Compare(ka, kb), compareVals(a, b); got != want {
			t.Fatalf("keys of %v and %v compare %d, want %d\n%x\n%x", a, b, got, want, ka, kb)
		}
		if !bytes.HasPrefix(ka, AppendKey(nil, a[:shared]...)) {
			t.Fatalf("the key of %v is not a prefix of that of %v", a[:shared], a)
		}
		if Compare(a[0], b[0]) != -Compare(b[0], a[0]) {
			t.Fatalf("comparing %v and %v is not antisymmetric", a[0], b[0])
		}
	})
}

func TestKeyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		vals := genVals(t, genTypes(t, 0, 4), genNullable)
		b := AppendKey(nil, vals...)
		got, err := DecodeKey(b)
		if err != nil || len(got) != len(vals) || compareVals(got, vals) != 0 {
			t.Fatalf("%v came back as %v, %v", vals, got, err)
		}
		if KeyText(got) != KeyText(vals) {
			t.Fatalf("%q came back as %q", KeyText(vals), KeyText(got))
		}
	})
}

func TestKeyDecimalsOfOtherScale(t *testing.T) {
	ordered := []string{"-100.5", "-100", "-10", "-9.99", "-0.001", "0", "0.0009", "0.5", "0.50",
		"0.51", "9", "10", "10.0", "99", "100", "12345678901234567890123", "1e30"}
	for i := range ordered[1:] {
		a, b := decimal.RequireFromString(ordered[i]), decimal.RequireFromString(ordered[i+1])
		if bytes.Compare(AppendKey(nil, a), AppendKey(nil, b)) >= 0 {
			t.Errorf("key of %s is not below that of %s", a, b)
		}
	}
}

func FuzzDecodeKey(f *testing.F) {
	for _, v := range samples {
		f.Add(AppendKey(nil, v, int64(1)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		vals, err := DecodeKey(b)
		if err != nil {
			return
		}
		if again := AppendKey(nil, vals...); !bytes.Equal(again, b) {
			t.Fatalf("%x decodes to %v, which encodes as %x", b, vals, again)
		}
	})
}

func TestKeyText(t *testing.T) {
	big, text := Type{Kind: Bigint}, Type{Kind: Text}
	money := Type{Kind: Decimal, Precision: 12, Scale: 2}
	for _, c := range []struct {
		types []Type
		vals  []Value
		want  string
	}{
		{nil, nil, "*"},
		{[]Type{big}, []Value{int64(-42)}, "-42"},
		{[]Type{text}, []Value{"*"}, "*"},
		{[]Type{text}, []Value{"null"}, "null"},
		{[]Type{text}, []Value{""}, ""},
		{[]Type{text}, []Value{"a\x00\"b"}, "a\x00\"b"},
		{[]Type{money}, []Value{decimal.New(150, -2)}, "1.50"},
		{[]Type{money}, []Value{decimal.New(-5, -2)}, "-0.05"},
		{[]Type{{Kind: Boolean}}, []Value{true}, "true"},
		{[]Type{{Kind: Double}}, []Value{1e21}, "1e+21"},
		{[]Type{{Kind: Timestamp}}, []Value{timeline.Time(1714564800000000)},
			"2024-05-01T12:00:00.000000Z"},
		{[]Type{{Kind: Date}}, []Value{Days(19844)}, "2024-05-01"},
		{[]Type{{Kind: Bytes}}, []Value{[]byte{0, 255}}, "AP8="},
		{[]Type{{Kind: JSON}}, []Value{Document(`{"a":1}`)}, `{"a":1}`},
		{[]Type{big, text, money, {Kind: Boolean}},
			[]Value{int64(1), "a\x00\"\\\n日<", decimal.New(150, -2), false},
			`[1,"a\u0000\"\\\n日<",1.50,false]`},
		{[]Type{{Kind: Timestamp}, {Kind: Date}, {Kind: Bytes}, {Kind: JSON}},
			[]Value{timeline.Time(1714564800123456), Days(0), []byte{}, Document(`["x"]`)},
			`["2024-05-01T12:00:00.123456Z","1970-01-01","","[\"x\"]"]`},
	} {
		if got := KeyText(c.vals); got != c.want {
			t.Errorf("KeyText(%v) = %q, want %q", c.vals, got, c.want)
		}
		back, err := ParseKeyText(c.types, c.want)
		if err != nil || compareVals(back, c.vals) != 0 {
			t.Errorf("ParseKeyText(%q) = %v, %v", c.want, back, err)
		}
	}
}

func TestKeyTextRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		types := genTypes(t, 0, 4)
		vals := genVals(t, types, genValue)
		text := KeyText(vals)
		got, err := ParseKeyText(types, text)
		if err != nil || compareVals(got, vals) != 0 {
			t.Fatalf("%v of %v is %q, which reads as %v, %v", vals, types, text, got, err)
		}
		if !bytes.Equal(AppendRow(nil, got), AppendRow(nil, vals)) {
			t.Fatalf("%v came back in another form", vals)
		}
		other := genVals(t, types, genValue)
		if (KeyText(other) == text) != (compareVals(other, vals) == 0) {
			t.Fatalf("%v and %v: %q and %q", vals, other, text, KeyText(other))
		}
	})
}

func TestParseKeyTextTolerates(t *testing.T) {
	types := []Type{{Kind: Bigint}, {Kind: Text}}
	got, err := ParseKeyText(types, " [ \"7\" ,\n\"x\\u00e9\" ] ")
	if err != nil || compareVals(got, []Value{int64(7), "xé"}) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestParseKeyTextRefuses(t *testing.T) {
	big, text := Type{Kind: Bigint}, Type{Kind: Text}
	for _, c := range []struct {
		types []Type
		text  string
		want  string
	}{
		{nil, "", `want "*"`},
		{[]Type{big}, "007", "plain decimal digits"},
		{[]Type{big}, "-0", "plain decimal digits"},
		{[]Type{big}, "+7", "plain decimal digits"},
		{[]Type{big}, "", "plain decimal digits"},
		{[]Type{big}, "-", "plain decimal digits"},
		{[]Type{big}, "9223372036854775808", "plain decimal digits"},
		{[]Type{big}, "null", "null in a key"},
		{[]Type{text}, "\xff", "as text: not valid UTF-8"},
		{[]Type{{Kind: Decimal, Precision: 4, Scale: 2}}, "1.234", "does not fit decimal(4,2)"},
		{[]Type{{Kind: Boolean}}, "1", "want true or false"},
		{[]Type{{Kind: JSON}}, "{", "not JSON"},
		{[]Type{big, text}, "1", "want a JSON array of 2 key columns"},
		{[]Type{big, text}, "[1]", "has 1 elements"},
		{[]Type{big, text}, `["x","y"]`, "key column 1 (bigint)"},
		{[]Type{big, text}, `[1,null]`, "key column 2 (text): null in a key"},
		{[]Type{big, text}, "[1,\"\xff\"]", "not valid UTF-8"},
	} {
		_, err := ParseKeyText(c.types, c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q as %v: got %v, want %q", c.text, c.types, err, c.want)
		}
		if isNull := strings.Contains(c.want, "null in"); errors.Is(err, ErrNullKey) != isNull {
			t.Errorf("%q: ErrNullKey is %v", c.text, !isNull)
		}
	}
}

func FuzzParseKeyText(f *testing.F) {
	for _, s := range append([]string{`[1,"a",1.50,true]`, "1e5000", "2024-05-01"}, hostile...) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		sets := [][]Type{nil, {{Kind: Bigint}, {Kind: Text}, {Kind: JSON}}}
		for k := Bigint; k <= JSON; k++ {
			sets = append(sets, []Type{{Kind: k}}, []Type{{Kind: k}, {Kind: k}})
		}
		for _, types := range sets {
			vals, err := ParseKeyText(types, text)
			if err != nil {
				continue
			}
			again, err := ParseKeyText(types, KeyText(vals))
			if err != nil || compareVals(vals, again) != 0 {
				t.Fatalf("%q as %v: %v, then %v, %v", text, types, vals, again, err)
			}
		}
	})
}

func TestCompareKinds(t *testing.T) {
	for i, a := range samples {
		for j, b := range samples {
			if c := Compare(a, b); (c == 0) != Equal(a, b) || c != -Compare(b, a) {
				t.Errorf("comparing %v and %v: %d", a, b, c)
			}
			if a == nil && b != nil && Compare(a, b) != -1 {
				t.Errorf("null is not before %v", b)
			}
			ka, kb := AppendKey(nil, a), AppendKey(nil, b)
			if cmp.Compare(bytes.Compare(ka, kb), 0) != Compare(a, b) {
				t.Errorf("samples %d and %d: keys do not compare as values", i, j)
			}
		}
	}
}
