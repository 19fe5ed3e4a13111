package row

import (
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/valyala/fastjson"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/internal/civil"
)

// ErrNullKey says that a column of a key is null.
var ErrNullKey = errors.New("null in a key")

// globalKey is the record key of a table with one global row.
const globalKey = "*"

// KeyText returns the Kafka record key of a row: the plain text of one key column, a
// compact JSON array of several, "*" for none. Timestamps have all six digits, and
// decimals those of their scale, so equal keys of one table have equal text.
func KeyText(vals []Value) string {
	switch len(vals) {
	case 0:
		return globalKey
	case 1:
		switch x := vals[0].(type) {
		case string:
			return x
		case int64:
			return strconv.FormatInt(x, 10)
		}
		return string(appendKeyText(make([]byte, 0, 32), vals[0]))
	}
	dst := append(make([]byte, 0, 64), '[')
	for i, v := range vals {
		if i > 0 {
			dst = append(dst, ',')
		}
		switch x := v.(type) {
		case timeline.Time:
			dst = append(appendKeyText(append(dst, '"'), x), '"')
		case Document:
			dst = appendJSONString(dst, x)
		default:
			dst = AppendJSON(dst, v)
		}
	}
	return string(append(dst, ']'))
}

func appendKeyText(dst []byte, v Value) []byte {
	if t, ok := v.(timeline.Time); ok {
		return civil.AppendTime(dst, int64(t), 6)
	}
	return appendText(dst, v)
}

var parsers fastjson.ParserPool

// ParseKeyText reads a record key back to the values of key columns of the given types.
// It is tolerant of white space in a JSON array and, like ParseJSON, of spelling; a
// bigint in plain text must be plain digits, since another spelling is another record
// key. An error names the column's type and the text; one about null is ErrNullKey.
func ParseKeyText(types []Type, text string) ([]Value, error) {
	switch len(types) {
	case 0:
		if text != globalKey {
			return nil, fmt.Errorf("reading record key %.60q: want %q, the key of the only row",
				text, globalKey)
		}
		return []Value{}, nil
	case 1:
		v, err := parsePlain(types[0], text)
		if err != nil {
			return nil, fmt.Errorf("reading record key %.60q as %s: %w", text, types[0], err)
		}
		return []Value{v}, nil
	}
	return parseKeyArray(types, text)
}

func parseKeyArray(types []Type, text string) ([]Value, error) {
	p := parsers.Get()
	defer parsers.Put(p)
	v, err := p.Parse(text)
	if err != nil || v.Type() != fastjson.TypeArray {
		return nil, fmt.Errorf("reading record key %.60q: want a JSON array of %d key columns",
			text, len(types))
	}
	items, _ := v.Array()
	if len(items) != len(types) {
		return nil, fmt.Errorf("reading record key %.60q: it has %d elements, want one for "+
			"each of %d key columns", text, len(items), len(types))
	}
	vals := make([]Value, len(types))
	for i, t := range types {
		if t.Kind == JSON && items[i].Type() == fastjson.TypeString {
			s, _ := items[i].StringBytes()
			vals[i], err = parseDocument(string(s))
		} else {
			vals[i], err = ParseJSON(t, items[i])
		}
		if err == nil && vals[i] == nil {
			err = ErrNullKey
		}
		if err != nil {
			return nil, fmt.Errorf("reading record key %.60q: key column %d (%s): %w",
				text, i+1, t, err)
		}
	}
	return vals, nil
}

// parsePlain reads the plain text of a value of type t.
func parsePlain(t Type, text string) (Value, error) {
	if t.Kind == Text {
		if !utf8.ValidString(text) {
			return nil, errUTF8
		}
		return text, nil
	}
	if text == "null" {
		return nil, ErrNullKey
	}
	switch t.Kind {
	case Bigint:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || !plainDigits(text) {
			return nil, errors.New("want plain decimal digits of a 64-bit integer")
		}
		return n, nil
	case Double:
		if v, err := parseString(t, []byte(text)); err == nil {
			return v, nil
		}
		return parseDouble([]byte(text))
	case Boolean:
		if text == "true" || text == "false" {
			return text == "true", nil
		}
		return nil, errors.New("want true or false")
	case JSON:
		return parseDocument(text)
	case Decimal:
		return asValue(parseDecimal(t, []byte(text)))
	}
	return parseString(t, []byte(text))
}

// plainDigits tells whether text, an integer, has no sign or zero that could be left out.
func plainDigits(text string) bool {
	if text[0] == '-' {
		return text[1] != '0'
	}
	return text[0] != '+' && (text[0] != '0' || len(text) == 1)
}

func parseDocument(text string) (Value, error) {
	p := parsers.Get()
	defer parsers.Put(p)
	v, err := p.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if v.Type() == fastjson.TypeNull {
		return nil, ErrNullKey
	}
	doc, err := appendDocument(nil, v)
	return asValue(Document(doc), err)
}
