package wire

import (
	"encoding/binary"
	"math"

	"github.com/tideline/tideline/timeline"
)

// Version is a value of a table topic: a row as it stands from its stamp on.
type Version struct {
	Stamp   timeline.Stamp
	Deleted bool   // there is no row from here on
	Row     []byte // row.AppendRow of what readers see; empty if Deleted
	State   []byte // what only the operator needs; replicas drop it
}

// flagDeleted is the bit of a version's flags byte that is in use.
const flagDeleted = 0x01

// AppendVersion appends v: head, flags, uvarint N, then, unless deleted, a uvarint length
// and the row, then the state. The row of a deleted version is left out.
func AppendVersion(dst []byte, v Version) []byte {
	dst = appendHead(dst, KindVersion, v.Stamp.At)
	if v.Deleted {
		dst = binary.AppendUvarint(append(dst, flagDeleted), v.Stamp.N)
		return append(dst, v.State...)
	}
	dst = binary.AppendUvarint(append(dst, 0), v.Stamp.N)
	dst = binary.AppendUvarint(dst, uint64(len(v.Row)))
	return append(append(dst, v.Row...), v.State...)
}

// DecodeVersion reads what AppendVersion wrote. Row and State share b's memory; they are
// nil where empty.
func DecodeVersion(b []byte) (Version, error) {
	at, r, err := open(b, KindVersion)
	if err != nil {
		return Version{}, err
	}
	flags := r.byte()
	v := Version{Stamp: timeline.Stamp{At: at, N: r.uvarint(math.MaxUint64)}}
	switch flags {
	case 0:
		v.Row = r.bytes(r.uvarint(math.MaxUint64))
	case flagDeleted:
		v.Deleted = true
	default:
		r.failed = true
	}
	v.State = r.remainder()
	if err := r.done(KindVersion); err != nil {
		return Version{}, err
	}
	return v, nil
}

// Op is what a change does to a row.
type Op uint8

// The operations. Upsert and Delete come from keyed streams and replace what the key
// held; Insert, Retract and Replace are signed changes of whole rows. Frozen.
const (
	Upsert  Op = 0
	Delete  Op = 1
	Insert  Op = 2
	Retract Op = 3
	Replace Op = 4 // a row by another under the same key, as AppendPair lays them out
)

// String returns the operation in one word: "upsert", "delete", "insert", "retract" or
// "replace".
func (o Op) String() string {
	switch o {
	case Upsert:
		return "upsert"
	case Delete:
		return "delete"
	case Insert:
		return "insert"
	case Retract:
		return "retract"
	case Replace:
		return "replace"
	}
	return "unknown operation"
}

// Change is a value of an exchange: one change that one stage says to the next. Sender,
// stamp and output number together identify it, so that a repeat is recognised.
type Change struct {
	Stamp  timeline.Stamp // of the sender's message that caused it
	Output uint32         // counts the outputs of that one message
	Sender int32          // partition of the sending stage
	Op     Op
	Row    []byte // row.AppendRow; may be empty, and is for Delete
}

// AppendChange appends c: head, operation, uvarints N, Output and Sender, then the row.
func AppendChange(dst []byte, c Change) []byte {
	dst = append(appendHead(dst, KindChange, c.Stamp.At), byte(c.Op))
	dst = binary.AppendUvarint(dst, c.Stamp.N)
	dst = binary.AppendUvarint(dst, uint64(c.Output))
	dst = binary.AppendUvarint(dst, uint64(uint32(c.Sender)))
	return append(dst, c.Row...)
}

// AppendPair appends the rows of a Replace: a uvarint length and the row that goes, then
// the row that comes.
func AppendPair(dst, from, to []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(from)))
	return append(append(dst, from...), to...)
}

// SplitPair reads what AppendPair wrote. The rows share b's memory.
func SplitPair(b []byte) (from, to []byte, err error) {
	r := reader{rest: b}
	from = r.bytes(r.uvarint(math.MaxUint64))
	to = r.remainder()
	return from, to, r.done(KindChange)
}

// DecodeChange reads what AppendChange wrote. Row shares b's memory; it is nil where
// empty.
func DecodeChange(b []byte) (Change, error) {
	at, r, err := open(b, KindChange)
	if err != nil {
		return Change{}, err
	}
	c := Change{Op: Op(r.byte())}
	c.Stamp = timeline.Stamp{At: at, N: r.uvarint(math.MaxUint64)}
	c.Output = uint32(r.uvarint(math.MaxUint32))
	c.Sender = int32(uint32(r.uvarint(math.MaxUint32)))
	c.Row = r.remainder()
	r.failed = r.failed || c.Op > Replace
	if err := r.done(KindChange); err != nil {
		return Change{}, err
	}
	return c, nil
}

// Watermark is the value under a WatermarkKey: Sender promises that nothing at or before
// At is still to come from it.
type Watermark struct {
	At      timeline.Time
	Sender  int32 // partition of the sending stage
	Quality timeline.Quality
}

// AppendWatermark appends w: head, quality, uvarint Sender.
func AppendWatermark(dst []byte, w Watermark) []byte {
	dst = append(appendHead(dst, KindWatermark, w.At), byte(w.Quality))
	return binary.AppendUvarint(dst, uint64(uint32(w.Sender)))
}

// DecodeWatermark reads what AppendWatermark wrote.
func DecodeWatermark(b []byte) (Watermark, error) {
	at, r, err := open(b, KindWatermark)
	if err != nil {
		return Watermark{}, err
	}
	w := Watermark{At: at, Quality: timeline.Quality(r.byte())}
	w.Sender = int32(uint32(r.uvarint(math.MaxUint32)))
	r.failed = r.failed || w.Quality > timeline.Forced
	if err := r.done(KindWatermark); err != nil {
		return Watermark{}, err
	}
	return w, nil
}

// Clock is a value of the clock topic: at wall time At, the log of a source partition
// ended at offset End.
type Clock struct {
	Topic     string
	Partition int32
	End       int64 // the offset the next record will get
	At        timeline.Time
}

// AppendClock appends c: head, uvarint Partition, uvarint End, then the topic.
func AppendClock(dst []byte, c Clock) []byte {
	dst = appendHead(dst, KindClock, c.At)
	dst = binary.AppendUvarint(dst, uint64(uint32(c.Partition)))
	dst = binary.AppendUvarint(dst, uint64(c.End))
	return append(dst, c.Topic...)
}

// DecodeClock reads what AppendClock wrote.
func DecodeClock(b []byte) (Clock, error) {
	at, r, err := open(b, KindClock)
	if err != nil {
		return Clock{}, err
	}
	c := Clock{At: at}
	c.Partition = int32(uint32(r.uvarint(math.MaxUint32)))
	c.End = int64(r.uvarint(math.MaxUint64))
	c.Topic = string(r.remainder())
	if err := r.done(KindClock); err != nil {
		return Clock{}, err
	}
	return c, nil
}
