package row

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/tideline/tideline/timeline"
)

// kindOf returns the kind of a value that is not nil, Invalid for a foreign Go type.
func kindOf(v Value) Kind {
	switch v.(type) {
	case int64:
		return Bigint
	case float64:
		return Double
	case decimal.Decimal:
		return Decimal
	case string:
		return Text
	case bool:
		return Boolean
	case timeline.Time:
		return Timestamp
	case Days:
		return Date
	case []byte:
		return Bytes
	case Document:
		return JSON
	}
	return Invalid
}

// foreign is what a value of a Go type that is not listed at Kind ends in: a defect of
// the calling code, not of data, since no reader in this package yields such a value.
func foreign(v Value) string {
	return fmt.Sprintf("row: a value of Go type %T is of no column kind", v)
}

// Equal tells whether a and b are the same value; two nulls are equal here, unlike in
// SQL, and so are two NaNs. Decimals are equal by number, at whatever scale.
func Equal(a, b Value) bool { return Compare(a, b) == 0 }

// Compare orders two values of one type: null first, then by value; text, bytes and
// json bytewise, false before true, NaN after all other doubles. Values of different
// kinds, which one column never holds, are ordered by kind. It returns -1, 0 or +1.
func Compare(a, b Value) int {
	switch x := a.(type) {
	case int64:
		if y, ok := b.(int64); ok {
			return cmp.Compare(x, y)
		}
	case string:
		if y, ok := b.(string); ok {
			return strings.Compare(x, y)
		}
	case timeline.Time:
		if y, ok := b.(timeline.Time); ok {
			return cmp.Compare(x, y)
		}
	case decimal.Decimal:
		if y, ok := b.(decimal.Decimal); ok {
			return x.Cmp(y)
		}
	case float64:
		if y, ok := b.(float64); ok {
			return compareFloats(x, y)
		}
	case bool:
		if y, ok := b.(bool); ok {
			return compareBools(x, y)
		}
	case Days:
		if y, ok := b.(Days); ok {
			return cmp.Compare(x, y)
		}
	case []byte:
		if y, ok := b.([]byte); ok {
			return bytes.Compare(x, y)
		}
	case Document:
		if y, ok := b.(Document); ok {
			return cmp.Compare(x, y)
		}
	}
	return compareKinds(a, b)
}

func compareKinds(a, b Value) int {
	if a == nil || b == nil {
		return compareBools(a != nil, b != nil)
	}
	return cmp.Compare(kindOf(a), kindOf(b))
}

// compareFloats puts NaN last; cmp.Compare would put it first.
func compareFloats(x, y float64) int {
	if x != x || y != y {
		return compareBools(x != x, y != y)
	}
	return cmp.Compare(x, y)
}

func compareBools(x, y bool) int {
	switch {
	case x == y:
		return 0
	case y:
		return -1
	}
	return 1
}
