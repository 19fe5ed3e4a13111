package row

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/big"

	"github.com/shopspring/decimal"

	"github.com/tideline/tideline/timeline"
)

// The tag byte of each value of a key, in the order of Compare's kinds. All are below
// 0xFF and above 0x00, which are left to whoever stores keys. Frozen.
const (
	keyNull      = 0x01 // nothing
	keyBigint    = 0x10 // 8 bytes, big endian, sign bit flipped
	keyDouble    = 0x11 // 8 bytes, big endian; sign bit flipped, all bits if negative
	keyDecimal   = 0x12 // see appendKeyDecimal
	keyText      = 0x13 // bytes, 0x00 written as 0x00 0xFF, ended by 0x00 0x01
	keyBoolean   = 0x14 // 0 or 1
	keyTimestamp = 0x15 // as bigint, microseconds
	keyDate      = 0x16 // 4 bytes, big endian, sign bit flipped
	keyBytes     = 0x17 // as text
	keyJSON      = 0x18 // as text
)

// AppendKey appends vals so that keys compare bytewise as their values do (Compare,
// column by column; equal decimals of different scale by scale). Each value ends by
// itself, so the key of a prefix of the columns is a prefix of the key. It panics if a
// value is of a Go type not listed at Kind.
func AppendKey(dst []byte, vals ...Value) []byte {
	for _, v := range vals {
		dst = appendKeyValue(dst, v)
	}
	return dst
}

func appendKeyValue(dst []byte, v Value) []byte {
	switch x := v.(type) {
	case nil:
		return append(dst, keyNull)
	case int64:
		return appendKeyInt(append(dst, keyBigint), x)
	case string:
		return appendKeyString(append(dst, keyText), x)
	case timeline.Time:
		return appendKeyInt(append(dst, keyTimestamp), int64(x))
	case decimal.Decimal:
		return appendKeyDecimal(append(dst, keyDecimal), x)
	case float64:
		bits := math.Float64bits(canonicalFloat(x))
		if bits>>63 == 1 {
			bits = ^bits
		} else {
			bits |= 1 << 63
		}
		return binary.BigEndian.AppendUint64(append(dst, keyDouble), bits)
	case bool:
		if x {
			return append(dst, keyBoolean, 1)
		}
		return append(dst, keyBoolean, 0)
	case Days:
		return binary.BigEndian.AppendUint32(append(dst, keyDate), uint32(x)^1<<31)
	case []byte:
		return appendKeyString(append(dst, keyBytes), x)
	case Document:
		return appendKeyString(append(dst, keyJSON), x)
	}
	panic(foreign(v))
}

func appendKeyInt(dst []byte, x int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(x)^1<<63)
}

func appendKeyString[S ~string | ~[]byte](dst []byte, s S) []byte {
	start := 0
	for i := range len(s) {
		if s[i] == 0 {
			dst = append(append(dst, s[start:i+1]...), 0xFF)
			start = i + 1
		}
	}
	return append(append(dst, s[start:]...), 0x00, 0x01)
}

// Sign bytes of a decimal key.
const (
	decNegative = 0x01
	decZero     = 0x02
	decPositive = 0x03
)

// appendKeyDecimal appends a sign byte; then, unless zero, the number as
// 0.d1d2d3… times 10 to the e: e in 4 bytes, sign bit flipped, its digits two a byte
// plus one, ended by 0x00, all of that inverted if negative; then the scale in 2 bytes,
// which tells apart only equal numbers.
func appendKeyDecimal(dst []byte, d decimal.Decimal) []byte {
	d = flat(d)
	scale := uint16(-d.Exponent())
	sign := d.Sign()
	if sign == 0 {
		return binary.BigEndian.AppendUint16(append(dst, decZero), scale)
	}
	var buf [48]byte
	digits := appendCoefficient(buf[:0], d)
	if sign < 0 {
		digits = digits[1:]
	}
	e := int32(len(digits)) + d.Exponent()
	digits = bytes.TrimRight(digits, "0")
	dst = append(dst, byte(decZero+sign))
	start := len(dst)
	dst = binary.BigEndian.AppendUint32(dst, uint32(e)^1<<31)
	for i := 0; i < len(digits); i += 2 {
		pair := (digits[i] - '0') * 10
		if i+1 < len(digits) {
			pair += digits[i+1] - '0'
		}
		dst = append(dst, pair+1)
	}
	dst = append(dst, 0x00)
	if sign < 0 {
		invert(dst[start:])
	}
	return binary.BigEndian.AppendUint16(dst, scale)
}

func invert(b []byte) {
	for i := range b {
		b[i] = ^b[i]
	}
}

