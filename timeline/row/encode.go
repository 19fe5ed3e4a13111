package row

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"

	"github.com/shopspring/decimal"

	"github.com/tideline/tideline/timeline"
)

// The tag byte of each encoded value and what follows it. Frozen: these bytes are in
// topics and stores. A varint is encoding/binary's, signed ones in zig-zag form.
const (
	tagNull      = 0x00 // nothing
	tagBigint    = 0x01 // varint
	tagDouble    = 0x02 // 8 bytes, IEEE 754, little endian; one zero, one NaN
	tagDecimal   = 0x03 // uvarint scale, varint coefficient
	tagBigDec    = 0x04 // uvarint scale, sign byte 0 or 1 (negative), then as text: magnitude
	tagText      = 0x05 // uvarint length, bytes
	tagFalse     = 0x06 // nothing
	tagTrue      = 0x07 // nothing
	tagTimestamp = 0x08 // 8 bytes, microseconds, little endian
	tagDate      = 0x09 // varint days
	tagBytes     = 0x0a // uvarint length, bytes
	tagJSON      = 0x0b // uvarint length, bytes
)

// errCorrupt is the cause of every error about bytes that AppendRow or AppendKey did
// not write.
var errCorrupt = errors.New("corrupt bytes: not written by this encoding")

// AppendRow appends the encoding of r: its values one after the other, each a tag byte
// and what the tag asks for, so that encoded columns can be cut out and put together
// as they are. Equal rows of one schema have equal bytes and the other way round.
// It panics if a value is of a Go type not listed at Kind.
func AppendRow(dst []byte, r Row) []byte {
	for _, v := range r {
		dst = appendValue(dst, v)
	}
	return dst
}

func appendValue(dst []byte, v Value) []byte {
	switch x := v.(type) {
	case nil:
		return append(dst, tagNull)
	case int64:
		return binary.AppendVarint(append(dst, tagBigint), x)
	case string:
		dst = binary.AppendUvarint(append(dst, tagText), uint64(len(x)))
		return append(dst, x...)
	case timeline.Time:
		return binary.LittleEndian.AppendUint64(append(dst, tagTimestamp), uint64(x))
	case decimal.Decimal:
		return appendDecimalValue(dst, x)
	case float64:
		bits := math.Float64bits(canonicalFloat(x))
		return binary.LittleEndian.AppendUint64(append(dst, tagDouble), bits)
	case bool:
		if x {
			return append(dst, tagTrue)
		}
		return append(dst, tagFalse)
	case Days:
		return binary.AppendVarint(append(dst, tagDate), int64(x))
	case []byte:
		dst = binary.AppendUvarint(append(dst, tagBytes), uint64(len(x)))
		return append(dst, x...)
	case Document:
		dst = binary.AppendUvarint(append(dst, tagJSON), uint64(len(x)))
		return append(dst, x...)
	}
	panic(foreign(v))
}

func appendDecimalValue(dst []byte, d decimal.Decimal) []byte {
	d = flat(d)
	scale := uint64(-int64(d.Exponent()))
	n, ok := coefficient(d)
	if ok {
		dst = binary.AppendUvarint(append(dst, tagDecimal), scale)
		return binary.AppendVarint(dst, n)
	}
	c := d.Coefficient()
	dst = binary.AppendUvarint(append(dst, tagBigDec), scale)
	sign := byte(0)
	if c.Sign() < 0 {
		sign = 1
	}
	magnitude := c.Bytes()
	dst = binary.AppendUvarint(append(dst, sign), uint64(len(magnitude)))
	return append(dst, magnitude...)
}

// DecodeRow reads what AppendRow wrote. The row shares no memory with b. Bytes that
// AppendRow does not write are an error, never a panic.
func DecodeRow(b []byte) (Row, error) { return DecodeRowInto(nil, b) }

// DecodeRowInto is DecodeRow into the memory of r, which it overwrites. Values that r
// held before in the same place are reused if they are equal, so decoding similar rows
// one after the other hardly allocates; values read from r earlier stay valid.
func DecodeRowInto(r Row, b []byte) (Row, error) {
	old := r[:cap(r)]
	if old == nil {
		old = make(Row, 0, 8)
	}
	r = old[:0]
	rest := b
	for len(rest) > 0 {
		var prev Value
		if len(r) < len(old) {
			prev = old[len(r)]
		}
		v, n := decodeValue(rest, prev)
		if n <= 0 {
			return nil, fmt.Errorf("decoding row: value %d at byte %d of %d: %w",
				len(r)+1, len(b)-len(rest), len(b), errCorrupt)
		}
		r, rest = append(r, v), rest[n:]
	}
	return r, nil
}

// Skip returns the length in bytes of the first encoded value of b, without decoding
// it; an error if b is empty or holds none.
func Skip(b []byte) (int, error) {
	n := valueLen(b)
	if n <= 0 {
		return 0, fmt.Errorf("decoding row: skipping a value: %w", errCorrupt)
	}
	return n, nil
}

