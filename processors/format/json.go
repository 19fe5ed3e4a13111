package format

import (
	"bytes"
	"errors"
	"unicode/utf8"

	"github.com/valyala/fastjson"

	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/timeline/wire"
)

type jsonDecoder struct {
	common
	parser fastjson.Parser
	visit  func(name []byte, v *fastjson.Value) // d.field, bound once
	err    *Error                               // the first one met by field
}

// NewJSON returns the decoder of format json. It fails if o contradicts itself.
func NewJSON(o Options) (Decoder, error) {
	c, err := newCommon(o)
	if err != nil {
		return nil, err
	}
	d := &jsonDecoder{common: c}
	d.visit = d.field
	return d, nil
}

func (d *jsonDecoder) Decode(r Record) (Change, error) {
	if d.heartbeat(r) {
		return d.timeOnly(r)
	}
	ch, e := d.decode(r)
	if e != nil {
		return Change{}, e
	}
	return ch, nil
}

func (d *jsonDecoder) decode(r Record) (ch Change, e *Error) {
	if ch.Key, e = d.key(r.Key); e != nil {
		return ch, e
	}
	if e = d.headerPosition(r, &ch); e != nil {
		return ch, e
	}
	if r.Value == nil {
		ch.Kind = Delete
		ch.At, e = recordTime(r)
		return ch, e
	}
	if e = d.fill(ch.Key, r.Value); e != nil {
		return ch, e
	}
	ch.Kind, ch.Row = Upsert, d.row
	if d.timeCol >= 0 {
		ch.At, e = d.columnTime()
	} else {
		ch.At, e = recordTime(r)
	}
	return ch, e
}

func (d *jsonDecoder) key(text []byte) ([]row.Value, *Error) {
	if text == nil {
		return nil, fail(wire.NoKey, "", "the record has no key, wanted the key columns as text")
	}
	if !utf8.Valid(text) {
		return nil, fail(wire.Undecodable, "", "the record key %s is not UTF-8", show(text))
	}
	key, err := row.ParseKeyText(d.keyTypes, string(text))
	if err != nil {
		reason := wire.Undecodable
		if errors.Is(err, row.ErrNullKey) {
			reason = wire.NoKey
		}
		return nil, &Error{Reason: reason, Err: short(err)}
	}
	return key, nil
}

// fill decodes the object value into d.row.
func (d *jsonDecoder) fill(key []row.Value, value []byte) *Error {
	if !utf8.Valid(value) {
		return fail(wire.Undecodable, "", "the value is not UTF-8: %s", show(value))
	}
	v, err := d.parser.ParseBytes(value)
	if err != nil {
		return &Error{Reason: wire.Undecodable, Err: short(err)}
	}
	o, err := v.Object()
	if err != nil {
		return fail(wire.Undecodable, "", "the value is JSON %s, wanted an object or null for a "+
			"delete: %s",
			v.Type(), show(bytes.TrimSpace(value)))
	}
	d.startRow(key)
	d.cols.next, d.err = 0, nil
	o.Visit(d.visit)
	return d.err
}

// field sets the column of one field of the value.
func (d *jsonDecoder) field(name []byte, v *fastjson.Value) {
	i, ok := d.cols.find(name)
	if !ok || d.err != nil {
		return
	}
	val, err := row.ParseJSON(d.o.Schema.Columns[i].Type, v)
	if err != nil {
		d.err = d.badField(i, err)
		return
	}
	if d.cols.key[i] {
		d.err = d.agree(i, val)
		return
	}
	d.row[i] = val
}

func (c *common) badField(i int, err error) *Error {
	e := &Error{Reason: wire.Undecodable, Column: c.name(i), Err: short(err)}
	if i == c.timeCol {
		e.Reason = wire.NoEventTime
	}
	return e
}

// agree checks a key column that the value repeats against the record key.
func (c *common) agree(i int, v row.Value) *Error {
	if row.Equal(v, c.row[i]) {
		return nil
	}
	return fail(wire.Undecodable, c.name(i), "the value says %s but the record key %s",
		row.AppendJSON(nil, v), row.AppendJSON(nil, c.row[i]))
}