// DecodeKey reads what AppendKey wrote. Bytes that AppendKey does not write are an
// error, never a panic. The values share no memory with b.
func DecodeKey(b []byte) ([]Value, error) {
	vals := make([]Value, 0, 4)
	for rest := b; len(rest) > 0; {
		v, n := decodeKeyValue(rest)
		if n == 0 {
			return nil, fmt.Errorf("decoding key: value %d at byte %d of %d: %w",
				len(vals)+1, len(b)-len(rest), len(b), errCorrupt)
		}
		vals, rest = append(vals, v), rest[n:]
	}
	return vals, nil
}

// decodeKeyValue decodes the first value of b, not empty; the length is 0 if the bytes
// are corrupt.
func decodeKeyValue(b []byte) (Value, int) {
	switch tag := b[0]; tag {
	case keyNull:
		return nil, 1
	case keyBigint, keyDouble, keyTimestamp:
		if len(b) < 9 {
			return nil, 0
		}
		bits := binary.BigEndian.Uint64(b[1:])
		switch tag {
		case keyBigint:
			return int64(bits ^ 1<<63), 9
		case keyTimestamp:
			return timeline.Time(bits ^ 1<<63), 9
		}
		return decodeKeyDouble(bits)
	case keyDecimal:
		return decodeKeyDecimal(b)
	case keyBoolean:
		if len(b) < 2 || b[1] > 1 {
			return nil, 0
		}
		return b[1] == 1, 2
	case keyDate:
		if len(b) < 5 {
			return nil, 0
		}
		return Days(binary.BigEndian.Uint32(b[1:]) ^ 1<<31), 5
	case keyText, keyBytes, keyJSON:
		s, n := unescapeKey(b[1:])
		switch {
		case n == 0:
			return nil, 0
		case tag == keyText:
			return string(s), 1 + n
		case tag == keyJSON:
			return Document(s), 1 + n
		}
		return s, 1 + n
	}
	return nil, 0
}

func decodeKeyDouble(bits uint64) (Value, int) {
	if bits>>63 == 1 {
		bits ^= 1 << 63
	} else {
		bits = ^bits
	}
	f := math.Float64frombits(bits)
	if math.Float64bits(canonicalFloat(f)) != bits {
		return nil, 0
	}
	return f, 9
}

// unescapeKey copies the string that ends in b at 0x00 0x01 and returns the length
// of its written form, 0 if it does not end.
func unescapeKey(b []byte) ([]byte, int) {
	s := []byte{}
	for i := 0; ; {
		zero := bytes.IndexByte(b[i:], 0)
		if zero < 0 || i+zero+1 >= len(b) {
			return nil, 0
		}
		s = append(s, b[i:i+zero]...)
		i += zero + 2
		switch b[i-1] {
		case 0x01:
			return s, i
		case 0xFF:
			s = append(s, 0)
		default:
			return nil, 0
		}
	}
}

// decodeKeyDecimal builds the number and accepts it if it encodes to the same bytes,
// so that there is only one way to write it.
func decodeKeyDecimal(b []byte) (Value, int) {
	if len(b) < 4 || b[1] < decNegative || b[1] > decPositive {
		return nil, 0
	}
	if b[1] == decZero {
		return decimal.New(0, -int32(binary.BigEndian.Uint16(b[2:]))), 4
	}
	flip := byte(0)
	if b[1] == decNegative {
		flip = 0xFF
	}
	if len(b) < 6 {
		return nil, 0
	}
	size := bytes.IndexByte(b[6:], flip)
	end := 6 + size + 1
	if size < 1 || end+2 > len(b) {
		return nil, 0
	}
	e := int64(int32(binary.BigEndian.Uint32(b[2:]) ^ 1<<31))
	if flip != 0 {
		e = ^e
	}
	scale := int64(binary.BigEndian.Uint16(b[end:]))
	total := e + scale // digits of the coefficient
	if total < 2*int64(size)-1 || total > maxDigits {
		return nil, 0
	}
	digits := make([]byte, 0, total+1)
	for _, c := range b[6 : 6+size] {
		if c ^= flip; c > 100 {
			return nil, 0
		}
		digits = append(digits, '0'+(c-1)/10, '0'+(c-1)%10)
	}
	if int64(len(digits)) > total && digits[total] != '0' {
		return nil, 0
	}
	for int64(len(digits)) < total {
		digits = append(digits, '0')
	}
	c, _ := new(big.Int).SetString(string(digits[:total]), 10)
	if flip != 0 {
		c.Neg(c)
	}
	d := decimal.NewFromBigInt(c, -int32(scale))
	if !bytes.Equal(appendKeyDecimal(nil, d), b[1:end+2]) {
		return nil, 0
	}
	return d, end + 2
}
