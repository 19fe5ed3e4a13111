package row

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/shopspring/decimal"
	"github.com/valyala/fastjson"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/internal/civil"
)

// AppendJSON appends v as JSON: numbers as literals (decimals at their scale), times in
// RFC 3339 with Z and no more digits than they need, dates as YYYY-MM-DD, bytes in
// base64, documents as they are. Doubles that JSON lacks become the strings "NaN",
// "Infinity" and "-Infinity". ParseJSON reads all of it back to the same value.
func AppendJSON(dst []byte, v Value) []byte {
	switch x := v.(type) {
	case nil:
		return append(dst, "null"...)
	case string:
		return appendJSONString(dst, x)
	case Document:
		return append(dst, x...)
	case timeline.Time, Days, []byte:
		return append(appendText(append(dst, '"'), v), '"')
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return append(appendText(append(dst, '"'), v), '"')
		}
	}
	return appendText(dst, v)
}

// AppendRowJSON appends r as an object, its members named and ordered as cols, leaving
// out those for which skip returns true; skip may be nil.
func AppendRowJSON(dst []byte, cols []Column, r Row, skip func(i int) bool) []byte {
	dst = append(dst, '{')
	first := true
	for i := range min(len(cols), len(r)) {
		if skip != nil && skip(i) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(appendJSONString(dst, cols[i].Name), ':')
		dst = AppendJSON(dst, r[i])
	}
	return append(dst, '}')
}

// appendText appends the plain text of a value: JSON's, without quotes or escapes.
func appendText(dst []byte, v Value) []byte {
	switch x := v.(type) {
	case nil:
		return append(dst, "null"...)
	case int64:
		return strconv.AppendInt(dst, x, 10)
	case string:
		return append(dst, x...)
	case timeline.Time:
		return appendTime(dst, x)
	case decimal.Decimal:
		return appendDecimal(dst, x)
	case float64:
		return appendDouble(dst, x)
	case bool:
		return strconv.AppendBool(dst, x)
	case Days:
		return civil.AppendDate(dst, int64(x))
	case []byte:
		return base64.StdEncoding.AppendEncode(dst, x)
	case Document:
		return append(dst, x...)
	}
	panic(foreign(v))
}

// appendTime drops trailing zeros of the fraction, as Go's RFC3339Nano does.
func appendTime(dst []byte, t timeline.Time) []byte {
	digits := 6
	for rest := t; digits > 0 && rest%10 == 0; rest /= 10 {
		digits--
	}
	return civil.AppendTime(dst, int64(t), digits)
}

// appendDouble writes the shortest text that reads back to f, with an exponent where
// JavaScript has one, so that texts agree with most other JSON writers.
func appendDouble(dst []byte, f float64) []byte {
	switch f = canonicalFloat(f); {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	if abs := math.Abs(f); abs == 0 || abs >= 1e-6 && abs < 1e21 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	if n := len(dst); dst[n-2] == '0' && (dst[n-3] == '-' || dst[n-3] == '+') {
		dst[n-2] = dst[n-1] // e-07 to e-7
		dst = dst[:n-1]
	}
	return dst
}

// appendJSONString quotes s with the escapes that JavaScript's JSON.stringify uses and
// no others. Bytes that are not UTF-8 become U+FFFD.
func appendJSONString[S ~string | ~[]byte](dst []byte, s S) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, s[start:i]...), "\uFFFD"...)
				start = i + 1
			}
			i += size
			continue
		}
		dst = appendEscape(append(dst, s[start:i]...), c)
		i++
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	const hex = "0123456789abcdef"
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}

// appendDocument appends v as compact JSON: members in their order, numbers as they
// stand, strings with the fewest escapes. fastjson's own writer would quote control
// characters as Go does and let through numbers that are none.
func appendDocument(dst []byte, v *fastjson.Value) ([]byte, error) {
	switch v.Type() {
	case fastjson.TypeString:
		s, _ := v.StringBytes()
		if !utf8.Valid(s) {
			return dst, fmt.Errorf("string %.40q is not valid UTF-8", s)
		}
		return appendJSONString(dst, s), nil
	case fastjson.TypeNumber:
		start := len(dst)
		dst = v.MarshalTo(dst)
		if !strictNumber(dst[start:]) {
			return dst, fmt.Errorf("%.40q is not a JSON number", dst[start:])
		}
		return dst, nil
	case fastjson.TypeArray:
		return appendDocumentArray(dst, v)
	case fastjson.TypeObject:
		return appendDocumentObject(dst, v)
	}
	return v.MarshalTo(dst), nil // true, false, null
}

func appendDocumentArray(dst []byte, v *fastjson.Value) ([]byte, error) {
	items, err := v.Array()
	dst = append(dst, '[')
	for i, item := range items {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendDocument(dst, item); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), err
}

func appendDocumentObject(dst []byte, v *fastjson.Value) ([]byte, error) {
	o, err := v.Object()
	if err != nil {
		return dst, err
	}
	dst = append(dst, '{')
	first := true
	o.Visit(func(name []byte, item *fastjson.Value) {
		if err != nil {
			return
		}
		if !utf8.Valid(name) {
			err = fmt.Errorf("member name %.40q is not valid UTF-8", name)
			return
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(appendJSONString(dst, name), ':')
		dst, err = appendDocument(dst, item)
	})
	return append(dst, '}'), err
}

// strictNumber is validNumber without what JSON itself forbids.
func strictNumber(s []byte) bool {
	if !validNumber(s) {
		return false
	}
	if s[0] == '-' {
		s = s[1:]
	}
	if s[0] == '.' || len(s) > 1 && s[0] == '0' && s[1] >= '0' && s[1] <= '9' {
		return false
	}
	for i, c := range s {
		if c == '.' {
			return i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9'
		}
	}
	return true
}
