package feed

import (
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/align"
	"github.com/tideline/tideline/timeline/kafka"
	"github.com/tideline/tideline/timeline/wire"
)

// Kind says what a decoded record is.
type Kind uint8

// The kinds of decoded records.
const (
	// Change is an upsert or delete of a row.
	Change Kind = iota
	// Heartbeat only advances event time.
	Heartbeat
	// Nothing is a record without meaning for the table, such as a Debezium tombstone.
	Nothing
)

// Decoded is a stream's record, read.
type Decoded struct {
	Kind        Kind
	Op          wire.Op
	Key         []byte // canonical record key of the row
	Row         []byte // encoded row of the columns that travel; empty for a delete
	At          timeline.Time
	Position    int64
	HasPosition bool
	TiesAllowed bool
}

// Decoder reads the records of one stream partition. Key and Row may be reused by the
// next call. An error that is a *DecodeError sends the record to the dead letters; any
// other error stops the group.
type Decoder interface {
	Decode(r *kgo.Record, into *Decoded) error
}

// DecodeError says why a record cannot be applied.
type DecodeError struct {
	Reason wire.Reason
	At     timeline.Time // the record's event time; timeline.MinTime if unknown
	Err    error
}

func (e *DecodeError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *DecodeError) Unwrap() error { return e.Err }

// Input is one topic that a stage reads.
type Input struct {
	Topic string
	// Senders is the number of senders of an exchange; 0 for a stream.
	Senders int
	// NewDecoder makes a decoder per partition; streams only.
	NewDecoder func() (Decoder, error)
	// Disordered, Lateness, Clocked are as in align.Input.
	Disordered bool
	Lateness   time.Duration
	Clocked    bool
	// MaxAhead is how far past the clock an event time may lie; streams only.
	MaxAhead time.Duration
	// LateFail and ErrorFail stop the group at a late or an unreadable record, instead
	// of sending it to the dead letters.
	LateFail, ErrorFail bool
}

// Config describes the group of one stage.
type Config struct {
	Kafka      kafka.Config
	Group      string
	Inputs     []Input
	Partitions int
	// InstanceID makes the member static (KIP-345): a restart within SessionTimeout
	// keeps its partitions. Empty: a dynamic member.
	InstanceID     string
	SessionTimeout time.Duration // default 45 s
	// Memory bounds the pending changes of one partition, in bytes.
	Memory int64
	// Spool is where a partition's pending changes go that do not fit; nil: nowhere.
	Spool func(partition int32) align.Spool
	// CommitEvery and WatermarkEvery pace commits and watermark frames.
	CommitEvery, WatermarkEvery time.Duration
	// Ends, if not nil, makes this a bounded replay: each stream partition is read to
	// the offset given and is then complete up to Final.
	Ends  map[string][]int64
	Final *Final
	// Clock delivers the clock topic to clocked streams; nil if none is clocked.
	Clock *Clock
	// Future knows the records that were rejected as implausibly far in the future, so
	// that all who read them leave out the same; nil: nobody else reads them.
	Future *Future
	// Now is the wall clock, for MaxAhead.
	Now func() time.Time
	// Committed is told of every successful commit of a partition; may be nil.
	Committed func(partition int32, cut timeline.Stamp)
}

// Final is the instant up to which a bounded replay makes everything final: its start, or
// the greatest event time that it reads, if clocks elsewhere are ahead. All groups of a
// process share it.
type Final struct{ at atomic.Int64 }

// NewFinal returns a Final at t.
func NewFinal(t timeline.Time) *Final {
	f := new(Final)
	f.at.Store(int64(t))
	return f
}

// At returns the instant.
func (f *Final) At() timeline.Time { return timeline.Time(f.at.Load()) }

// Raise moves the instant on to t, unless it is later already.
func (f *Final) Raise(t timeline.Time) {
	for old := f.at.Load(); int64(t) > old; old = f.at.Load() {
		if f.at.CompareAndSwap(old, int64(t)) {
			return
		}
	}
}

func (c *Config) topics() []string {
	topics := make([]string, len(c.Inputs))
	for i, in := range c.Inputs {
		topics[i] = in.Topic
	}
	return topics
}

func (c *Config) inputOf(topic string) int {
	for i, in := range c.Inputs {
		if in.Topic == topic {
			return i
		}
	}
	return -1
}

func (c *Config) alignInputs() []align.Input {
	out := make([]align.Input, len(c.Inputs))
	for i, in := range c.Inputs {
		out[i] = align.Input{
			Name: in.Topic, Senders: in.Senders, Disordered: in.Disordered,
			Lateness: timeline.Duration(in.Lateness), Clocked: in.Clocked,
		}
	}
	return out
}
