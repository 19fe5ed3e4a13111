package align

import (
	"errors"
	"fmt"

	"github.com/tideline/tideline/timeline"
)

// Merge brings the inputs of one partition into one total order. It is a step machine:
// it does nothing but what a call asks for, and is for one goroutine at a time.
type Merge struct {
	memory int64
	spool  Spool
	inputs []input
	lanes  []lane // of all inputs, in order of (input, sender)
	tree   tree   // leaves: the lanes, then the runs
	runs   []*run // by leaf, after the lanes; nil = free
	runAge uint32

	deliveries ledger
	deads      ledger
	late       []lateRecord // judged late only after Push had returned

	cut       position       // of the restart: what orders at or before it was applied
	stamp     timeline.Stamp // of the last delivery
	floor     timeline.Time  // watermark at the restart
	floorQ    timeline.Quality
	qualities [timeline.Forced + 1]int // lanes by the quality of their bound

	records int   // pending
	bytes   int64 // pending in memory, with recordOverhead each
	over    bool  // more than the inputs that run ahead may use
}

// input is one input partition.
type input struct {
	Input
	number  int
	first   int  // global number of the first lane
	count   int  // lanes
	started bool // next is known
	ended   bool
	next    int64  // every offset below has arrived
	judged  uint64 // arrivals below have been judged
	// afterBlock is behind the last block of fifo.
	afterBlock uint64
	waiting    int   // records not judged yet
	bytes      int64 // pending in memory, judged, with recordOverhead each
	waits      int64 // bytes not judged yet
	pending    int   // judged, in memory

	clocks []clock // known but not reached, by end
	known  int64   // greatest end the clock topic has named

	fifo      fifo
	committed effects // of the arrivals that have left fifo
}

// clock is an entry of the clock topic: the log ended at end, and nothing at or before
// at came later.
type clock struct {
	end int64
	at  timeline.Time
}

type lateRecord struct {
	record Record
	ref    Ref
}

// New starts a merge at what Progress had returned before a restart, one for each
// input: its zero value, or one with a negative Offset, stands for a fresh input. resume
// may be nil if all are fresh. The driver fetches each input from Progress.Offset on, and
// the clock topic from its beginning or from any entry whose end is not beyond the
// Offset of its input: what earlier entries did is in Progress.Promises.
func New(cfg Config, resume []Progress) (*Merge, error) {
	if len(cfg.Inputs) == 0 {
		return nil, errors.New("starting merge: no inputs: name at least one")
	}
	if resume == nil {
		resume = make([]Progress, len(cfg.Inputs))
	}
	if len(resume) != len(cfg.Inputs) {
		return nil, fmt.Errorf("starting merge: progress of %d inputs for %d inputs: "+
			"give one each", len(resume), len(cfg.Inputs))
	}
	m := &Merge{
		memory: cfg.Memory, spool: cfg.Spool, cut: beforeAll, floor: timeline.MinTime,
		deliveries: newLedger(), deads: newLedger(),
		stamp: timeline.Stamp{At: timeline.MinTime},
	}
	if m.memory <= 0 {
		m.memory = 1 << 62
	}
	for i, in := range cfg.Inputs {
		if err := m.addInput(i, in, &resume[i]); err != nil {
			return nil, fmt.Errorf("starting merge: input %d (%s): %w", i, in.Name, err)
		}
	}
	for i := range resume {
		if err := m.resumeCut(&resume[i]); err != nil {
			return nil, fmt.Errorf("starting merge: progress of input %d: %w", i, err)
		}
	}
	m.deliveries.last = flight{position: m.cut, n: m.stamp.N}
	m.tree.grow(len(m.lanes))
	for i := range m.lanes {
		m.setFloor(i)
		m.qualities[m.lanes[i].quality]++
		m.refresh(i)
	}
	return m, nil
}

// addInput appends an input and its lanes, as they were at p.Offset.
func (m *Merge) addInput(number int, spec Input, p *Progress) error {
	if spec.Senders < 0 || spec.Lateness < 0 {
		return fmt.Errorf("%d senders, lateness %d µs: neither may be negative",
			spec.Senders, int64(spec.Lateness))
	}
	in := input{
		Input: spec, number: number, first: len(m.lanes), count: max(1, spec.Senders),
		known: -1, fifo: newFIFO(64), committed: newEffects(spec.Senders),
	}
	in.judged = in.fifo.head
	promises := in.committed.promises
	if spec.Senders == 0 {
		promises = []timeline.Time{timeline.MinTime}
	}
	quality := timeline.Exact
	if !p.fresh() {
		if len(p.Promises) != len(promises) {
			return fmt.Errorf("progress holds promises of %d lanes, the input has %d: it "+
				"belongs to another plan", len(p.Promises), len(promises))
		}
		copy(promises, p.Promises)
		in.started, in.next = true, p.Offset
		in.committed.maxAt, in.committed.counters = p.MaxAt, p.counters()
		in.committed.position, in.committed.hasPosition = p.Position, p.HasPosition
		quality = p.Quality
	}
	for s := range in.count {
		l := lane{
			input: number, sender: int32(s), exchange: spec.Senders > 0,
			disordered: spec.Disordered && spec.Senders == 0, lateness: spec.Lateness,
			maxAt: timeline.MinTime, promise: promises[s], promiseQuality: quality,
			last: beforeAll,
		}
		if spec.Senders == 0 {
			l.maxAt = in.committed.maxAt
			l.position, l.hasPosition = in.committed.position, in.committed.hasPosition
		}
		m.lanes = append(m.lanes, l)
	}
	m.inputs = append(m.inputs, in)
	return nil
}

