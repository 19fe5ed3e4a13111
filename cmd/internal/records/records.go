package records

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Line is one record to produce, or a pause if WaitWatermark is set.
type Line struct {
	Topic     string      // empty: the caller's default
	Partition *int32      // nil: chosen by the key
	Key       *string     // nil: the record has no key
	Value     []byte      // nil: null, a deletion
	TS        *int64      // record timestamp, milliseconds since the Unix epoch; nil: now
	Headers   [][2]string // name and value, in the order of the line
	// WaitWatermark, in milliseconds, asks to deliver no further until the least
	// watermark over all streams has reached it. The other fields are then empty.
	WaitWatermark *int64
}

// text is the JSON of a line; RawMessage keeps what R1 must not touch.
type text struct {
	Topic         *string         `json:"topic"`
	Partition     *int32          `json:"partition"`
	Key           json.RawMessage `json:"key"`
	Value         json.RawMessage `json:"value"`
	TS            *int64          `json:"ts"`
	Headers       json.RawMessage `json:"headers"`
	WaitWatermark *int64          `json:"wait_watermark"`
}

// Read calls fn with every line of r and its number, counting from 1; blank lines are
// skipped. It stops at the first bad line or error of fn and returns it, naming the
// line. What fn gets is its own to keep.
func Read(r io.Reader, fn func(n int, l Line) error) error {
	in := newLines(r)
	for {
		raw, err := in.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading line %d: %w", in.n, err)
		}
		l, err := Parse(raw)
		if err == nil {
			err = fn(in.n, l)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", in.n, err)
		}
	}
}

// Parse reads one line. The result does not alias raw.
func Parse(raw []byte) (Line, error) {
	var t text
	if err := json.Unmarshal(raw, &t); err != nil {
		return Line{}, explain(err)
	}
	if t.WaitWatermark != nil {
		if t.Topic != nil || t.Key != nil || t.Value != nil {
			return Line{}, errors.New("reading record: a wait_watermark line holds nothing else")
		}
		return Line{WaitWatermark: t.WaitWatermark}, nil
	}
	if t.Value == nil {
		return Line{}, errors.New(
			`reading record: member "value" is missing; write null to delete the row`)
	}
	l := Line{Partition: t.Partition, TS: t.TS}
	if t.Topic != nil {
		l.Topic = *t.Topic
	}
	if t.Partition != nil && *t.Partition < 0 {
		return Line{}, fmt.Errorf("reading record: partition %d: want 0 or more", *t.Partition)
	}
	if key := plain(t.Key); key != nil {
		s := string(key)
		l.Key = &s
	}
	l.Value = plain(t.Value)
	var err error
	l.Headers, err = headers(t.Headers)
	return l, err
}

// explain says where in the line the JSON is broken, or which member does not fit.
func explain(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("reading record: not JSON at byte %d: %w", syntax.Offset, err)
	}
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) && kind.Field != "" {
		return fmt.Errorf("reading record: member %q is a JSON %s; want %s",
			kind.Field, kind.Value, wanted(kind.Field))
	}
	return fmt.Errorf("reading record: want a JSON object: %w", err)
}

func wanted(field string) string {
	switch field {
	case "topic":
		return "a string"
	case "partition":
		return "a whole number"
	}
	return "a whole number of milliseconds"
}

// plain returns the bytes a JSON value stands for by R1; nil for null or nothing.
// The JSON was checked when the line was read.
func plain(v json.RawMessage) []byte {
	if len(v) == 0 || string(v) == "null" {
		return nil
	}
	if v[0] == '"' {
		var s string
		if json.Unmarshal(v, &s) == nil {
			return append([]byte{}, s...) // an empty string is not null
		}
	}
	var buf bytes.Buffer
	if json.Compact(&buf, v) != nil {
		return v
	}
	return buf.Bytes()
}
