package arrow

import (
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/shopspring/decimal"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/row"
)

// fixedSize is what a value of fixed width counts towards maxBatchBytes.
const fixedSize = 8

// column appends the values of one column to its Arrow builder.
type column struct {
	name     string
	typ      row.Type
	nullable bool
	builder  array.Builder
	tag      byte // tag of a value in the encoding of row.AppendRow; see encoded.go
	decimals decimals
}

func newColumn(c row.Column, nullable bool, b array.Builder) (column, error) {
	out := column{name: c.Name, typ: c.Type, nullable: nullable, builder: b}
	tag, ok := tagOf(c.Type.Kind)
	if !ok {
		return out, fmt.Errorf("column %q: its type %v has no Arrow type", c.Name, c.Type)
	}
	out.tag = tag
	if c.Type.Kind == row.Decimal {
		digits, scale := decimalShape(c.Type)
		if digits > maxDigits256 || scale > digits {
			return out, fmt.Errorf("column %q: %v exceeds Arrow's decimals of %d digits",
				c.Name, c.Type, maxDigits256)
		}
		out.decimals = decimals{digits: digits, scale: scale}
	}
	return out, nil
}

// appendRow appends one row and returns its size in bytes, roughly. After an error
// the columns are of unequal length and must not be made into a record.
func appendRow(columns []column, r row.Row) (int, error) {
	if len(r) != len(columns) {
		return 0, fmt.Errorf("row has %d values, the view has %d columns", len(r), len(columns))
	}
	size := 0
	for i := range columns {
		n, err := columns[i].appendValue(r[i])
		if err != nil {
			return 0, fmt.Errorf("column %q: %w", columns[i].name, err)
		}
		size += n
	}
	return size, nil
}

// appendValue appends v and returns its size in bytes, roughly.
func (c *column) appendValue(v row.Value) (int, error) {
	switch x := v.(type) {
	case nil:
		return 1, c.appendNull()
	case int64:
		if b, ok := c.builder.(*array.Int64Builder); ok {
			b.Append(x)
			return fixedSize, nil
		}
	case float64:
		if b, ok := c.builder.(*array.Float64Builder); ok {
			b.Append(x)
			return fixedSize, nil
		}
	case string:
		if b, ok := c.builder.(*array.StringBuilder); ok && c.typ.Kind == row.Text {
			b.Append(x)
			return len(x), nil
		}
	case bool:
		if b, ok := c.builder.(*array.BooleanBuilder); ok {
			b.Append(x)
			return 1, nil
		}
	case timeline.Time:
		if b, ok := c.builder.(*array.TimestampBuilder); ok {
			b.Append(arrow.Timestamp(x))
			return fixedSize, nil
		}
	case decimal.Decimal:
		if c.typ.Kind == row.Decimal {
			return 2 * fixedSize, c.appendDecimal(x)
		}
	default:
		return c.appendRare(v)
	}
	return 0, c.mismatch(v)
}

// appendRare goes on where appendValue, kept short for speed, ends.
func (c *column) appendRare(v row.Value) (int, error) {
	switch x := v.(type) {
	case row.Days:
		if b, ok := c.builder.(*array.Date32Builder); ok {
			b.Append(arrow.Date32(x))
			return fixedSize, nil
		}
	case []byte:
		if b, ok := c.builder.(*array.BinaryBuilder); ok {
			b.Append(x)
			return len(x), nil
		}
	case row.Document:
		if b, ok := c.builder.(*array.StringBuilder); ok && c.typ.Kind == row.JSON {
			b.Append(string(x))
			return len(x), nil
		}
	}
	return 0, c.mismatch(v)
}

func (c *column) appendNull() error {
	if !c.nullable {
		return fmt.Errorf("null in a key column")
	}
	c.builder.AppendNull()
	return nil
}

func (c *column) mismatch(v row.Value) error {
	return fmt.Errorf("value of Go type %T does not fit %v", v, c.typ)
}
