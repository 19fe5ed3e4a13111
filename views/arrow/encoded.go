package arrow

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/shopspring/decimal"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/row"
)

// This file reads the encoding of row.AppendRow straight into Arrow builders. It
// knows what follows each tag byte, but not the tags: those are taken from the
// encoder itself. What is rare, it leaves to row.DecodeRow. A property test holds
// it to the records that the way over row.DecodeRow gives. Bytes that AppendRow does
// not write are an error or some value of the column's type, never a panic.

// samples holds one value of each kind, for its tag.
var samples = map[row.Kind]row.Value{
	row.Bigint:    int64(0),
	row.Double:    float64(0),
	row.Decimal:   decimal.New(1, 0),
	row.Text:      "",
	row.Boolean:   true,
	row.Timestamp: timeline.Time(0),
	row.Date:      row.Days(0),
	row.Bytes:     []byte{},
	row.JSON:      row.Document("0"),
}

var (
	tagNull  = encodedTag(nil)
	tagFalse = encodedTag(false)
)

func encodedTag(v row.Value) byte { return row.AppendRow(nil, row.Row{v})[0] }

// tagOf returns the tag of values of kind k (of a boolean: the tag of true; of a
// decimal: of one that fits an int64), false for an unknown kind.
func tagOf(k row.Kind) (byte, bool) {
	v, ok := samples[k]
	if !ok {
		return 0, false
	}
	return encodedTag(v), true
}

var errShort = errors.New("its bytes end in the middle")

// appendEncoded appends one encoded row. After an error the columns are of unequal
// length and must not be made into a record.
func appendEncoded(columns []column, b []byte) error {
	for i := range columns {
		c := &columns[i]
		if len(b) == 0 {
			return fmt.Errorf("row has %d values, the view has %d columns", i, len(columns))
		}
		n, err := c.appendEncoded(b)
		if err != nil {
			return fmt.Errorf("column %q: %w", c.name, err)
		}
		b = b[n:]
	}
	if len(b) > 0 {
		return fmt.Errorf("row has more values than the view's %d columns", len(columns))
	}
	return nil
}

// appendEncoded appends the first value of b, which is not empty, and returns its
// length in b.
func (c *column) appendEncoded(b []byte) (int, error) {
	switch b[0] {
	case tagNull:
		return 1, c.appendNull()
	case c.tag:
	default:
		return c.appendOther(b)
	}
	switch c.typ.Kind {
	case row.Bigint:
		x, n := binary.Varint(b[1:])
		if n <= 0 {
			return 0, errShort
		}
		c.builder.(*array.Int64Builder).Append(x)
		return 1 + n, nil
	case row.Text, row.JSON:
		s, end := span(b)
		if end == 0 {
			return 0, errShort
		}
		c.builder.(*array.StringBuilder).BinaryBuilder.Append(s)
		return end, nil
	case row.Timestamp:
		if len(b) < 9 {
			return 0, errShort
		}
		x := binary.LittleEndian.Uint64(b[1:])
		c.builder.(*array.TimestampBuilder).Append(arrow.Timestamp(x))
		return 9, nil
	case row.Decimal:
		return c.appendEncodedDecimal(b)
	case row.Double:
		if len(b) < 9 {
			return 0, errShort
		}
		x := binary.LittleEndian.Uint64(b[1:])
		c.builder.(*array.Float64Builder).Append(math.Float64frombits(x))
		return 9, nil
	case row.Boolean:
		c.builder.(*array.BooleanBuilder).Append(true)
		return 1, nil
	case row.Bytes:
		s, end := span(b)
		if end == 0 {
			return 0, errShort
		}
		c.builder.(*array.BinaryBuilder).Append(s)
		return end, nil
	}
	return c.appendOther(b) // dates: few, and varints with a range to check
}

// appendEncodedDecimal appends a decimal whose digits fit an int64: its scale as a
// uvarint, its digits as a varint.
func (c *column) appendEncodedDecimal(b []byte) (int, error) {
	scale, n := binary.Uvarint(b[1:])
	if n <= 0 || scale > math.MaxInt32 {
		return 0, errShort
	}
	x, m := binary.Varint(b[1+n:])
	if m <= 0 {
		return 0, errShort
	}
	if c.appendShort(x, int(scale)) {
		return 1 + n + m, nil
	}
	return c.appendOther(b)
}

// appendOther appends the first value of b by way of its Go value.
func (c *column) appendOther(b []byte) (int, error) {
	if b[0] == tagFalse && c.typ.Kind == row.Boolean {
		c.builder.(*array.BooleanBuilder).Append(false)
		return 1, nil
	}
	n, err := row.Skip(b)
	if err != nil {
		return 0, err
	}
	values, err := row.DecodeRow(b[:n])
	if err != nil {
		return 0, err
	}
	_, err = c.appendValue(values[0])
	return n, err
}

// span returns the bytes of a value that has its length after the tag, and where in b
// they end; 0 if b is too short.
func span(b []byte) (s []byte, end int) {
	size, n := binary.Uvarint(b[1:])
	if n <= 0 || size > uint64(len(b)-1-n) {
		return nil, 0
	}
	end = 1 + n + int(size)
	return b[1+n : end], end
}
