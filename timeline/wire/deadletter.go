package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/tideline/tideline/timeline"
)

// Reason says in one word why a record was not applied.
type Reason string

// The reasons.
const (
	Late           Reason = "late"            // at or before its partition's watermark
	Undecodable    Reason = "undecodable"     // not a change of its stream's declared format
	WrongPartition Reason = "wrong-partition" // its key belongs to another partition
	NoEventTime    Reason = "no-event-time"   // the declared source of event time is empty
	NoKey          Reason = "no-key"          // the record has no key
	Future         Reason = "future"          // further ahead of the clock than is plausible
	Unsupported    Reason = "unsupported"     // a change that has no meaning for rows
)

// DeadLetter is a record that was read but not applied, with where it stood and why.
type DeadLetter struct {
	Topic     string
	Partition int32
	Offset    int64
	Key       *string // nil if the record had none
	Value     []byte  // nil if the record had none
	Headers   map[string]string
	At        timeline.Time // event time; MinTime if unknown
	Reason    Reason
	Detail    string // for people: what exactly is wrong, and the cure
}

// DeadLetterKey returns the record key, "topic/partition/offset": the same record judged
// twice is one dead letter after compaction.
func (d DeadLetter) DeadLetterKey() string {
	return ClockKey(d.Topic, d.Partition) + "/" + strconv.FormatInt(d.Offset, 10)
}

// deadLetterJSON is a DeadLetter as people read it. What is not UTF-8 stands in base64
// beside, under its own name, since JSON cannot hold it.
type deadLetterJSON struct {
	Topic         string            `json:"topic"`
	Partition     int32             `json:"partition"`
	Offset        int64             `json:"offset"`
	Key           *string           `json:"key"`
	KeyBase64     []byte            `json:"key_base64,omitempty"`
	Value         *string           `json:"value"`
	ValueBase64   []byte            `json:"value_base64,omitempty"`
	Headers       map[string]string `json:"headers"`
	HeadersBase64 map[string][]byte `json:"headers_base64,omitempty"`
	Millis        *int64            `json:"ts"`
	At            *string           `json:"at"`
	Reason        Reason            `json:"reason"`
	Detail        string            `json:"detail"`
}

// AppendDeadLetter appends d as one line of JSON, its members always in the same order.
// A member that holds other bytes than UTF-8 is null, and its "_base64" twin has them.
// Header names are taken to be UTF-8, as Kafka's protocol says.
func AppendDeadLetter(dst []byte, d DeadLetter) []byte {
	j := deadLetterJSON{
		Topic: d.Topic, Partition: d.Partition, Offset: d.Offset,
		Reason: d.Reason, Detail: d.Detail, Headers: map[string]string{},
	}
	if d.Key != nil {
		j.Key, j.KeyBase64 = textOrBytes([]byte(*d.Key))
	}
	if d.Value != nil {
		j.Value, j.ValueBase64 = textOrBytes(d.Value)
	}
	for name, value := range d.Headers {
		if utf8.ValidString(value) {
			j.Headers[name] = value
			continue
		}
		if j.HeadersBase64 == nil {
			j.HeadersBase64 = map[string][]byte{}
		}
		j.HeadersBase64[name] = []byte(value)
	}
	if d.At != timeline.MinTime {
		ms, at := d.At.Millis(), d.At.String()
		j.Millis, j.At = &ms, &at
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(j); err != nil { // strings and numbers always encode
		panic(fmt.Sprintf("wire: encoding dead letter: %v", err))
	}
	return append(dst, bytes.TrimSuffix(buf.Bytes(), []byte{'\n'})...)
}

func textOrBytes(b []byte) (*string, []byte) {
	if !utf8.Valid(b) {
		return nil, b
	}
	s := string(b)
	return &s, nil
}

// DecodeDeadLetter reads what AppendDeadLetter wrote, and JSON edited by hand: members
// it does not know are ignored. The event time is "at", else "ts".
func DecodeDeadLetter(b []byte) (DeadLetter, error) {
	var j deadLetterJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return DeadLetter{}, fmt.Errorf("decoding dead letter: %w", err)
	}
	d := DeadLetter{
		Topic: j.Topic, Partition: j.Partition, Offset: j.Offset, Key: j.Key,
		Value: j.ValueBase64, At: timeline.MinTime, Reason: j.Reason, Detail: j.Detail,
	}
	if j.KeyBase64 != nil {
		key := string(j.KeyBase64)
		d.Key = &key
	}
	if j.Value != nil {
		d.Value = []byte(*j.Value)
	}
	if len(j.Headers)+len(j.HeadersBase64) > 0 {
		d.Headers = make(map[string]string, len(j.Headers)+len(j.HeadersBase64))
	}
	for name, value := range j.Headers {
		d.Headers[name] = value
	}
	for name, value := range j.HeadersBase64 {
		d.Headers[name] = string(value)
	}
	if j.Millis != nil {
		d.At = timeline.FromMillis(*j.Millis)
	}
	if j.At != nil {
		at, err := timeline.ParseTime(*j.At, timeline.MinTime)
		switch {
		case err == nil:
			d.At = at
		case j.Millis == nil:
			return DeadLetter{}, fmt.Errorf("decoding dead letter: member \"at\": %w", err)
		}
	}
	return d, nil
}
