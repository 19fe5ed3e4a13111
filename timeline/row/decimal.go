package row

import (
	"fmt"
	"math"
	"math/big"
	"strconv"

	"github.com/shopspring/decimal"
)

// maxDigits bounds the digits of a decimal, before and after the point together,
// so that a short text such as 1e9999999 cannot ask for gigabytes.
const maxDigits = 1<<16 - 1

// int64Digits is how many decimal digits always fit an int64.
const int64Digits = 18

var pow10 = func() (p [int64Digits + 1]int64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

// FitDecimal returns d in the one form that values of column type t have: at exactly
// its scale, or, for a decimal without precision, without trailing zeros after the
// point. Only zeros are dropped: an error says that d does not fit.
func FitDecimal(t Type, d decimal.Decimal) (decimal.Decimal, error) {
	if d.IsZero() {
		return decimal.New(0, int32(-t.Scale)), nil
	}
	exp, digits := int(d.Exponent()), d.NumDigits()
	whole, limit := digits+exp, maxDigits
	if t.Precision > 0 {
		limit = t.Precision - t.Scale
	}
	if whole > limit || max(digits, -exp) > maxDigits {
		return d, fmt.Errorf("decimal with %d digits before the point and %d after it "+
			"does not fit %s", max(whole, 0), max(-exp, 0), t)
	}
	if t.Precision == 0 {
		return trimDecimal(d), nil
	}
	switch scale := -exp; {
	case scale == t.Scale:
		return d, nil
	case scale < t.Scale:
		return widen(d, t.Scale-scale), nil
	}
	cut := d.Truncate(int32(t.Scale))
	if !cut.Equal(d) {
		return d, fmt.Errorf("decimal %.40s does not fit %s: it has more than %d digits "+
			"after the point", d.String(), t, t.Scale)
	}
	return cut, nil
}

// trimDecimal returns d at the least scale, zero or more, that holds it exactly.
func trimDecimal(d decimal.Decimal) decimal.Decimal {
	exp := int(d.Exponent())
	if exp >= 0 {
		return widen(d, exp)
	}
	if n, ok := coefficient(d); ok {
		for exp < 0 && n%10 == 0 {
			n, exp = n/10, exp+1
		}
		return decimal.New(n, int32(exp))
	}
	digits := d.Coefficient().String()
	zeros := 0
	for zeros < -exp && digits[len(digits)-1-zeros] == '0' {
		zeros++
	}
	return d.Truncate(int32(-exp - zeros))
}

// widen returns d with by more zeros after its last digit, the same number.
func widen(d decimal.Decimal, by int) decimal.Decimal {
	if by == 0 {
		return d
	}
	exp := d.Exponent() - int32(by)
	if d.NumDigits()+by <= int64Digits {
		return decimal.New(d.CoefficientInt64()*pow10[by], exp)
	}
	factor := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(by)), nil)
	return decimal.NewFromBigInt(factor.Mul(factor, d.Coefficient()), exp)
}

// flat returns d with an exponent of zero or less, as all encodings want it.
func flat(d decimal.Decimal) decimal.Decimal {
	if e := d.Exponent(); e > 0 {
		return widen(d, int(e))
	}
	return d
}

// coefficient returns d's coefficient if it surely fits an int64.
func coefficient(d decimal.Decimal) (int64, bool) {
	if d.NumDigits() <= int64Digits {
		return d.CoefficientInt64(), true
	}
	return 0, false
}

// appendDecimal appends d in plain notation with all digits of its scale.
func appendDecimal(dst []byte, d decimal.Decimal) []byte {
	d = flat(d)
	start := len(dst)
	dst = appendCoefficient(dst, d)
	scale := -int(d.Exponent())
	if scale == 0 {
		return dst
	}
	if dst[start] == '-' {
		start++
	}
	for len(dst)-start <= scale { // at least one digit before the point
		dst = append(dst, 0)
		copy(dst[start+1:], dst[start:])
		dst[start] = '0'
	}
	dst = append(dst, 0)
	point := len(dst) - 1 - scale
	copy(dst[point+1:], dst[point:])
	dst[point] = '.'
	return dst
}

// appendCoefficient appends the digits of d without a point, after its minus.
func appendCoefficient(dst []byte, d decimal.Decimal) []byte {
	if n, ok := coefficient(d); ok {
		return strconv.AppendInt(dst, n, 10)
	}
	return d.Coefficient().Append(dst, 10)
}

// parseDecimal reads number text (see validNumber) as a value of decimal type t.
func parseDecimal(t Type, s []byte) (decimal.Decimal, error) {
	if d, ok := parseShort(t, s); ok {
		return d, nil
	}
	if !validNumber(s) {
		return decimal.Decimal{}, fmt.Errorf("%.80q is not a number", string(s))
	}
	d, err := decimal.NewFromString(string(s))
	if err != nil {
		return d, fmt.Errorf("number %.40q is out of range", string(s))
	}
	return FitDecimal(t, d)
}

// parseShort reads the usual case, few digits without exponent, in one pass; not ok
// leaves the text to the general way.
func parseShort(t Type, s []byte) (decimal.Decimal, bool) {
	i, neg := 0, false
	if len(s) > 0 && s[0] == '-' {
		i, neg = 1, true
	}
	if len(s)-i > int64Digits || len(s) == i || t.Precision == 0 || s[i] == '.' {
		return decimal.Decimal{}, false
	}
	n, whole, scale, point := int64(0), 0, 0, false
	for ; i < len(s); i++ {
		c := s[i] - '0'
		switch {
		case c <= 9 && point:
			n, scale = n*10+int64(c), scale+1
		case c <= 9:
			n = n*10 + int64(c)
			if n != 0 {
				whole++
			}
		case s[i] == '.' && !point && i+1 < len(s):
			point = true
		default:
			return decimal.Decimal{}, false
		}
	}
	for scale > t.Scale && n%10 == 0 {
		n, scale = n/10, scale-1
	}
	if scale > t.Scale || whole > t.Precision-t.Scale || whole+t.Scale > int64Digits {
		return decimal.Decimal{}, false
	}
	n *= pow10[t.Scale-scale]
	if neg {
		n = -n
	}
	return decimal.New(n, int32(-t.Scale)), true
}

// validNumber tells whether s is a decimal number: JSON's grammar, but leading zeros
// and a missing digit on one side of the point pass, since JSON writers differ.
func validNumber(s []byte) bool {
	i, digits := 0, 0
	if len(s) > 0 && s[0] == '-' {
		i = 1
	}
	for point := false; i < len(s); i++ {
		if s[i] == '.' && !point {
			point = true
			continue
		}
		if s[i] < '0' || s[i] > '9' {
			break
		}
		digits++
	}
	if digits == 0 || i == len(s) {
		return digits > 0
	}
	if s[i] != 'e' && s[i] != 'E' {
		return false
	}
	if i++; i < len(s) && (s[i] == '+' || s[i] == '-') {
		i++
	}
	for j := i; j < len(s); j++ {
		if s[j] < '0' || s[j] > '9' {
			return false
		}
	}
	return i < len(s)
}

// canonicalFloat maps the doubles that are equal but have several bit patterns, zeros
// and NaNs, to one each.
func canonicalFloat(f float64) float64 {
	switch {
	case f == 0:
		return 0
	case math.IsNaN(f):
		return math.NaN()
	}
	return f
}
