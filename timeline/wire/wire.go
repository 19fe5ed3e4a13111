package wire

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tideline/tideline/timeline"
)

// format is the version byte all binary records begin with.
const format = 0x01

// Kind is the second byte of a record: what it is. Frozen.
type Kind uint8

// The kinds of records.
const (
	KindVersion    Kind = 1 // a Version, in table topics
	KindChange     Kind = 2 // a Change, in exchanges
	KindWatermark  Kind = 3 // a Watermark, in both
	KindClock      Kind = 4 // a Clock, in the clock topic
	KindDeadLetter Kind = 5 // a DeadLetter, in the dead-letter topic; JSON, without the byte
)

// String returns the kind in words.
func (k Kind) String() string {
	switch k {
	case KindVersion:
		return "version"
	case KindChange:
		return "change"
	case KindWatermark:
		return "watermark"
	case KindClock:
		return "clock"
	case KindDeadLetter:
		return "dead letter"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// headSize is the length of what all binary records begin with: format, kind, time.
const headSize = 10

var (
	errShort   = errors.New("record ends too early")
	errForeign = errors.New("not a record of this format version; the topic was written by " +
		"another program or a newer release")
	errCorrupt = errors.New("corrupt bytes: not written by this encoding")
)

// KindOf returns what kind of record b is, by its first bytes.
func KindOf(b []byte) (Kind, error) {
	if len(b) > 0 && b[0] == '{' {
		return KindDeadLetter, nil
	}
	if len(b) < headSize {
		return 0, fmt.Errorf("decoding record of %d bytes: %w", len(b), errShort)
	}
	if b[0] != format || b[1] < byte(KindVersion) || b[1] > byte(KindClock) {
		return 0, fmt.Errorf("decoding record that begins with % x: %w", b[:2], errForeign)
	}
	return Kind(b[1]), nil
}

// EventTime returns the event time of a binary record, for the timestamp of the Kafka
// record; not ok for dead letters, whose time may be unknown, and for foreign bytes.
func EventTime(b []byte) (timeline.Time, bool) {
	if k, err := KindOf(b); err != nil || k == KindDeadLetter {
		return 0, false
	}
	return timeAt(b), true
}

func timeAt(b []byte) timeline.Time { return timeline.Time(binary.BigEndian.Uint64(b[2:])) }

func appendHead(dst []byte, k Kind, at timeline.Time) []byte {
	return binary.BigEndian.AppendUint64(append(dst, format, byte(k)), uint64(at))
}

// reader takes a record apart. After the first failure it yields zeros, and failed
// stays set, so that a decoder checks once at its end.
type reader struct {
	rest   []byte
	failed bool
}

// open checks the head of a record of kind k and returns its time and the rest.
func open(b []byte, k Kind) (timeline.Time, reader, error) {
	got, err := KindOf(b)
	if err != nil {
		return 0, reader{}, err
	}
	if got != k {
		return 0, reader{}, fmt.Errorf("decoding record: found a %s, want a %s", got, k)
	}
	return timeAt(b), reader{rest: b[headSize:]}, nil
}

func (r *reader) byte() byte {
	if len(r.rest) == 0 {
		r.failed = true
		return 0
	}
	c := r.rest[0]
	r.rest = r.rest[1:]
	return c
}

// uvarint reads a number in its shortest form, at most limit.
func (r *reader) uvarint(limit uint64) uint64 {
	x, n := binary.Uvarint(r.rest)
	if n <= 0 || n > 1 && r.rest[n-1] == 0 || x > limit {
		r.failed, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return x
}

// bytes takes the next n bytes, nil for none.
func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.failed = true
		return nil
	}
	if n == 0 {
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

// remainder takes all that is left, nil for nothing.
func (r *reader) remainder() []byte { return r.bytes(uint64(len(r.rest))) }

// done ends the decoding of a record of kind k: an error if anything failed or is left.
func (r *reader) done(k Kind) error {
	if r.failed || len(r.rest) > 0 {
		return fmt.Errorf("decoding %s: %w", k, errCorrupt)
	}
	return nil
}
