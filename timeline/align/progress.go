package align

import "github.com/tideline/tideline/timeline"

// Cut is a place in the total order: that of the last delivery before which, inclusive,
// every delivery has been marked. Its At is MinTime if there is none.
type Cut struct {
	At     timeline.Time
	Input  int
	Sender int32
	Seq    uint64 // the record's offset in a stream, its N in an exchange
	Output uint32
	N      uint64 // of the delivery's stamp
}

// Progress is what to commit for one input, and where to resume. Everything but the cut
// and the watermark is the state of the input just before Offset.
type Progress struct {
	// Offset is the first that is still needed; -1 = nothing known of this input.
	Offset int64
	// Cut is the same for all inputs of one merge at one moment.
	Cut Cut
	// Watermark is the greatest at or before which everything has been marked.
	Watermark timeline.Time
	Quality   timeline.Quality
	// MaxAt and Position are the greatest event time (MinTime if none) and source
	// position of a stream's records.
	MaxAt       timeline.Time
	Position    int64
	HasPosition bool
	// Promises holds for each sender, or once for a stream, the instant at or before which
	// nothing is still to come, by in-band watermarks and the clock.
	Promises []timeline.Time
	// Read = Applied + Duplicates + DeadLettered + Heartbeats.
	Read, Applied, Duplicates, DeadLettered, Heartbeats int64
	// Late is the part of DeadLettered that came too late, Raised that of Applied that
	// took its predecessor's event time.
	Late, Raised int64
}

// fresh says whether nothing is known of the input.
func (p *Progress) fresh() bool {
	return p.Offset < 0 || p.Offset == 0 && p.Cut == Cut{} && p.Watermark == 0 &&
		p.MaxAt == 0 && p.Promises == nil && p.counters() == counters{}
}

func (p *Progress) counters() counters {
	return counters{
		p.Read, p.Applied, p.Duplicates, p.DeadLettered, p.Late, p.Raised, p.Heartbeats,
	}
}

// Progress returns what to commit now, one for each input.
func (m *Merge) Progress() []Progress {
	w, q := m.Watermark()
	if at, ok := m.deliveries.firstOpen(); ok {
		w = min(w, addTime(at, -1))
	}
	cut := m.currentCut()
	all := make([]Progress, len(m.inputs))
	for i := range m.inputs {
		in := &m.inputs[i]
		m.collect(in)
		p := m.inputProgress(in)
		p.Cut, p.Watermark, p.Quality = cut, max(w, m.floor), q
		all[i] = p
	}
	return all
}

func (m *Merge) currentCut() Cut {
	last := m.deliveries.last
	if last.position == beforeAll {
		return Cut{At: timeline.MinTime}
	}
	l := &m.lanes[last.position.lane]
	return Cut{
		At: last.position.at, Input: l.input, Sender: l.sender,
		Seq: last.position.seq, Output: last.position.output, N: last.n,
	}
}

// inputProgress returns the state of an input at the first arrival not done.
func (m *Merge) inputProgress(in *input) Progress {
	c := &in.committed
	p := Progress{
		Offset: -1, MaxAt: c.maxAt, Position: c.position, HasPosition: c.hasPosition,
		Read: c.counters.read, Applied: c.counters.applied,
		Duplicates: c.counters.duplicates, DeadLettered: c.counters.deadLettered,
		Heartbeats: c.counters.heartbeats, Late: c.counters.late, Raised: c.counters.raised,
	}
	if in.started {
		p.Offset = in.next
	}
	stream := m.lanes[in.first].promise
	if in.fifo.len() > 0 {
		front := in.fifo.at(in.fifo.head)
		p.Offset = front.offset
		if in.fifo.head < in.judged {
			stream = front.promise // as it was before the first arrival not done
		}
	}
	if in.Senders == 0 {
		p.Promises = []timeline.Time{stream}
	} else {
		p.Promises = append([]timeline.Time(nil), c.promises...)
	}
	return p
}
