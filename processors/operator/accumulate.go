package operator

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"

	"github.com/shopspring/decimal"

	"github.com/tideline/tideline/timeline/row"
)

// step brings an accumulator up to date and returns it with the result. rows is the
// number of rows of the group. An accumulator over no values is empty.
func (g *Aggregated) step(acc []byte, in row.Row, sign, rows int64) ([]byte, row.Value, error) {
	if g.Func == CountRows {
		return nil, rows, nil
	}
	v := in[g.Arg]
	switch g.Func {
	case Count:
		n, err := count(acc)
		if err != nil {
			return nil, nil, err
		}
		if v != nil {
			n += sign
		}
		if n == 0 {
			return nil, n, nil
		}
		return binary.AppendVarint(nil, n), n, nil
	case Sum, Avg:
		return g.sum(acc, v, sign)
	default: // those that need all values in order
		return g.ordered(acc, v, sign)
	}
}

func count(acc []byte) (int64, error) {
	if len(acc) == 0 {
		return 0, nil
	}
	n, w := binary.Varint(acc)
	if w <= 0 {
		return 0, errState
	}
	return n, nil
}

// sum keeps the number of values and their sum as a whole number of the least unit: 1, the
// decimal's last place, or the least double.
func (g *Aggregated) sum(acc []byte, v row.Value, sign int64) ([]byte, row.Value, error) {
	var n, exp int64
	total := new(big.Int)
	if len(acc) > 0 {
		var w, x int
		n, w = binary.Varint(acc)
		if w > 0 {
			exp, x = binary.Varint(acc[w:])
		}
		if w <= 0 || x <= 0 || len(acc) == w+x {
			return nil, nil, errState
		}
		total.SetBytes(acc[w+x+1:])
		if acc[w+x] == 1 {
			total.Neg(total)
		}
	}
	if v != nil {
		var err error
		if exp, err = addTo(total, exp, v, sign); err != nil {
			return nil, nil, err
		}
		n += sign
	}
	if n == 0 && total.Sign() == 0 {
		return nil, nil, nil
	}
	out := binary.AppendVarint(make([]byte, 0, 24), n)
	out = binary.AppendVarint(out, exp)
	neg := byte(0)
	if total.Sign() < 0 {
		neg = 1
	}
	out = append(append(out, neg), total.Bytes()...)
	if n <= 0 {
		return out, nil, nil
	}
	res, err := g.total(n, exp, total)
	return out, res, err
}

// leastDouble is the binary exponent of the least positive double.
const leastDouble = -1074

// addTo adds a value to a sum in units of 10^exp, and returns the exponent needed.
func addTo(total *big.Int, exp int64, v row.Value, sign int64) (int64, error) {
	unit := new(big.Int)
	switch v := v.(type) {
	case int64:
		unit.SetInt64(v)
	case bool:
		if v {
			unit.SetInt64(1)
		}
	case decimal.Decimal:
		unit.Set(v.Coefficient())
		at := int64(v.Exponent())
		if at < exp {
			total.Mul(total, tens(exp-at))
			exp = at
		} else if at > exp {
			unit.Mul(unit, tens(at-exp))
		}
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return 0, fmt.Errorf("%v cannot be summed", v)
		}
		frac, e := math.Frexp(v) // v = frac * 2^e, frac has 53 bits
		unit.SetInt64(int64(frac * (1 << 53)))
		if shift := e - 53 - leastDouble; shift >= 0 {
			unit.Lsh(unit, uint(shift))
		} else {
			unit.Rsh(unit, uint(-shift))
		}
	default:
		return 0, fmt.Errorf("a %T cannot be summed", v)
	}
	if sign < 0 {
		unit.Neg(unit)
	}
	total.Add(total, unit)
	return exp, nil
}

func tens(n int64) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(n), nil) }

var errSumRange = errors.New("the sum is out of range for bigint; write " +
	"sum(CAST(x AS DECIMAL(38, 0)))")

// total turns a sum into the result's type.
func (g *Aggregated) total(n, exp int64, total *big.Int) (row.Value, error) {
	if g.In.Kind == row.Double {
		f := new(big.Float).SetPrec(2200).SetInt(total)
		f.SetMantExp(f, leastDouble)
		if g.Func == Avg {
			f.Quo(f, new(big.Float).SetInt64(n))
		}
		v, _ := f.Float64()
		if math.IsInf(v, 0) {
			return nil, errors.New("the result is out of range for double")
		}
		return v, nil
	}
	if g.Func == Sum && g.Out.Kind == row.Bigint {
		if !total.IsInt64() {
			return nil, errSumRange
		}
		return total.Int64(), nil
	}
	d := decimal.NewFromBigInt(total, int32(exp))
	if g.Func == Avg {
		d = d.DivRound(decimal.NewFromInt(n), int32(g.scale(exp)))
	}
	return row.FitDecimal(g.Out, d)
}

// scale is how many digits after the point an average has: four more than its values.
func (g *Aggregated) scale(exp int64) int64 {
	if g.Out.Precision > 0 {
		return int64(g.Out.Scale)
	}
	return max(0, -exp) + 4
}

// ordered keeps a multiset of values, in order, each with its count.
func (g *Aggregated) ordered(acc []byte, v row.Value, sign int64) ([]byte, row.Value, error) {
	m, err := decodeBag(acc)
	if err != nil {
		return nil, nil, err
	}
	if v != nil {
		m = m.add(row.AppendKey(nil, v), sign)
	}
	var out []byte
	if len(m) > 0 {
		out = m.append(make([]byte, 0, len(acc)+24))
	}
	if g.Func == CountDistinct {
		n := int64(0)
		for _, c := range m {
			if c.count > 0 {
				n++
			}
		}
		return out, n, nil
	}
	var found []byte
	for _, c := range m {
		if c.count > 0 && (found == nil || g.Func == Max) {
			found = c.row
		}
	}
	if found == nil {
		return out, nil, nil
	}
	res, err := g.valueOf(found)
	return out, res, err
}

// valueOf reads a value back from its order-preserving bytes.
func (g *Aggregated) valueOf(key []byte) (row.Value, error) {
	vals, err := row.DecodeKey(bytes.Clone(key))
	if err != nil || len(vals) != 1 {
		return nil, errState
	}
	if d, ok := vals[0].(decimal.Decimal); ok {
		return row.FitDecimal(g.In, d)
	}
	return vals[0], nil
}
