package row

import (
	"math"
	"math/big"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/internal/civil"
)

// hostile are texts that have broken key encodings before: empty, NULs, JSON's own
// words, quotes, and characters beside the ones that encodings use.
var hostile = []string{
	"", "\x00", "\x00\x00", "a\x00", "a\x00b", "a\x00\x01", "a\x01", "null", "*", "[]", "[1,2]",
	`"`, `"quoted"`, `\`, `\u0000`, "true", "0", "-1", "1e3", "NaN", "a b", " ", "\n", "\u2028",
	"é", "e\u0301", "日本", "😀", "\uffff", "\U0010ffff", "a/b", "~hb:", "<&>", "\x7f", "\x1f",
}

// genType draws a column type.
func genType(t *rapid.T) Type {
	k := Kind(rapid.IntRange(int(Bigint), int(JSON)).Draw(t, "kind"))
	if k != Decimal || rapid.Bool().Draw(t, "free") {
		return Type{Kind: k}
	}
	p := rapid.IntRange(1, maxPrecision).Draw(t, "precision")
	return Type{Kind: k, Precision: p,
		Scale: rapid.IntRange(0, min(p, maxScale)).Draw(t, "scale")}
}

// genValue draws a value of type typ in its one form, never null.
func genValue(t *rapid.T, typ Type) Value {
	switch typ.Kind {
	case Bigint:
		return rapid.OneOf(rapid.Int64(), rapid.Int64Range(-3, 3),
			rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64})).Draw(t, "bigint")
	case Double:
		return canonicalFloat(rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{
			0, 1, -1, 0.1, 1e21, 1e-7, -1e-7, 123456789012, math.MaxFloat64,
			math.SmallestNonzeroFloat64, math.Inf(1), math.Inf(-1), math.NaN(),
		})).Draw(t, "double"))
	case Decimal:
		return genDecimal(t, typ)
	case Text:
		return rapid.OneOf(rapid.String(), rapid.SampledFrom(hostile)).Draw(t, "text")
	case Boolean:
		return rapid.Bool().Draw(t, "boolean")
	case Timestamp:
		return timeline.Time(rapid.OneOf(rapid.Int64Range(civil.MinMicros, civil.MaxMicros),
			rapid.Int64Range(-2_000_000, 2_000_000),
			rapid.SampledFrom([]int64{civil.MinMicros, civil.MaxMicros, 0, -1, 1000}),
		).Draw(t, "timestamp"))
	case Date:
		return Days(rapid.OneOf(rapid.IntRange(civil.MinDays, civil.MaxDays),
			rapid.IntRange(-400, 400)).Draw(t, "date"))
	case Bytes:
		return rapid.SliceOf(rapid.SampledFrom([]byte{0, 1, 2, 'a', 0xFE, 0xFF})).Draw(t, "bytes")
	}
	return Document(rapid.SampledFrom([]string{
		`1`, `0.10`, `-1e5`, `"a"`, `"null"`, `"\u0000\n\"\\"`, `true`, `[]`, `[1,[2]]`, `{}`,
		`{"b":1,"a":[null,false]}`, `{"":"日本"}`,
	}).Draw(t, "json"))
}

func genDecimal(t *rapid.T, typ Type) Value {
	digits := typ.Precision
	if digits == 0 {
		digits = 45
	}
	digits = rapid.IntRange(1, digits).Draw(t, "digits")
	n := new(big.Int)
	for range digits {
		n.Mul(n, big.NewInt(10))
		n.Add(n, big.NewInt(int64(rapid.SampledFrom([]int{0, 0, 0, 1, 5, 9}).Draw(t, "digit"))))
	}
	if rapid.Bool().Draw(t, "negative") {
		n.Neg(n)
	}
	scale := typ.Scale
	if typ.Precision == 0 {
		scale = rapid.IntRange(-5, 40).Draw(t, "exp")
	}
	d, err := FitDecimal(typ, decimal.NewFromBigInt(n, int32(-scale)))
	if err != nil {
		t.Fatalf("fitting %s to %s: %v", n, typ, err)
	}
	return d
}

// genNullable draws null now and then.
func genNullable(t *rapid.T, typ Type) Value {
	if rapid.IntRange(0, 5).Draw(t, "null") == 0 {
		return nil
	}
	return genValue(t, typ)
}

func genTypes(t *rapid.T, least, most int) []Type {
	types := make([]Type, rapid.IntRange(least, most).Draw(t, "columns"))
	for i := range types {
		types[i] = genType(t)
	}
	return types
}

func genVals(t *rapid.T, types []Type, gen func(*rapid.T, Type) Value) []Value {
	vals := make([]Value, len(types))
	for i, typ := range types {
		vals[i] = gen(t, typ)
	}
	return vals
}

func compareVals(a, b []Value) int {
	for i := range min(len(a), len(b)) {
		if c := Compare(a[i], b[i]); c != 0 {
			return c
		}
	}
	return compareBools(len(a) > len(b), len(b) > len(a))
}
