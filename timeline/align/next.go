package align

import (
	"slices"

	"github.com/tideline/tideline/timeline"
)

// Next returns the next record of the total order, or false if nothing is due now: some
// lane may still bring a record that orders before everything pending. It may spill
// pending records; an error is a failure to write or read the spool, after which the
// merge is of no further use.
func (m *Merge) Next() (Delivery, bool, error) {
	leaf, k := m.tree.first()
	if !k.due {
		return Delivery{}, false, m.relieve()
	}
	if leaf >= len(m.lanes) {
		return m.nextOfRun(leaf)
	}
	l := &m.lanes[leaf]
	in := &m.inputs[l.input]
	e := in.fifo.at(l.pop(&in.fifo))
	d := Delivery{Record: e.record(l.input)}
	size := recordOverhead + int64(len(e.data))
	in.bytes -= size
	in.pending--
	m.bytes -= size
	m.records--
	e.data = nil
	e.state, e.seq = delivered, m.deliver(&d, leaf)
	m.refresh(leaf)
	return d, true, nil
}

// deliver stamps a delivery and enters it in the ledger.
func (m *Merge) deliver(d *Delivery, leaf int) uint64 {
	if d.Record.At == m.stamp.At {
		m.stamp.N++
	} else {
		m.stamp = timeline.Stamp{At: d.Record.At}
	}
	d.Stamp = m.stamp
	p := position{at: d.Record.At, lane: int32(leaf)}
	if m.lanes[leaf].exchange {
		p.seq, p.output = d.Record.N, d.Record.Output
	} else {
		p.seq = uint64(d.Record.Offset)
	}
	n := m.deliveries.add(p, m.stamp.N)
	d.Ref = Ref(n << 1)
	return n
}

// Watermark returns W and what it rests on: every record at or before W has been
// returned by Next, and none is still to come. It is MinTime at first and never goes
// back, not even over a restart. The quality is the weakest of the lanes'.
func (m *Merge) Watermark() (timeline.Time, timeline.Quality) {
	_, k := m.tree.first()
	w := addTime(k.at, -1)
	if k.at == timeline.MaxTime && !k.due {
		w = timeline.MaxTime
	}
	q := timeline.Forced
	for q > timeline.Exact && m.qualities[q] == 0 {
		q--
	}
	return max(w, m.floor), q
}

// Wants says whether records of the input should be fetched. It is false for an input
// that runs ahead while the memory for such is used up, and for any input whose records
// wait for the clock then.
func (m *Merge) Wants(input int) bool {
	if m.over = m.pressed(); !m.over {
		return true
	}
	in := &m.inputs[input]
	if in.waiting > 0 {
		return false
	}
	leaf, k := m.tree.first()
	return in.pending == 0 || !k.due && leaf < len(m.lanes) && m.lanes[leaf].input == input
}

// pressed says whether inputs that run ahead have used up their half of the memory; it
// changes back only when a quarter of that is free again.
func (m *Merge) pressed() bool {
	limit := m.memory / 2
	if m.over {
		limit = m.memory * 3 / 8
	}
	if m.used() < limit {
		return false
	}
	for i := range m.inputs {
		m.collect(&m.inputs[i])
	}
	return m.used() >= limit
}

// used is the memory in use, arrivals included that only wait to be done.
func (m *Merge) used() int64 {
	n := m.bytes
	for i := range m.inputs {
		in := &m.inputs[i]
		n += entryOverhead * int64(in.fifo.len()-in.pending-in.waiting)
	}
	return n
}

// Holding returns the lanes that hold back what is pending or, if nothing is, the
// watermark; those that hold back most come first.
func (m *Merge) Holding() []Hold {
	limit := noKey
	for _, k := range m.tree.keys {
		if k.due && k.before(limit) {
			limit = k
		}
	}
	least := timeline.MaxTime
	for i := range m.lanes {
		if k := m.tree.keys[i]; !k.due {
			least = min(least, k.at)
		}
	}
	pending := m.firstPending()
	var holds []Hold
	for i := range m.lanes {
		k := m.tree.keys[i]
		if k.due || limit.before(k) || k.at > max(least, pending) {
			continue
		}
		l := &m.lanes[i]
		holds = append(holds, Hold{Input: l.input, Sender: l.sender, Bound: k.at})
	}
	slices.SortStableFunc(holds, func(a, b Hold) int {
		switch {
		case a.Bound < b.Bound:
			return -1
		case a.Bound > b.Bound:
			return 1
		}
		return 0
	})
	return holds
}

// firstPending returns the least event time of a pending record, or MinTime.
func (m *Merge) firstPending() timeline.Time {
	first, found := timeline.MaxTime, false
	for i := range m.lanes {
		if at, ok := m.lanes[i].first(); ok {
			first, found = min(first, at), true
		}
	}
	for _, r := range m.runs {
		if r != nil {
			first, found = min(first, r.head.at), true
		}
	}
	if !found {
		return timeline.MinTime
	}
	return first
}

// Buffered returns how many records are pending, those waiting for the clock and the
// spilled ones included, and how many bytes of memory they use.
func (m *Merge) Buffered() (records int, bytes int64) { return m.records, m.bytes }

// Close deletes the spool files still in use.
func (m *Merge) Close() error {
	var first error
	for i, r := range m.runs {
		if r == nil {
			continue
		}
		if err := r.file.Close(); err != nil && first == nil {
			first = err
		}
		m.runs[i] = nil
	}
	return first
}
