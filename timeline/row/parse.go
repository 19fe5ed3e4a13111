package row

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/valyala/fastjson"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/internal/civil"
)

// wants says, by Kind, which JSON a column reads; for error texts.
var wants = [...]string{
	Invalid:   "a column with a type",
	Bigint:    "an integral number within 64 bits, or its digits as a string",
	Double:    "a number",
	Decimal:   "a number or its text as a string",
	Text:      "a string",
	Boolean:   "true or false",
	Timestamp: "an RFC 3339 string with offset, or an integer of milliseconds since 1970",
	Date:      "a YYYY-MM-DD string, or an integer of days since 1970-01-01",
	Bytes:     "a base64 string",
	JSON:      "any JSON",
}

// ParseJSON reads v as a value of column type t; JSON null is nil. It is tolerant of
// how writers spell a value but never of what it is: nothing is rounded, only zeros of
// a decimal and digits finer than a microsecond go. The error names the type, the JSON
// found and what is wanted; the caller adds the column. The value shares no memory
// with v. In strings, fastjson reads escapes that are none as themselves.
func ParseJSON(t Type, v *fastjson.Value) (Value, error) {
	switch v.Type() {
	case fastjson.TypeNull:
		return nil, nil
	case fastjson.TypeString:
		s, _ := v.StringBytes()
		if t.Kind == JSON {
			break
		}
		return parseString(t, s)
	case fastjson.TypeNumber:
		if t.Kind == Bigint {
			if n, err := v.Int64(); err == nil {
				return n, nil
			}
		}
		if t.Kind == JSON {
			break
		}
		buf := numberTexts.Get().(*[]byte)
		*buf = v.MarshalTo((*buf)[:0])
		n, err := parseNumber(t, *buf)
		numberTexts.Put(buf)
		return n, err
	case fastjson.TypeTrue, fastjson.TypeFalse:
		if t.Kind == Boolean {
			return v.Type() == fastjson.TypeTrue, nil
		}
	}
	if t.Kind != JSON {
		return nil, mismatch(t, v.MarshalTo(nil), v.Type().String(), nil)
	}
	doc, err := appendDocument(nil, v)
	if err != nil {
		return nil, mismatch(t, doc, v.Type().String(), err)
	}
	return Document(doc), nil
}

// numberTexts holds buffers for the text of a number, which fastjson only hands out by
// appending, to where the compiler would put every buffer on the heap.
var numberTexts = sync.Pool{New: func() any { return new([]byte) }}

// mismatch is the error of JSON text s, of the JSON type found, read as t.
//
// It formats a copy of s, so that its callers' s need not live on the heap.
func mismatch(t Type, text []byte, found string, why error) error {
	s := string(text)
	if why != nil {
		return fmt.Errorf("reading %s from JSON %s %.60q: %w; want %s",
			t, found, s, why, wants[t.Kind])
	}
	return fmt.Errorf("reading %s from JSON %s %.60q: want %s", t, found, s, wants[t.Kind])
}

var (
	errRange = errors.New("out of range")
	errUTF8  = errors.New("not valid UTF-8")
)

// parseNumber reads the text of a JSON number.
func parseNumber(t Type, s []byte) (Value, error) {
	var v Value
	var err error
	switch t.Kind {
	case Text: // an identifier that its producer takes for a number
		return string(s), nil
	case Bigint:
		v, err = parseIntegral(s)
	case Double:
		v, err = parseDouble(s)
	case Decimal:
		v, err = asValue(parseDecimal(t, s))
	case Timestamp:
		v, err = parseMillis(s)
	case Date:
		v, err = parseDays(s)
	default:
		return nil, mismatch(t, s, "number", nil)
	}
	if err != nil {
		return nil, mismatch(t, s, "number", err)
	}
	return v, nil
}

// parseString reads the content of a JSON string.
func parseString(t Type, s []byte) (Value, error) {
	var v Value
	var err error
	switch t.Kind {
	case Text:
		v, err = string(s), nil
		if !utf8.Valid(s) {
			err = errUTF8
		}
	case Bigint:
		v, err = parseDigits(s)
	case Decimal:
		v, err = asValue(parseDecimal(t, s))
	case Timestamp:
		v, err = parseTimestamp(s)
	case Date:
		v, err = parseDate(s)
	case Bytes:
		v, err = asValue(base64.StdEncoding.Strict().AppendDecode([]byte{}, s))
	case Double:
		switch string(s) {
		case "NaN":
			return math.NaN(), nil
		case "Infinity":
			return math.Inf(1), nil
		case "-Infinity":
			return math.Inf(-1), nil
		}
		return nil, mismatch(t, s, "string", nil)
	default:
		return nil, mismatch(t, s, "string", nil)
	}
	if err != nil {
		return nil, mismatch(t, s, "string", err)
	}
	return v, nil
}

// asValue keeps a typed zero out of the Value when there is an error.
func asValue[T any](v T, err error) (Value, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

// parseIntegral reads an integral number in any spelling, such as 1e3 or 7.0.
func parseIntegral(s []byte) (Value, error) {
	d, err := parseDecimal(Type{Kind: Decimal}, s)
	if err != nil {
		return nil, err
	}
	if d.Exponent() < 0 {
		return nil, errors.New("not integral")
	}
	c := d.Coefficient()
	if !c.IsInt64() {
		return nil, errRange
	}
	return c.Int64(), nil
}

// parseDigits reads decimal digits with an optional minus.
func parseDigits(s []byte) (Value, error) {
	if len(s) > 0 && s[0] == '+' {
		return nil, errors.New("not decimal digits")
	}
	n, err := strconv.ParseInt(string(s), 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return nil, errRange
	case err != nil:
		return nil, errors.New("not decimal digits")
	}
	return n, nil
}

func parseDouble(s []byte) (Value, error) {
	if !validNumber(s) {
		return nil, errors.New("not a number")
	}
	f, err := strconv.ParseFloat(string(s), 64)
	if err != nil {
		return nil, errRange
	}
	return canonicalFloat(f), nil
}

func parseTimestamp(s []byte) (Value, error) {
	us, ok := civil.ParseTime(string(s))
	if !ok || us < civil.MinMicros || us > civil.MaxMicros {
		return nil, errors.New("not a time such as 2024-05-01T12:00:00.5Z")
	}
	return timeline.Time(us), nil
}

func parseMillis(s []byte) (Value, error) {
	v, err := parseIntegral(s)
	if err != nil {
		return nil, err
	}
	ms := v.(int64)
	if ms < civil.MinMicros/1000 || ms > civil.MaxMicros/1000 {
		return nil, errors.New("outside the years 0 to 9999")
	}
	return timeline.FromMillis(ms), nil
}

func parseDate(s []byte) (Value, error) {
	days, ok := civil.ParseDate(string(s))
	if !ok {
		return nil, errors.New("not a date such as 2024-05-01")
	}
	return Days(days), nil
}

func parseDays(s []byte) (Value, error) {
	v, err := parseIntegral(s)
	if err != nil {
		return nil, err
	}
	days := v.(int64)
	if days < civil.MinDays || days > civil.MaxDays {
		return nil, errors.New("outside the years 0 to 9999")
	}
	return Days(days), nil
}
