package views

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/row"
)

// Table reads a view as values of T, a struct. A field takes the column that its tag
// `column:"name"` names, or that bears the field's name; case does not matter. Columns
// without a field are left out.
//
//	bigint     int64, int             boolean    bool
//	double     float64                timestamp  time.Time, timeline.Time
//	decimal    decimal.Decimal        date       time.Time, row.Days
//	text       string                 bytes      []byte
//	json       string, row.Document
//
// A column that may be null wants a pointer to one of these; a null for a field that is
// not a pointer is an error of that read.
type Table[T any] struct {
	view    *View
	setters []setter
}

// setter puts one column's value into one field.
type setter struct {
	column int
	field  int
	name   string
	set    func(dst reflect.Value, v row.Value) bool
}

// As returns v as a table of T. It fails if a field names no column, or one of another
// type.
func As[T any](v *View) (*Table[T], error) {
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("reading view %s as %s: want a struct", v.name, t)
	}
	table := &Table[T]{view: v}
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		name := f.Name
		if tag := f.Tag.Get("column"); tag != "" {
			name = tag
		}
		c := v.schema.Find(name)
		if c < 0 {
			return nil, fmt.Errorf("reading view %s as %s: field %s: there is no column %q; the view has %s",
				v.name, t, f.Name, name, columnNames(v.schema))
		}
		set, ok := setterFor(f.Type, v.schema.Columns[c].Type.Kind)
		if !ok {
			return nil, fmt.Errorf("reading view %s as %s: field %s cannot hold column %s of type %s",
				v.name, t, f.Name, name, v.schema.Columns[c].Type)
		}
		table.setters = append(table.setters, setter{column: c, field: i, name: name, set: set})
	}
	return table, nil
}

func columnNames(s row.Schema) string {
	names := make([]string, len(s.Columns))
	for i, c := range s.Columns {
		names[i] = c.Name
	}
	return strings.Join(names, ", ")
}

// View returns the view that the table reads.
func (t *Table[T]) View() *View { return t.view }

// Get returns the row under a key; see View.Get and Key.
func (t *Table[T]) Get(ctx context.Context, key string, opts ...Option) (T, bool, Answer, error) {
	var out T
	r, ok, a, err := t.view.Get(ctx, key, opts...)
	if err != nil || !ok {
		return out, ok, a, err
	}
	return out, true, a, t.fill(&out, r)
}

// Scan calls fn with every row in the range; see View.Scan.
func (t *Table[T]) Scan(
	ctx context.Context, r Range, fn func(T) (bool, error), opts ...Option,
) (Answer, error) {
	return t.view.Scan(ctx, r, func(r row.Row) (bool, error) {
		var out T
		if err := t.fill(&out, r); err != nil {
			return false, err
		}
		return fn(out)
	}, opts...)
}

func (t *Table[T]) fill(out *T, r row.Row) error {
	dst := reflect.ValueOf(out).Elem()
	for _, s := range t.setters {
		if !s.set(dst.Field(s.field), r[s.column]) {
			return fmt.Errorf("reading view %s: column %s is null; its field must be a pointer",
				t.view.name, s.name)
		}
	}
	return nil
}

// setterFor returns how a field of type t takes values of a kind.
func setterFor(t reflect.Type, k row.Kind) (func(reflect.Value, row.Value) bool, bool) {
	if t.Kind() == reflect.Pointer {
		inner, ok := setterFor(t.Elem(), k)
		return func(dst reflect.Value, v row.Value) bool {
			if v == nil {
				return true
			}
			dst.Set(reflect.New(t.Elem()))
			return inner(dst.Elem(), v)
		}, ok
	}
	convert, ok := converter(t, k)
	return func(dst reflect.Value, v row.Value) bool {
		if v == nil {
			return false
		}
		dst.Set(convert(v))
		return true
	}, ok
}

// converter returns how values of a kind become values of t.
func converter(t reflect.Type, k row.Kind) (func(row.Value) reflect.Value, bool) {
	plain := func(v row.Value) reflect.Value { return reflect.ValueOf(v).Convert(t) }
	is := func(types ...reflect.Type) bool {
		for _, want := range types {
			if t == want {
				return true
			}
		}
		return false
	}
	switch k {
	case row.Bigint:
		return plain, is(reflect.TypeFor[int64](), reflect.TypeFor[int]())
	case row.Double:
		return plain, is(reflect.TypeFor[float64]())
	case row.Decimal:
		return plain, is(reflect.TypeFor[decimal.Decimal]())
	case row.Text, row.JSON:
		return plain, t.Kind() == reflect.String
	case row.Boolean:
		return plain, is(reflect.TypeFor[bool]())
	case row.Bytes:
		return plain, is(reflect.TypeFor[[]byte]())
	case row.Timestamp:
		if is(reflect.TypeFor[timeline.Time]()) {
			return plain, true
		}
		return func(v row.Value) reflect.Value {
			at, _ := v.(timeline.Time)
			return reflect.ValueOf(at.Time())
		}, is(reflect.TypeFor[time.Time]())
	case row.Date:
		if is(reflect.TypeFor[row.Days]()) {
			return plain, true
		}
		return func(v row.Value) reflect.Value {
			days, _ := v.(row.Days)
			return reflect.ValueOf(time.Unix(int64(days)*86400, 0).UTC())
		}, is(reflect.TypeFor[time.Time]())
	}
	return nil, false
}

// Key returns the record key of key column values, in key order, as Get wants it: plain
// text for one, a JSON array for several. Besides the types that rows hold it takes int,
// int32 and time.Time.
func Key(vals ...any) (string, error) {
	out := make([]row.Value, len(vals))
	for i, v := range vals {
		switch v := v.(type) {
		case int64, float64, decimal.Decimal, string, bool, timeline.Time, row.Days, []byte:
			out[i] = v
		case int:
			out[i] = int64(v)
		case int32:
			out[i] = int64(v)
		case time.Time:
			out[i] = timeline.FromTime(v)
		default:
			return "", fmt.Errorf("making key: %w: value %d is a %T, no type of a key column",
				ErrBadKey, i+1, v)
		}
	}
	return row.KeyText(out), nil
}