// decodeValue decodes the first value of b, not empty, and returns its length, 0 if the
// bytes are corrupt. It returns prev itself where that is the same value.
func decodeValue(b []byte, prev Value) (Value, int) {
	switch b[0] {
	case tagNull:
		return nil, 1
	case tagBigint:
		x, n := varint(b[1:])
		if p, ok := prev.(int64); ok && p == x {
			return prev, after(n)
		}
		return x, after(n)
	case tagText:
		s, n := span(b[1:])
		if p, ok := prev.(string); ok && p == string(s) {
			return prev, after(n)
		}
		return string(s), after(n)
	case tagTimestamp:
		if len(b) < 9 {
			return nil, 0
		}
		x := timeline.Time(binary.LittleEndian.Uint64(b[1:]))
		if p, ok := prev.(timeline.Time); ok && p == x {
			return prev, 9
		}
		return x, 9
	case tagDecimal, tagBigDec:
		return decodeDecimal(b, prev)
	case tagDouble:
		return decodeDouble(b, prev)
	case tagFalse:
		return false, 1
	case tagTrue:
		return true, 1
	case tagDate:
		x, n := varint(b[1:])
		if x != int64(Days(x)) {
			return nil, 0
		}
		if p, ok := prev.(Days); ok && p == Days(x) {
			return prev, after(n)
		}
		return Days(x), after(n)
	case tagBytes:
		s, n := span(b[1:])
		if p, ok := prev.([]byte); ok && string(p) == string(s) {
			return prev, after(n)
		}
		return append([]byte{}, s...), after(n)
	case tagJSON:
		s, n := span(b[1:])
		if p, ok := prev.(Document); ok && string(p) == string(s) {
			return prev, after(n)
		}
		return Document(s), after(n)
	}
	return nil, 0
}

func decodeDouble(b []byte, prev Value) (Value, int) {
	if len(b) < 9 {
		return nil, 0
	}
	bits := binary.LittleEndian.Uint64(b[1:])
	f := math.Float64frombits(bits)
	if math.Float64bits(canonicalFloat(f)) != bits {
		return nil, 0
	}
	if p, ok := prev.(float64); ok && p == f {
		return prev, 9
	}
	return f, 9
}

func decodeDecimal(b []byte, prev Value) (Value, int) {
	scale, n := uvarint(b[1:])
	if n == 0 || scale > maxDigits {
		return nil, 0
	}
	at, exp := 1+n, -int32(scale)
	if b[0] == tagDecimal {
		x, n := varint(b[at:])
		if n == 0 || !shortCoefficient(x) {
			return nil, 0
		}
		if p, ok := prev.(decimal.Decimal); ok && p.Exponent() == exp {
			if c, ok := coefficient(p); ok && c == x {
				return prev, at + n
			}
		}
		return decimal.New(x, exp), at + n
	}
	if at >= len(b) || b[at] > 1 {
		return nil, 0
	}
	magnitude, n := span(b[at+1:])
	if n == 0 || len(magnitude) == 0 || magnitude[0] == 0 || len(magnitude) > maxDigits/2 {
		return nil, 0
	}
	c := new(big.Int).SetBytes(magnitude)
	if c.IsInt64() && shortCoefficient(c.Int64()) {
		return nil, 0
	}
	if b[at] == 1 {
		c.Neg(c)
	}
	return decimal.NewFromBigInt(c, exp), at + 1 + n
}

// shortCoefficient tells whether x is encoded under tagDecimal.
func shortCoefficient(x int64) bool {
	const limit = 1_000_000_000_000_000_000
	return x < limit && x > -limit
}

// valueLen returns the length of the first value of b, 0 if there is none.
func valueLen(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	n := 1
	switch b[0] {
	case tagNull, tagFalse, tagTrue:
	case tagBigint, tagDate:
		_, n = uvarint(b[1:])
		n = after(n)
	case tagText, tagBytes, tagJSON:
		_, n = span(b[1:])
		n = after(n)
	case tagDouble, tagTimestamp:
		n = 9
	case tagDecimal, tagBigDec:
		n = decimalLen(b)
	default:
		return 0
	}
	if n > len(b) {
		return 0
	}
	return n
}

func decimalLen(b []byte) int {
	_, n := uvarint(b[1:])
	at := 1 + n
	if n == 0 || at >= len(b) {
		return 0
	}
	if b[0] == tagDecimal {
		_, n = uvarint(b[at:])
	} else if _, n = span(b[at+1:]); n > 0 {
		n++
	}
	if n == 0 {
		return 0
	}
	return at + n
}

// after adds the tag byte to the length of what follows it, keeping 0 for corrupt.
func after(n int) int {
	if n == 0 {
		return 0
	}
	return n + 1
}

// uvarint reads a varint in its shortest form; the length is 0 for anything else.
func uvarint(b []byte) (uint64, int) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	x, n := binary.Uvarint(b)
	if n <= 0 || b[n-1] == 0 {
		return 0, 0
	}
	return x, n
}

func varint(b []byte) (int64, int) {
	u, n := uvarint(b)
	return int64(u>>1) ^ -int64(u&1), n
}

// span reads a length and that many bytes.
func span(b []byte) ([]byte, int) {
	size, n := uvarint(b)
	if n == 0 || size > uint64(len(b)-n) {
		return nil, 0
	}
	end := n + int(size)
	return b[n:end:end], end
}
