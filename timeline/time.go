package timeline

import (
	"math"
	"time"
)

// Time is an instant: microseconds since the Unix epoch, UTC. Event times,
// watermarks, horizons and the instants that reads name are all of this type.
type Time int64

// Bounds of Time. MinTime stands for "before everything", MaxTime for "after everything".
const (
	MinTime Time = math.MinInt64
	MaxTime Time = math.MaxInt64
)

// FromMillis converts milliseconds since the Unix epoch, Kafka's unit, to a Time.
func FromMillis(ms int64) Time { return Time(ms) * 1000 }

// FromTime converts a time.Time, dropping what is finer than a microsecond.
func FromTime(t time.Time) Time { return Time(t.UnixMicro()) }

// Millis returns t in milliseconds since the Unix epoch, rounded down.
func (t Time) Millis() int64 {
	ms := int64(t) / 1000
	if int64(t)%1000 < 0 {
		ms--
	}
	return ms
}

// Time returns t as a time.Time in UTC.
func (t Time) Time() time.Time { return time.UnixMicro(int64(t)).UTC() }

// Duration converts d to microseconds, the unit of differences between Times.
func Duration(d time.Duration) Time { return Time(d.Microseconds()) }

// Stamp identifies a message within one partition of a stage: its event time and
// its number among the messages of that instant. Stamps grow strictly along the
// merged order and are the same after a re-execution.
type Stamp struct {
	At Time
	N  uint64
}

// Compare orders stamps by instant, then by number: -1, 0 or +1.
func (s Stamp) Compare(o Stamp) int {
	switch {
	case s.At < o.At:
		return -1
	case s.At > o.At:
		return 1
	case s.N < o.N:
		return -1
	case s.N > o.N:
		return 1
	}
	return 0
}
