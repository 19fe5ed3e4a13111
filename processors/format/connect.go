package format

import (
	"bytes"
	"strconv"

	"github.com/valyala/fastjson"
)

// connectField is what a Kafka Connect schema says about a column.
type connectField struct {
	typ   string // string, bytes, int64, ...
	name  string // logical type such as io.debezium.time.MicroTimestamp; may be empty
	scale int32  // of org.apache.kafka.connect.data.Decimal
}

// connectSchema holds the fields of the row (of a value) or of the whole key. nil
// stands for "not embedded".
type connectSchema map[string]connectField

// splitter takes the payload out of a JSON text that may embed its schema. Schemas
// are ten times larger than the rows and hardly ever change, so a text that starts
// with the bytes seen last time, up to the payload, is not looked at again.
type splitter struct {
	parser fastjson.Parser
	prefix []byte // of the last text with a schema, up to its payload
	last   connectSchema
	known  map[string]connectSchema
	inner  string // the schema field whose fields are wanted; empty: the top ones
}

// maxSchemas bounds what a splitter remembers; past it, it starts over.
const maxSchemas = 64

// split returns the payload and its schema. Text without an embedded schema is its own
// payload. Malformed text is returned whole, for the parser to complain about.
func (s *splitter) split(text []byte) ([]byte, connectSchema) {
	if n := len(text) - 1; len(s.prefix) > 0 && n >= len(s.prefix) && text[n] == '}' &&
		bytes.HasPrefix(text, s.prefix) {
		rest := text[len(s.prefix):n]
		// The payload is what remains only if nothing follows it.
		if end, ok := skipValue(rest, 0); ok && skipSpace(rest, end) == len(rest) {
			return rest[:end], s.last
		}
	}
	return s.splitSlowly(text)
}

func (s *splitter) splitSlowly(text []byte) ([]byte, connectSchema) {
	var schema, payload []byte
	var at, schemaAt int
	whole := eachField(text, func(name, value []byte, start int) bool {
		switch string(name) {
		case "schema":
			schema, schemaAt = value, start
		case "payload":
			payload, at = value, start
		default:
			return false // a bare envelope or key
		}
		return true
	})
	if !whole || schema == nil || payload == nil || schema[0] == '"' {
		return text, nil
	}
	if payload[0] != '{' && string(payload) != "null" {
		return text, nil
	}
	if string(schema) == "null" {
		return payload, nil
	}
	fields, ok := s.known[string(schema)]
	if !ok {
		if fields, ok = s.parse(schema); !ok {
			return text, nil
		}
		if s.known == nil || len(s.known) >= maxSchemas {
			s.known = make(map[string]connectSchema)
		}
		s.known[string(schema)] = fields
	}
	if schemaAt < at {
		s.prefix, s.last = append(s.prefix[:0], text[:at]...), fields
	}
	return payload, fields
}

// parse reads the fields out of a schema.
func (s *splitter) parse(text []byte) (connectSchema, bool) {
	v, err := s.parser.ParseBytes(text)
	if err != nil || v.Type() != fastjson.TypeObject {
		return nil, false
	}
	fields := v.GetArray("fields")
	if s.inner != "" {
		all := fields
		fields = nil
		for _, f := range all {
			if string(f.GetStringBytes("field")) == s.inner {
				fields = f.GetArray("fields")
			}
		}
	}
	out := make(connectSchema, len(fields))
	for _, f := range fields {
		scale, _ := strconv.ParseInt(string(f.GetStringBytes("parameters", "scale")), 10, 32)
		out[string(f.GetStringBytes("field"))] = connectField{
			typ:   string(f.GetStringBytes("type")),
			name:  string(f.GetStringBytes("name")),
			scale: int32(scale),
		}
	}
	return out, true
}
