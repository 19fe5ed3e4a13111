package align

import "github.com/tideline/tideline/timeline"

// state says what an arrival still waits for.
type state uint8

const (
	unjudged  state = iota // for the clock, or for an unjudged arrival before it
	pending                // for its turn
	delivered              // for the cut to reach delivery number entry.seq
	dead                   // for dead letter number entry.seq and all before it
	settled                // for nothing
	collapsed              // for a block of arrivals that has been spilled
)

// kind says what an arrival is.
type kind uint8

const (
	change    kind = iota // a record, heartbeats included
	rejected              // a record that the driver could not make sense of
	promised              // a watermark in band: nothing of sender at or before at
	allLanes              // End: as promised, for every lane of the input
	manyKinds             // a block
)

// entry is an arrival: everything that took a place in an input's offset order.
type entry struct {
	data     []byte
	offset   int64
	at       timeline.Time // changes: the event time that counts
	n        uint64
	position int64
	promise  timeline.Time // streams: the lane's promise just before this arrival
	seq      uint64
	next     uint64 // the lane's next pending record; 0 = none
	block    *block
	output   uint32
	sender   int32
	kind     kind
	state    state
	verdict  Verdict
	quality  timeline.Quality
	has      flags
}

// flags are the boolean parts of a Record.
type flags uint8

const (
	hasPosition flags = 1 << iota
	tiesAllowed
	timeOnly
	wasRaised
)

// recordOverhead is what a pending record costs besides its payload: its entry, its
// place in a heap, and slack of the structures that hold them. entryOverhead is what an
// arrival costs that is not pending any more.
const (
	recordOverhead = 160
	entryOverhead  = 128
)

// fifo is a ring of arrivals. Indexes only grow and are never 0.
type fifo struct {
	ring       []entry
	head, tail uint64 // [head, tail) are in the ring
}

func newFIFO(size int) fifo {
	return fifo{ring: make([]entry, size), head: 1, tail: 1}
}

func (f *fifo) len() int { return int(f.tail - f.head) }

func (f *fifo) full() bool { return f.len() == len(f.ring) }

func (f *fifo) at(i uint64) *entry { return &f.ring[i&uint64(len(f.ring)-1)] }

// resize moves the arrivals to a ring of n entries, a power of two that holds them.
func (f *fifo) resize(n int) {
	ring := make([]entry, n)
	for i := f.head; i < f.tail; i++ {
		ring[i&uint64(n-1)] = *f.at(i)
	}
	f.ring = ring
}

// effects is what a stretch of arrivals did to its input once they are all done; summed
// up from the start it is the state of the input at an offset.
type effects struct {
	maxAt       timeline.Time
	position    int64
	hasPosition bool
	promises    []timeline.Time // exchanges: by sender
	counters    counters
}

type counters struct {
	read, applied, duplicates, deadLettered, late, raised, heartbeats int64
}

func newEffects(senders int) effects {
	e := effects{maxAt: timeline.MinTime}
	if senders > 0 {
		e.promises = make([]timeline.Time, senders)
		for i := range e.promises {
			e.promises[i] = timeline.MinTime
		}
	}
	return e
}

// add adds the effects of one arrival.
func (f *effects) add(e *entry) {
	switch e.kind {
	case change:
		f.addChange(e)
	case rejected:
		f.counters.read++
		f.counters.deadLettered++
	case promised:
		if len(f.promises) > 0 {
			f.promises[e.sender] = max(f.promises[e.sender], e.at)
		}
	case allLanes:
		for i := range f.promises {
			f.promises[i] = max(f.promises[i], e.at)
		}
	case manyKinds:
		f.merge(&e.block.effects)
	}
}

func (f *effects) addChange(e *entry) {
	f.counters.read++
	if e.verdict == Duplicate {
		f.counters.duplicates++
		return
	}
	if e.has&hasPosition != 0 && (!f.hasPosition || e.position > f.position) {
		f.position, f.hasPosition = e.position, true
	}
	if e.verdict == Late {
		f.counters.deadLettered++
		f.counters.late++
		return
	}
	f.maxAt = max(f.maxAt, e.at)
	if e.has&timeOnly != 0 {
		f.counters.heartbeats++
		return
	}
	f.counters.applied++
	if e.has&wasRaised != 0 {
		f.counters.raised++
	}
}

// merge adds the effects of a stretch of arrivals.
func (f *effects) merge(o *effects) {
	f.maxAt = max(f.maxAt, o.maxAt)
	if o.hasPosition && (!f.hasPosition || o.position > f.position) {
		f.position, f.hasPosition = o.position, true
	}
	for i, w := range o.promises {
		f.promises[i] = max(f.promises[i], w)
	}
	c, d := &f.counters, &o.counters
	c.read += d.read
	c.applied += d.applied
	c.duplicates += d.duplicates
	c.deadLettered += d.deadLettered
	c.late += d.late
	c.raised += d.raised
	c.heartbeats += d.heartbeats
}
