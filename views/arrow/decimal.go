package arrow

import (
	"fmt"
	"math/big"

	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/decimal128"
	"github.com/apache/arrow/go/v15/arrow/decimal256"
	"github.com/shopspring/decimal"
)

// decimals is the shape of a decimal column's Arrow type: how many digits in all
// and how many of them after the point.
type decimals struct {
	digits, scale int
}

// shortDigits is how many digits surely fit an int64.
const shortDigits = 18

var shortPowers = func() (p [shortDigits + 1]decimal128.Num) {
	p[0] = decimal128.FromI64(1)
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1].Mul(decimal128.FromI64(10))
	}
	return p
}()

// appendDecimal appends d at the column's scale, or says that it does not fit.
func (c *column) appendDecimal(d decimal.Decimal) error {
	scale := -int(d.Exponent())
	if d.NumDigits() <= shortDigits && c.appendShort(d.CoefficientInt64(), scale) {
		return nil
	}
	n := c.decimals.rescale(d)
	if n == nil {
		return fmt.Errorf("decimal %.60s does not fit %d digits, %d of them after the point, "+
			"exactly: round it in the view's SQL or cast it to a wider decimal(p,s)",
			shown(d), c.decimals.digits, c.decimals.scale)
	}
	switch b := c.builder.(type) {
	case *array.Decimal128Builder:
		b.Append(decimal128.FromBigInt(n))
	case *array.Decimal256Builder:
		b.Append(decimal256.FromBigInt(n))
	}
	return nil
}

// appendShort appends n/10^scale, |n| below 10^18, the usual decimal, without big
// numbers. It returns false, having done nothing, where that is not possible.
func (c *column) appendShort(n int64, scale int) bool {
	b, ok := c.builder.(*array.Decimal128Builder)
	up := c.decimals.scale - scale
	if !ok || up < 0 || up > shortDigits {
		return false
	}
	num := decimal128.FromI64(n)
	if up > 0 {
		num = num.Mul(shortPowers[up])
	}
	if !num.FitsInPrecision(int32(c.decimals.digits)) {
		return false
	}
	b.Append(num)
	return true
}

// rescale returns d times 10^scale, nil if that is no integer or has too many digits.
// Sizes are compared before powers are computed, so that no exponent is too much.
func (s decimals) rescale(d decimal.Decimal) *big.Int {
	n := d.Coefficient()
	if n.Sign() == 0 {
		return n
	}
	up := int(d.Exponent()) + s.scale
	digits := d.NumDigits()
	if digits+up > s.digits || digits+up < 1 {
		return nil
	}
	if up >= 0 {
		return n.Mul(n, tenTo(up))
	}
	n, rest := n.QuoRem(n, tenTo(-up), new(big.Int))
	if rest.Sign() != 0 {
		return nil
	}
	return n
}

// shown spells d for an error: plainly, unless that would be mostly zeros.
func shown(d decimal.Decimal) string {
	if e := d.Exponent(); e > maxDigits256 || e < -maxDigits256 {
		return fmt.Sprintf("%ve%d", d.Coefficient(), e)
	}
	return d.String()
}

func tenTo(n int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}
