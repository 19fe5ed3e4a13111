package format

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/timeline/wire"
)

// noTimestamp is Kafka's mark (-1 ms) for a record that has no timestamp.
const noTimestamp timeline.Time = -1000

// Record is a record of a stream as read from Kafka.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	Key       []byte // nil: the record has no key; empty: the key is the empty text
	Value     []byte // nil: null
	// Timestamp is the record's own, in microseconds UTC.
	Timestamp timeline.Time
	// Header returns the value of the named header and whether the record has it.
	// May be nil: no headers.
	Header func(name string) ([]byte, bool)
}

// Kind says what a record does.
type Kind uint8

// The kinds of changes.
const (
	// Upsert sets the row of a key.
	Upsert Kind = iota + 1
	// Delete removes the row of a key.
	Delete
	// TimeOnly carries an event time and nothing else: a heartbeat.
	TimeOnly
	// Ignore has no effect and counts as applied: a tombstone after a Debezium delete,
	// a logical message, transaction metadata. It says nothing about time.
	Ignore
)

// String returns the kind's name in lower case.
func (k Kind) String() string {
	switch k {
	case Upsert:
		return "upsert"
	case Delete:
		return "delete"
	case TimeOnly:
		return "time only"
	case Ignore:
		return "ignore"
	}
	return "kind " + strconv.Itoa(int(k))
}

// Change is a decoded record.
type Change struct {
	Kind Kind
	Key  []row.Value // in key order; nil unless Upsert or Delete
	Row  row.Row     // all columns in schema order, key columns included; nil unless Upsert
	// At is the event time, microseconds UTC. timeline.MinTime for Ignore: an ignored
	// record must not move a watermark.
	At timeline.Time
	// Position is the place in the source's log; meaningful only if HasPosition.
	Position    int64
	HasPosition bool
	// TiesAllowed: distinct changes may share a position, so that only a smaller one
	// marks a repeat. False: an equal one does too.
	TiesAllowed bool
}

// Decoder decodes the records of one stream. It reuses its buffers: Key and Row of
// the Change are valid until the next call. Not safe for concurrent use. Every error
// is an *Error.
type Decoder interface {
	Decode(r Record) (Change, error)
}

// Options describe a stream. Whether a record lies in the partition of its key is for
// the caller to check.
type Options struct {
	Schema row.Schema // at least one key column
	// TimeColumn names the column that holds the event time of an upsert: a timestamp, or
	// a bigint of milliseconds since 1970.
	// Empty: the record's timestamp, for Debezium the source's commit time. Deletes,
	// whose values have no columns, always take the latter.
	TimeColumn string
	// PositionHeader names the header that holds the position as a decimal integer.
	// Empty: none, for Debezium what the envelope says. A record without the header
	// has no position.
	PositionHeader string
	// HeartbeatPrefix starts the keys of records that carry only time. Empty: none do.
	HeartbeatPrefix string
}

// Error says why a record has no change. It is meant for the dead-letter topic.
type Error struct {
	Reason wire.Reason
	Column string // the column at fault; empty if none is
	Err    error
}

// Error returns the column and the cause.
func (e *Error) Error() string {
	if e.Column == "" {
		return "decoding record: " + e.Err.Error()
	}
	return fmt.Sprintf("decoding record: column %q: %v", e.Column, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func fail(reason wire.Reason, column, text string, args ...any) *Error {
	return &Error{Reason: reason, Column: column, Err: fmt.Errorf(text, args...)}
}

// common is what the formats share: the row being filled, heartbeats and positions.
type common struct {
	o        Options
	cols     columns
	keyTypes []row.Type
	timeCol  int // index into the schema's columns; -1: none
	heart    []byte
	row      row.Row
}

func newCommon(o Options) (common, error) {
	c := common{o: o, timeCol: -1, heart: []byte(o.HeartbeatPrefix)}
	if len(o.Schema.Key) == 0 {
		return c, errors.New("setting up a decoder: the stream has no key column; declare key")
	}
	var err error
	if c.cols, err = newColumns(o.Schema); err != nil {
		return c, err
	}
	for _, i := range o.Schema.Key {
		c.keyTypes = append(c.keyTypes, o.Schema.Columns[i].Type)
	}
	if o.TimeColumn != "" {
		i, ok := c.cols.byName[o.TimeColumn]
		if !ok {
			return c, fmt.Errorf("setting up a decoder: time column %q is not among the columns",
				o.TimeColumn)
		}
		if t := o.Schema.Columns[i].Type; t.Kind != row.Timestamp && t.Kind != row.Bigint {
			return c, fmt.Errorf("setting up a decoder: time column %q is %s; declare it timestamp, "+
				"or bigint if it counts milliseconds", o.TimeColumn, t)
		}
		c.timeCol = i
	}
	c.row = make(row.Row, len(o.Schema.Columns))
	return c, nil
}

func (c *common) name(i int) string { return c.o.Schema.Columns[i].Name }

func (c *common) heartbeat(r Record) bool {
	return len(c.heart) > 0 && bytes.HasPrefix(r.Key, c.heart)
}

// recordTime returns the record's own timestamp.
func recordTime(r Record) (timeline.Time, *Error) {
	if r.Timestamp == noTimestamp || r.Timestamp == timeline.MinTime {
		return 0, fail(wire.NoEventTime, "", "the record has no timestamp; "+
			"let the producer set one or declare time: {column: ...}")
	}
	return r.Timestamp, nil
}

// headerPosition fills ch's position from the header, if the stream declares one.
func (c *common) headerPosition(r Record, ch *Change) *Error {
	if c.o.PositionHeader == "" || r.Header == nil {
		return nil
	}
	b, ok := r.Header(c.o.PositionHeader)
	if !ok {
		return nil
	}
	p, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return fail(wire.Undecodable, "", "position header %q is %s, wanted a decimal integer",
			c.o.PositionHeader, show(b))
	}
	ch.Position, ch.HasPosition, ch.TiesAllowed = p, true, false
	return nil
}

// timeOnly decodes a heartbeat.
func (c *common) timeOnly(r Record) (Change, error) {
	at, e := recordTime(r)
	if e != nil {
		return Change{}, e
	}
	ch := Change{Kind: TimeOnly, At: at}
	if e := c.headerPosition(r, &ch); e != nil {
		return Change{}, e
	}
	return ch, nil
}

// columnTime returns the event time of the row just filled.
func (c *common) columnTime() (timeline.Time, *Error) {
	switch v := c.row[c.timeCol].(type) {
	case timeline.Time:
		return v, nil
	case int64:
		if at, err := within(v, 1000); err == nil {
			return at.(timeline.Time), nil
		}
		return 0, fail(wire.NoEventTime, c.name(c.timeCol), "is %d, which as milliseconds is "+
			"outside the years 0 to 9999", v)
	}
	return 0, fail(wire.NoEventTime, c.name(c.timeCol), "is missing or null, wanted the event time")
}

// startRow clears the row but for the key columns, which it sets.
func (c *common) startRow(key []row.Value) {
	clear(c.row)
	for i, k := range c.o.Schema.Key {
		c.row[k] = key[i]
	}
}

// show quotes the start of b for an error message.
func show[T []byte | string](b T) string {
	const most = 60
	if len(b) > most {
		return strconv.Quote(string(b[:most])) + "..."
	}
	return strconv.Quote(string(b))
}

// short bounds the text of an error that may quote a whole record.
func short(err error) error {
	const most = 300
	if s := err.Error(); len(s) > most {
		return errors.New(s[:most] + "...")
	}
	return err
}
