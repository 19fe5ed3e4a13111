package format

import (
	"bytes"
	"unicode/utf8"

	"github.com/valyala/fastjson"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/timeline/wire"
)

type debezium struct {
	common
	keys, values splitter
	keyParser    fastjson.Parser
	valueParser  fastjson.Parser
	content      fastjson.Parser // of JSON documents written as strings
	arena        fastjson.Arena
	key          []row.Value
	schema       connectSchema // of the object that visit walks
	visit        func(name []byte, v *fastjson.Value)
	err          *Error
}

// NewDebezium returns the decoder of format debezium. It fails if o contradicts itself.
func NewDebezium(o Options) (Decoder, error) {
	c, err := newCommon(o)
	if err != nil {
		return nil, err
	}
	d := &debezium{common: c, values: splitter{inner: "after"}}
	d.key = make([]row.Value, len(o.Schema.Key))
	d.visit = d.field
	return d, nil
}

func (d *debezium) Decode(r Record) (Change, error) {
	if d.heartbeat(r) {
		return d.timeOnly(r)
	}
	ch, e := d.decode(r)
	if e != nil {
		return Change{}, e
	}
	return ch, nil
}

var ignored = Change{Kind: Ignore, At: timeline.MinTime}

func (d *debezium) decode(r Record) (Change, *Error) {
	if r.Value == nil {
		return ignored, nil // the tombstone that follows a delete, for compaction
	}
	if !utf8.Valid(r.Value) {
		return Change{}, fail(wire.Undecodable, "", "the value is not UTF-8: %s", show(r.Value))
	}
	payload, schema := d.values.split(r.Value)
	v, err := d.valueParser.ParseBytes(payload)
	if err != nil {
		return Change{}, &Error{Reason: wire.Undecodable, Err: short(err)}
	}
	if v.Type() == fastjson.TypeNull {
		return ignored, nil // a tombstone with a schema around it
	}
	if v.Type() != fastjson.TypeObject {
		return Change{}, notEnvelope(payload)
	}
	op := v.Get("op")
	if op == nil && isTransaction(v) {
		return ignored, nil
	}
	switch string(op.GetStringBytes()) {
	case "c", "r", "u":
		return d.upsert(r, v, schema)
	case "d":
		return d.remove(r, v)
	case "m":
		return ignored, nil
	case "t":
		return Change{}, fail(wire.Unsupported, "", "the source table was truncated, which "+
			"no change of a row can say; delete rows with DELETE instead of TRUNCATE, or "+
			"snapshot the table into a new topic")
	}
	return Change{}, notEnvelope(payload)
}

func notEnvelope(payload []byte) *Error {
	return fail(wire.Undecodable, "", "the value is no Debezium envelope (no op of c, r, u, d, "+
		"t or m); a topic unwrapped by ExtractNewRecordState is not format debezium: %s",
		show(bytes.TrimSpace(payload)))
}

// isTransaction tells transaction metadata: BEGIN and END of a transaction.
func isTransaction(v *fastjson.Value) bool {
	status := string(v.GetStringBytes("status"))
	return (status == "BEGIN" || status == "END") && v.Get("id") != nil && v.Exists("event_count")
}

func (d *debezium) remove(r Record, v *fastjson.Value) (Change, *Error) {
	ch := Change{Kind: Delete}
	var e *Error
	if ch.Key, e = d.recordKey(r.Key); e != nil {
		return ch, e
	}
	source := v.Get("source")
	if ch.At, e = commitTime(source); e != nil {
		return ch, e
	}
	return ch, d.position(r, v, source, &ch)
}

func (d *debezium) upsert(r Record, v *fastjson.Value, s connectSchema) (Change, *Error) {
	ch := Change{Kind: Upsert, Row: d.row}
	var e *Error
	if ch.Key, e = d.recordKey(r.Key); e != nil {
		return ch, e
	}
	after := v.Get("after")
	if after == nil || after.Type() != fastjson.TypeObject {
		return ch, fail(wire.Undecodable, "", "the envelope has op %s but no object after", v.Get("op"))
	}
	d.startRow(ch.Key)
	if e = d.walk(after, s); e != nil {
		return ch, e
	}
	source := v.Get("source")
	if d.timeCol >= 0 {
		ch.At, e = d.columnTime()
	} else {
		ch.At, e = commitTime(source)
	}
	if e != nil {
		return ch, e
	}
	return ch, d.position(r, v, source, &ch)
}

func (d *debezium) position(r Record, v, source *fastjson.Value, ch *Change) *Error {
	if d.o.PositionHeader != "" {
		return d.headerPosition(r, ch)
	}
	ch.Position, ch.HasPosition = logPosition(v, source)
	ch.TiesAllowed = ch.HasPosition
	return nil
}

// walk decodes the fields of o into d.row.
func (d *debezium) walk(o *fastjson.Value, s connectSchema) *Error {
	d.cols.next, d.err, d.schema = 0, nil, s
	o.GetObject().Visit(d.visit)
	return d.err
}

func (d *debezium) field(name []byte, v *fastjson.Value) {
	i, ok := d.cols.find(name)
	if !ok || d.err != nil {
		return
	}
	val, err := d.convert(i, name, v)
	switch {
	case err != nil:
		d.err = d.badField(i, err)
	case d.cols.key[i]:
		d.err = d.agree(i, val)
	default:
		d.row[i] = val
	}
}

// recordKey decodes the record key, an object with a field a key column.
func (d *debezium) recordKey(text []byte) ([]row.Value, *Error) {
	if text == nil {
		return nil, fail(wire.NoKey, "", "the record has no key; give the table a primary key or set "+
			"message.key.columns")
	}
	payload, schema := d.keys.split(text)
	v, err := d.keyParser.ParseBytes(payload)
	if err != nil || v.Type() != fastjson.TypeObject || !utf8.Valid(text) {
		return nil, fail(wire.Undecodable, "", "the record key %s is not a JSON object; set "+
			"key.converter to org.apache.kafka.connect.json.JsonConverter", show(text))
	}
	d.schema = schema
	for n, i := range d.o.Schema.Key {
		f := v.Get(d.name(i))
		if f == nil || f.Type() == fastjson.TypeNull {
			return nil, fail(wire.NoKey, d.name(i), "is missing or null in the record key %s", show(payload))
		}
		if d.key[n], err = d.convert(i, []byte(d.name(i)), f); err != nil {
			return nil, &Error{Reason: wire.Undecodable, Column: d.name(i), Err: short(err)}
		}
		if d.key[n] == nil {
			return nil, fail(wire.NoKey, d.name(i), "is null in the record key %s", show(payload))
		}
	}
	if n := v.GetObject().Len(); n != len(d.key) {
		return nil, fail(wire.Undecodable, "", "the record key %s has %d columns but the stream "+
			"declares %d; declare them all, or rows that differ would share a key",
			show(payload), n, len(d.key))
	}
	return d.key, nil
}
