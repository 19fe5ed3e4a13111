package format

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/shopspring/decimal"
	"github.com/valyala/fastjson"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/row"
)

// Logical type names of Kafka Connect and Debezium.
const (
	connectDecimal   = "org.apache.kafka.connect.data.Decimal"
	connectTimestamp = "org.apache.kafka.connect.data.Timestamp"
	connectDate      = "org.apache.kafka.connect.data.Date"
	debeziumMillis   = "io.debezium.time.Timestamp"
	debeziumMicros   = "io.debezium.time.MicroTimestamp"
	debeziumNanos    = "io.debezium.time.NanoTimestamp"
	debeziumDate     = "io.debezium.time.Date"
)

const (
	// maxUnscaled bounds the bytes of a decimal's unscaled number: PostgreSQL's numeric
	// has at most 147,455 digits.
	maxUnscaled = 61_440
	maxScale    = 16_383 // PostgreSQL's greatest

	// Timestamps that row can write and read back, in microseconds.
	yearZero  = -62_167_219_200_000_000
	lastMicro = 253_402_300_799_999_999
)

// What Debezium writes for PostgreSQL's infinite timestamps in an integer column.
const (
	posInfinity = 9223372036825200000
	negInfinity = -9223372036832400000
)

var errUnavailable = errors.New("holds Debezium's placeholder for a large value that the update " +
	"left unchanged; set REPLICA IDENTITY FULL on the table or use the reselect post-processor")

var errInfinite = errors.New("holds an infinite time, which a timestamp column cannot; " +
	"replace it by null or a far date in the source")

// convert decodes a field of a row or key as column i. A JSON null gives nil.
func (d *debezium) convert(i int, name []byte, v *fastjson.Value) (row.Value, error) {
	if v.Type() == fastjson.TypeNull {
		return nil, nil
	}
	if unavailable(v) {
		return nil, errUnavailable
	}
	t, f := d.o.Schema.Columns[i].Type, d.schema[string(name)]
	switch t.Kind {
	case row.Decimal:
		return d.decimal(t, f, v)
	case row.Double:
		return d.double(t, f, v)
	case row.Bigint:
		if f.name == connectDecimal {
			return d.decimal(t, f, v)
		}
	case row.Boolean:
		// MySQL's boolean is tinyint(1).
		if n, err := v.Int64(); err == nil && (n == 0 || n == 1) {
			return n == 1, nil
		}
	case row.Timestamp:
		return instant(t, f, v)
	case row.Date:
		if v.Type() == fastjson.TypeNumber && f.name != "" && f.name != debeziumDate &&
			f.name != connectDate {
			return nil, fmt.Errorf("is a %s, wanted %s", f.name, t)
		}
	case row.JSON:
		return d.document(t, v)
	}
	return row.ParseJSON(t, v)
}

// decimal decodes base64 of an unscaled number, a literal, or an object with its scale.
func (d *debezium) decimal(t row.Type, f connectField, v *fastjson.Value) (row.Value, error) {
	switch v.Type() {
	case fastjson.TypeObject: // io.debezium.data.VariableScaleDecimal
		scale, ok := integer(v, "scale")
		text := v.GetStringBytes("value")
		if !ok || text == nil {
			return nil, fmt.Errorf("is a JSON object without scale and value, wanted %s", t)
		}
		return d.unscaled(t, string(text), scale)
	case fastjson.TypeString:
		s := string(v.GetStringBytes())
		if s == "NaN" || s == "NAN" {
			return nil, nil // as Debezium writes it where it writes base64
		}
		if f.name == connectDecimal {
			return d.unscaled(t, s, int64(f.scale))
		}
		if f.typ != "" || !isBase64(s) {
			return d.number(t, s)
		}
		if t.Precision == 0 {
			return nil, fmt.Errorf("is the string %s, which may be a decimal in base64 of any scale; "+
				"declare the column decimal(precision,scale)", show(s))
		}
		return d.unscaled(t, s, int64(t.Scale))
	}
	return row.ParseJSON(t, v)
}

// double decodes a number, the names Java has for what is none, or a decimal.
func (d *debezium) double(t row.Type, f connectField, v *fastjson.Value) (row.Value, error) {
	if v.Type() == fastjson.TypeObject || f.name == connectDecimal {
		return d.decimal(t, f, v)
	}
	if v.Type() != fastjson.TypeString {
		return row.ParseJSON(t, v)
	}
	switch s := string(v.GetStringBytes()); {
	case s == "NaN" || s == "Infinity" || s == "-Infinity":
		return row.ParseJSON(t, v)
	case f.typ == "" && isBase64(s):
		return nil, fmt.Errorf("is the string %s, which may be a decimal in base64; declare the "+
			"column decimal with its scale", show(s))
	default:
		return d.number(t, s)
	}
}

