package align

import (
	"io"

	"github.com/tideline/tideline/timeline"
)

// Input describes one input partition of the merge.
type Input struct {
	// Name is the topic, for errors and descriptions.
	Name string
	// Senders is 0 for a stream (one lane) and, for an exchange, the number of its
	// senders, which have the numbers 0 to Senders-1 and a lane each.
	Senders int
	// Disordered says that a stream's event times may go back by up to Lateness. If
	// false, its order is that of its log.
	Disordered bool
	// Lateness of a disordered stream, in microseconds: a record exactly this far
	// behind the greatest event time is still on time.
	Lateness timeline.Time
	// Clocked says that entries of the clock topic advance this stream (see Clock).
	Clocked bool
}

// Config describes a merge.
type Config struct {
	Inputs []Input
	// Memory limits the bytes of records kept in memory (payload plus a fixed
	// overhead for each). Half of it is for inputs that run ahead, the other half for
	// the one that holds the merge back. 0 = no limit.
	Memory int64
	// Spool takes what does not fit into Memory; nil = never spill.
	Spool Spool
}

// Spool makes the temporary files that hold what does not fit into memory.
type Spool interface {
	Create() (SpoolFile, error)
}

// SpoolFile is one temporary file, written once from its start and then read back.
type SpoolFile interface {
	io.WriterAt
	io.ReaderAt
	// Close deletes the file.
	Close() error
}

// Record is one record of an input partition.
type Record struct {
	Input  int
	Sender int32 // exchanges: who said it; streams: 0
	Offset int64 // Kafka's offset; strictly increasing along an input, with gaps
	// At is the event time. A delivered record carries the time that counts, which in
	// an input in log order may be its predecessor's.
	At timeline.Time
	// N and Output are, for exchanges, the sender's sequence within an instant.
	N      uint64
	Output uint32
	// Position is, for streams, the place in the source, if HasPosition. It never goes
	// back along a partition: a record not beyond the greatest seen is a Duplicate.
	Position    int64
	HasPosition bool
	// TiesAllowed lets several records share one Position: only a smaller one is a
	// Duplicate then.
	TiesAllowed bool
	// TimeOnly marks a heartbeat: it advances time and is never delivered.
	TimeOnly bool
	// Data is opaque and comes back on delivery; it must not change meanwhile.
	Data []byte
}

// Verdict is what became of a pushed record.
type Verdict uint8

// The verdicts. Accepted and Raised records will be delivered; the Ref of a Late one
// must be marked once its dead letter is safe; the others need nothing more.
const (
	Accepted  Verdict = iota // will be delivered (or, if TimeOnly, has advanced time)
	Duplicate                // has been said before; without any effect
	Late                     // at or before its lane's watermark; to be dead-lettered
	Raised                   // accepted at its predecessor's event time, later than its own
	Skipped                  // orders at or before the cut: applied before the restart
	Waiting                  // not judged before the clock topic has passed it; see NextLate
)

var verdictNames = [...]string{"accepted", "duplicate", "late", "raised", "skipped", "waiting"}

// String returns the verdict in one lower-case word.
func (v Verdict) String() string {
	if int(v) < len(verdictNames) {
		return verdictNames[v]
	}
	return "unknown"
}

// Ref names something that must be marked when all it caused is safe: a delivery, or a
// record that goes to the dead letters. It is valid for one Merge; 0 names nothing.
type Ref uint64

// Delivery is a record whose turn in the total order has come.
type Delivery struct {
	Ref    Ref
	Stamp  timeline.Stamp // N counts the deliveries of the instant in this partition, from 0
	Record Record
}

// Hold is a lane that holds the merge back.
type Hold struct {
	Input  int
	Sender int32
	Bound  timeline.Time // the next record of the lane may be as early as this
}
