package align

import (
	"fmt"

	"github.com/tideline/tideline/timeline"
)

// Push takes the next record of an input and says what becomes of it. The Ref is that of
// a Late record, which must be marked when its dead letter is safe; it is 0 otherwise.
// Errors: an input or sender that does not exist, an offset that does not increase, or a
// sender that breaks its promise.
func (m *Merge) Push(r Record) (Verdict, Ref, error) {
	if r.Input < 0 || r.Input >= len(m.inputs) {
		return 0, 0, fmt.Errorf("pushing record: no input %d, there are %d", r.Input,
			len(m.inputs))
	}
	in := &m.inputs[r.Input]
	if err := in.check(&r); err != nil {
		return 0, 0, fmt.Errorf("pushing record of %s at offset %d: %w", in.Name, r.Offset, err)
	}
	index, e := m.arrive(in, r.Offset)
	e.data, e.at, e.n, e.output, e.sender = r.Data, r.At, r.N, r.Output, r.Sender
	e.position, e.has = r.Position, r.flags()
	size := recordOverhead + int64(len(r.Data))
	if in.waitsForClock(r.Offset) {
		in.waiting++
		in.waits += size
		m.records++
		m.bytes += size
		return Waiting, 0, nil
	}
	m.applyClocks(in, r.Offset)
	if err := m.judge(in, index, e); err != nil {
		return 0, 0, fmt.Errorf("pushing record of %s at offset %d: %w", in.Name, r.Offset, err)
	}
	m.applyClocks(in, in.next)
	return e.verdict, e.deadRef(), nil
}

func (r *Record) flags() flags {
	var f flags
	if r.HasPosition {
		f |= hasPosition
	}
	if r.TiesAllowed {
		f |= tiesAllowed
	}
	if r.TimeOnly {
		f |= timeOnly
	}
	return f
}

// check says whether a record can be what comes next.
func (in *input) check(r *Record) error {
	if r.Sender < 0 || int(r.Sender) >= in.count {
		return fmt.Errorf("sender %d of %d: the exchange belongs to another plan",
			r.Sender, in.count)
	}
	if in.started && r.Offset < in.next {
		return fmt.Errorf("everything before offset %d has been pushed: fetch each offset "+
			"once, in order, from Progress.Offset on", in.next)
	}
	return nil
}

// waitsForClock says whether a record at offset, the last to arrive, cannot be judged yet.
func (in *input) waitsForClock(offset int64) bool {
	return in.Clocked && !in.ended && in.Senders == 0 &&
		(in.judged+1 < in.fifo.tail || in.known <= offset)
}

// deadRef is the Ref of an arrival that goes to the dead letters.
func (e *entry) deadRef() Ref {
	if e.state != dead {
		return 0
	}
	return Ref(e.seq<<1 | 1)
}

// Reject takes the place of a record that the driver could not decode or refuses. It is
// counted as dead-lettered, has no effect on time, and its Ref must be marked when the
// dead letter is safe.
func (m *Merge) Reject(input int, offset int64) Ref {
	in := &m.inputs[input]
	_, e := m.arrive(in, offset)
	n, ref := m.newDead()
	e.kind, e.state, e.seq = rejected, dead, n
	e.promise = m.lanes[in.first].promise
	m.judgedAll(in)
	return ref
}

// Promise takes a watermark record in band: no record of the sender with an event time
// at or before w follows it. Streams have sender 0. One of a sender that the input does
// not have is ignored.
func (m *Merge) Promise(input int, sender int32, offset int64, w timeline.Time,
	q timeline.Quality,
) {
	in := &m.inputs[input]
	if sender < 0 || int(sender) >= in.count {
		return
	}
	_, e := m.arrive(in, offset)
	e.kind, e.sender, e.at, e.quality = promised, sender, w, min(q, timeline.Forced)
	m.judgedAll(in)
}

// Reached says that every record below offset has been pushed, where the log has none to
// show it: an empty log that begins above 0, or one that ends in control records.
func (m *Merge) Reached(input int, offset int64) {
	in := &m.inputs[input]
	if offset < in.next || !in.started && offset < 0 {
		return
	}
	in.next, in.started = offset, true
	m.judgedAll(in)
}

// Clock takes an entry of the clock topic: the log of the input ended at offset end, and
// whatever comes at or after end has an event time after w. Entries come in the order of
// the clock's log; one with a smaller end than seen before is ignored, as is one for an
// input that is not Clocked. Records that waited for it may prove late: see NextLate.
//
// A w of MinTime says nothing of time. A bounded replay gives such an entry with the end
// of the log, noted before that of the clock topic, when it has read the clock topic
// whole: no record in front of that end has to wait then.
func (m *Merge) Clock(input int, end int64, w timeline.Time) {
	in := &m.inputs[input]
	if !in.Clocked || in.Senders > 0 || end < in.known || end < 0 {
		return
	}
	in.known = end
	if n := len(in.clocks); n > 0 && in.clocks[n-1].end == end {
		in.clocks[n-1].at = max(in.clocks[n-1].at, w)
	} else {
		in.clocks = append(in.clocks, clock{end, w})
	}
	m.judgedAll(in)
}

// End says that a bounded replay has read all of an input: nothing at or before w is
// still to come in any of its lanes, and its records wait for the clock no more.
func (m *Merge) End(input int, w timeline.Time) {
	in := &m.inputs[input]
	in.ended = true
	started := in.started
	_, e := m.arrive(in, in.next)
	in.next, in.started = e.offset, started
	e.kind, e.at = allLanes, w
	m.judgedAll(in)
}

// NextLate returns a record that waited for the clock and was then found Late, with the
// Ref to mark. To be called after Clock and End until it returns false.
func (m *Merge) NextLate() (Record, Ref, bool) {
	if len(m.late) == 0 {
		return Record{}, 0, false
	}
	l := m.late[0]
	m.late[0] = lateRecord{}
	m.late = m.late[1:]
	return l.record, l.ref, true
}