// resumeCut takes over the greatest cut and watermark of the inputs: they differ if the
// last commit reached only some inputs, and by invariant A4 an older Offset goes with a
// newer cut.
func (m *Merge) resumeCut(p *Progress) error {
	if p.fresh() {
		return nil
	}
	if p.Watermark > m.floor {
		m.floor = p.Watermark
	}
	m.floorQ = m.floorQ.Weaker(p.Quality)
	if p.Cut.At == timeline.MinTime {
		return nil
	}
	if p.Cut.Input < 0 || p.Cut.Input >= len(m.inputs) ||
		p.Cut.Sender < 0 || int(p.Cut.Sender) >= m.inputs[p.Cut.Input].count {
		return fmt.Errorf("cut in lane %d/%d, which the merge does not have: it belongs "+
			"to another plan", p.Cut.Input, p.Cut.Sender)
	}
	c := position{
		at: p.Cut.At, lane: int32(m.inputs[p.Cut.Input].first) + p.Cut.Sender,
		seq: p.Cut.Seq, output: p.Cut.Output,
	}
	if m.cut.atOrBefore(c) {
		m.cut = c
		m.stamp = timeline.Stamp{At: p.Cut.At, N: p.Cut.N}
	}
	return nil
}

// setFloor bounds a lane by the cut: what orders at or before it is skipped.
func (m *Merge) setFloor(leaf int) {
	l := &m.lanes[leaf]
	l.floor, l.floorQuality = m.cut.at, m.floorQ
	if int32(leaf) < m.cut.lane {
		l.floor = addTime(l.floor, 1)
	}
	if m.floor > timeline.MinTime {
		l.floor = max(l.floor, addTime(m.floor, 1))
	}
}

// refresh brings a lane's leaf in the tree up to date.
func (m *Merge) refresh(leaf int) {
	l := &m.lanes[leaf]
	b, q := l.bound()
	if q != l.quality {
		m.qualities[l.quality]--
		m.qualities[q]++
		l.quality = q
	}
	k := key{at: b, lane: int32(leaf), age: memoryAge}
	if at, ok := l.first(); ok && at <= b {
		k.at, k.due = at, true
	}
	if k != m.tree.keys[leaf] {
		m.tree.set(leaf, k)
	}
}

// Mark notes that everything the referenced delivery or dead letter caused is safe. Any
// order will do; marking twice or marking 0 does nothing.
func (m *Merge) Mark(ref Ref) {
	if ref&1 == 0 {
		m.deliveries.mark(uint64(ref >> 1))
	} else {
		m.deads.mark(uint64(ref >> 1))
	}
}

func (m *Merge) newDead() (uint64, Ref) {
	n := m.deads.add(position{}, 0)
	return n, Ref(n<<1 | 1)
}

// arrive appends an arrival to an input's fifo.
func (m *Merge) arrive(in *input, offset int64) (uint64, *entry) {
	f := &in.fifo
	if f.full() {
		m.collect(in)
		if f.len() > len(f.ring)*3/4 {
			f.resize(2 * len(f.ring))
		}
	}
	i := f.tail
	f.tail++
	e := f.at(i)
	e.offset = offset
	if offset >= in.next {
		in.next = offset + 1
	}
	in.started = true
	return i, e
}

// collect lets arrivals leave the front of an input's fifo that are done.
func (m *Merge) collect(in *input) {
	f := &in.fifo
	for f.head < in.judged {
		e := f.at(f.head)
		if !m.done(e) {
			return
		}
		in.committed.add(e)
		*e = entry{}
		f.head++
	}
}

// done says whether an arrival never has to be seen again: invariant A3.
func (m *Merge) done(e *entry) bool {
	switch e.state {
	case settled:
		return true
	case delivered:
		return e.seq < m.deliveries.base
	case dead:
		return e.seq < m.deads.base
	case collapsed:
		b := e.block
		return b.left == 0 && b.delivery < m.deliveries.base && b.dead < m.deads.base
	case unjudged, pending:
	}
	return false
}