func isBase64(s string) bool {
	if s == "" || len(s)%4 != 0 {
		return false
	}
	_, err := base64.StdEncoding.Strict().DecodeString(s)
	return err == nil
}

// unscaled decodes base64 of a big-endian two's complement integer.
func (d *debezium) unscaled(t row.Type, text string, scale int64) (row.Value, error) {
	if len(text) > maxUnscaled*4/3 || scale > maxScale || scale < -maxScale {
		return nil, fmt.Errorf("is a decimal of %d base64 digits and scale %d, which no database has",
			len(text), scale)
	}
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(b) == 0 {
		return nil, fmt.Errorf("is the string %s, wanted base64 of a decimal's unscaled number",
			show(text))
	}
	n := new(big.Int).SetBytes(b)
	if b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	dec := decimal.NewFromBigInt(n, int32(-scale))
	if t.Kind == row.Decimal {
		return fitted(row.FitDecimal(t, dec))
	}
	return d.number(t, dec.String())
}

// fitted boxes a decimal unless there is an error.
func fitted(d decimal.Decimal, err error) (row.Value, error) {
	if err != nil {
		return nil, err
	}
	return d, nil
}

// number decodes a literal, by the rules for a JSON number.
func (d *debezium) number(t row.Type, literal string) (row.Value, error) {
	if literal == "" || strings.Trim(literal, "0123456789+-.eE") != "" {
		return nil, fmt.Errorf("is the string %s, wanted %s", show(literal), t)
	}
	d.arena.Reset()
	return row.ParseJSON(t, d.arena.NewNumberString(literal))
}

// instant decodes a timestamp: a string, or an integer in the unit its schema names.
func instant(t row.Type, f connectField, v *fastjson.Value) (row.Value, error) {
	switch v.Type() {
	case fastjson.TypeString:
		switch string(v.GetStringBytes()) {
		case "infinity", "-infinity":
			return nil, errInfinite
		}
		return row.ParseJSON(t, v)
	case fastjson.TypeNumber:
	default:
		return row.ParseJSON(t, v) // which names what it found
	}
	n, err := v.Int64()
	if err != nil {
		return nil, fmt.Errorf("is the number %s, wanted %s as an integer", v, t)
	}
	if n == posInfinity || n == negInfinity {
		return nil, errInfinite
	}
	switch f.name {
	case debeziumMicros:
		return within(n, 1)
	case debeziumNanos:
		return within(floorDiv(n, 1000), 1)
	case debeziumMillis, connectTimestamp:
		return within(n, 1000)
	case debeziumDate, connectDate:
		return within(n, 86_400_000_000)
	case "":
		return guessed(n)
	}
	return nil, fmt.Errorf("is a %s, wanted %s", f.name, t)
}

// guessed takes the unit from the size of n: see the package doc.
func guessed(n int64) (row.Value, error) {
	switch size := max(n, -n); {
	case size >= 1e17 || size < 0: // -n of the least integer is itself
		return within(floorDiv(n, 1000), 1)
	case size >= 1e14:
		return within(n, 1)
	}
	return within(n, 1000)
}

// within returns n units of by microseconds, if RFC 3339 can write it.
func within(n, by int64) (row.Value, error) {
	if n < yearZero/by || n > lastMicro/by {
		return nil, fmt.Errorf("is the number %d, outside the years 0 to 9999", n)
	}
	return timeline.Time(n * by), nil
}

// document decodes a JSON column: Debezium writes it as a string that holds JSON, and
// arrays and structs as themselves.
func (d *debezium) document(t row.Type, v *fastjson.Value) (row.Value, error) {
	if v.Type() != fastjson.TypeString {
		return row.ParseJSON(t, v)
	}
	text := v.GetStringBytes()
	doc, err := d.content.ParseBytes(text)
	if err != nil {
		return nil, fmt.Errorf("is the string %s, which holds no JSON; declare the column text",
			show(text))
	}
	if doc.Type() == fastjson.TypeNull {
		return row.Document("null"), nil // not the same as no document
	}
	return row.ParseJSON(t, doc)
}

const (
	placeholder       = "__debezium_unavailable_value"
	placeholderBase64 = "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=="
)

// unavailable tells Debezium's placeholder in the shapes it has for text, bytes and
// arrays of text and of numbers.
func unavailable(v *fastjson.Value) bool {
	switch v.Type() {
	case fastjson.TypeString:
		s := v.GetStringBytes()
		return string(s) == placeholder || string(s) == placeholderBase64
	case fastjson.TypeArray:
		items := v.GetArray()
		if len(items) == 1 {
			return items[0].Type() == fastjson.TypeString && unavailable(items[0])
		}
		if len(items) != len(placeholder) {
			return false
		}
		for i, item := range items {
			if n, err := item.Int64(); err != nil || n != int64(placeholder[i]) {
				return false
			}
		}
		return true
	}
	return false
}
