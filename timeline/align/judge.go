package align

import (
	"fmt"

	"github.com/tideline/tideline/timeline"
)

// judgedAll judges the arrivals that wait, as far as the clock is known, and applies the
// entries of the clock that this reaches.
func (m *Merge) judgedAll(in *input) {
	for in.judged < in.fifo.tail {
		e := in.fifo.at(in.judged)
		if e.kind == change && !in.ended && in.known <= e.offset {
			break
		}
		m.applyClocks(in, e.offset)
		m.judgeWaiting(in, in.judged, e)
	}
	// No known entry ends after a record that waits, so this passes none.
	if m.applyClocks(in, in.next) {
		in.started = true
	}
}

// judgeWaiting judges one arrival that was not judged when it was pushed.
func (m *Merge) judgeWaiting(in *input, index uint64, e *entry) {
	l := &m.lanes[in.first+int(e.sender)]
	switch e.kind {
	case change:
		size := recordOverhead + int64(len(e.data))
		in.waiting--
		in.waits -= size
		m.records--
		m.bytes -= size
		r := e.record(in.number)
		_ = m.judge(in, index, e) // only exchanges have errors, and they never wait
		if e.state == dead {
			m.late = append(m.late, lateRecord{r, e.deadRef()})
		}
		return
	case rejected:
		e.promise = l.promise
	case promised:
		e.promise, e.state = l.promise, settled
		l.advance(e.at, e.quality)
		if in.Senders > 0 {
			l.promiseQuality = e.quality
		}
		m.refresh(in.first + int(e.sender))
	case allLanes:
		e.promise, e.state = l.promise, settled
		for s := in.first; s < in.first+in.count; s++ {
			m.lanes[s].advance(e.at, timeline.Exact)
			m.refresh(s)
		}
	case manyKinds: // a block has been judged
	}
	in.judged = index + 1
}

// applyClocks applies the entries of the clock that ended at or before an offset, once
// everything before it has been judged.
func (m *Merge) applyClocks(in *input, offset int64) bool {
	n := 0
	l := &m.lanes[in.first]
	for n < len(in.clocks) && in.clocks[n].end <= offset {
		l.advance(in.clocks[n].at, timeline.IdleAssumed)
		n++
	}
	if n == 0 {
		return false
	}
	in.clocks = in.clocks[n:]
	m.refresh(in.first)
	return true
}

// judge decides what becomes of a record, in the order of its log.
func (m *Merge) judge(in *input, index uint64, e *entry) error {
	leaf := in.first + int(e.sender)
	l := &m.lanes[leaf]
	if in.Senders == 0 {
		m.judgeStream(l, leaf, e)
	} else if err := m.judgeExchange(l, leaf, e); err != nil {
		in.fifo.tail--
		*e = entry{}
		return err
	}
	in.judged = index + 1
	if e.state == pending {
		size := recordOverhead + int64(len(e.data))
		in.bytes += size
		in.pending++
		m.bytes += size
		m.records++
		e.next = 0
		l.push(&in.fifo, index, e.at)
	} else {
		e.data = nil
	}
	m.refresh(leaf)
	return nil
}

func (m *Merge) judgeStream(l *lane, leaf int, e *entry) {
	e.promise = l.promise
	e.state = settled
	if e.has&hasPosition != 0 {
		if l.hasPosition && (e.position < l.position ||
			e.position == l.position && e.has&tiesAllowed == 0) {
			e.verdict = Duplicate
			return
		}
		l.position, l.hasPosition = e.position, true
	}
	if e.has&timeOnly != 0 {
		e.verdict = Accepted
		if e.at > l.watermark() && e.at < timeline.MaxTime {
			l.maxAt = max(l.maxAt, e.at)
		}
		e.at = l.maxAt
		return
	}
	at := e.at
	if !l.disordered {
		at = max(at, l.maxAt)
	}
	p := position{at: at, lane: int32(leaf), seq: uint64(e.offset)}
	skip := p.atOrBefore(m.cut)
	if at <= l.watermark() || at == timeline.MaxTime || at < l.floor && !skip {
		n, _ := m.newDead()
		e.verdict, e.state, e.seq = Late, dead, n
		return
	}
	l.maxAt = max(l.maxAt, at)
	e.verdict = Accepted
	if at > e.at {
		e.verdict, e.at = Raised, at
		e.has |= wasRaised
	}
	if skip {
		e.verdict = Skipped
		return
	}
	e.state = pending
}

func (m *Merge) judgeExchange(l *lane, leaf int, e *entry) error {
	e.state = settled
	if e.has&timeOnly != 0 {
		e.verdict = Accepted
		l.maxAt = max(l.maxAt, e.at)
		return nil
	}
	p := position{at: e.at, lane: int32(leaf), seq: e.n, output: e.output}
	if p.atOrBefore(l.last) {
		e.verdict = Duplicate
		return nil
	}
	skip := p.atOrBefore(m.cut)
	if b, _ := l.bound(); !skip && e.at < b || e.at == timeline.MaxTime {
		return fmt.Errorf("sender %d says %v (number %d, output %d) after it promised that "+
			"nothing before %v is still to come: the sending stage is not deterministic or "+
			"its exchange holds records of another plan", e.sender, e.at, e.n, e.output, b)
	}
	l.last = p
	l.maxAt = max(l.maxAt, e.at)
	e.verdict, e.state = Accepted, pending
	if skip {
		e.verdict, e.state = Skipped, settled
	}
	return nil
}

// record is the record that arrived, at the event time that counts.
func (e *entry) record(input int) Record {
	return Record{
		Input: input, Sender: e.sender, Offset: e.offset, At: e.at, N: e.n,
		Output: e.output, Position: e.position, HasPosition: e.has&hasPosition != 0,
		TiesAllowed: e.has&tiesAllowed != 0, TimeOnly: e.has&timeOnly != 0, Data: e.data,
	}
}
