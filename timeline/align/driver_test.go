package align

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"

	"github.com/tideline/tideline/timeline"
)

// endOfTime is promised for every input when its log has been read.
const endOfTime = timeline.Time(1 << 40)

// manners is how a driver goes about it; none of it may matter.
type manners struct {
	seed    uint64
	memory  int64
	spool   bool
	crashes int  // how often it dies; what it had not committed is forgotten
	partial bool // commits may reach only some inputs
	polite  bool // fetches only what the merge wants
	batch   int  // pushes in a row
}

// driver reads a world through a merge and checks what must hold at every step.
type driver struct {
	w      *world
	o      *outcome
	how    manners
	r      *rand.Rand
	m      *Merge
	spool  *memorySpool
	at     []int // by input: the next record to push
	ended  []bool
	tick   int
	turn   int // index in o.order of the next delivery
	open   []pendingMark
	marked []bool // by index in o.order: in this life or an earlier one
	letter map[[2]int64]bool
	kept   []Progress
	mark   timeline.Time // the watermark so far in this life
}

type pendingMark struct {
	ref  Ref
	turn int // -1 = a dead letter
	id   [2]int64
}

func drive(w *world, how manners) error {
	d := &driver{
		w: w, o: w.evaluate(), how: how, r: rand.New(rand.NewPCG(how.seed, 7)),
		letter: map[[2]int64]bool{}, spool: &memorySpool{}, kept: make([]Progress, len(w.inputs)),
	}
	d.marked = make([]bool, len(d.o.order))
	for life := 0; life <= how.crashes; life++ {
		if err := d.live(life == how.crashes); err != nil {
			return fmt.Errorf("life %d: %w", life, err)
		}
	}
	return d.atTheEnd()
}

// live starts from what was committed and goes on to a random crash or to the end.
func (d *driver) live(last bool) error {
	if err := d.start(); err != nil {
		return err
	}
	steps := d.r.IntN(60)
	if d.r.IntN(3) == 0 {
		steps *= 20
	}
	for n := 0; last || n < steps; n++ {
		if d.finished() {
			break
		}
		if n > 100_000 {
			return fmt.Errorf("stuck: %d of %d delivered, holding %v",
				d.turn, len(d.o.order), d.m.Holding())
		}
		if err := d.step(); err != nil {
			return err
		}
	}
	if !last && d.r.IntN(2) == 0 {
		d.commit()
	}
	if !last {
		if err := d.probe(); err != nil {
			return err
		}
	}
	return d.m.Close()
}

// probe shows that a lane that holds the merge back does so rightly: a record at its very
// bound is accepted, and the next in order.
func (d *driver) probe() error {
	for due := true; due; {
		var err error
		if due, err = d.take(); err != nil {
			return err
		}
	}
	h := d.m.Holding()[0]
	in := &d.m.inputs[h.Input]
	r := Record{Input: h.Input, Sender: h.Sender, At: h.Bound, Offset: in.next, N: 1 << 40}
	if in.waitsForClock(in.next) || in.waiting > 0 || in.next < d.w.ends[h.Input] {
		return nil // not to be judged yet, or a place in the log that is taken
	}
	v, _, err := d.m.Push(r)
	if v != Accepted || err != nil {
		return fmt.Errorf("%v to %+v at the bound (%v)", v, r, err)
	}
	if got, _, err := d.m.Next(); err != nil || !reflect.DeepEqual(got.Record, r) {
		return fmt.Errorf("%+v, not the probe %+v (%v)", got, r, err)
	}
	return nil
}

func (d *driver) start() error {
	cfg := Config{Inputs: d.w.inputs, Memory: d.how.memory}
	if d.how.spool {
		cfg.Spool = d.spool
	}
	for i, p := range d.kept {
		q, err := ParseProgress(string(p.AppendText(nil)))
		if err != nil || !p.fresh() && !reflect.DeepEqual(p, q) {
			return fmt.Errorf("progress %+v comes back as %+v (%v)", p, q, err)
		}
		for k := range d.w.logs[i] {
			x := d.w.logs[i][k]
			if id := [2]int64{int64(i), x.offset}; x.offset < p.Offset && d.o.dead[id] &&
				!d.letter[id] {
				return fmt.Errorf("offset %d of input %d passed an open dead letter", p.Offset, i)
			}
		}
	}
	m, err := New(cfg, d.kept)
	if err != nil {
		return err
	}
	d.m, d.open, d.tick, d.mark = m, nil, 0, timeline.MinTime
	d.at, d.ended = make([]int, len(d.w.inputs)), make([]bool, len(d.w.inputs))
	for i, p := range d.kept {
		for d.at[i] < len(d.w.logs[i]) && d.w.logs[i][d.at[i]].offset < p.Offset {
			d.at[i]++
		}
	}
	return d.findTurn()
}

// findTurn finds the delivery after the cut; all before it must have been marked.
func (d *driver) findTurn() error {
	d.turn = 0
	cut := d.m.currentCut()
	if cut.At == timeline.MinTime {
		return nil
	}
	for d.turn < len(d.o.order) {
		x := d.o.order[d.turn]
		if !d.marked[d.turn] {
			return fmt.Errorf("cut %+v passed delivery %d, not marked", cut, d.turn)
		}
		d.turn++
		if x.Stamp == (timeline.Stamp{At: cut.At, N: cut.N}) {
			if x.Record.Input != cut.Input || x.Record.Sender != cut.Sender {
				return fmt.Errorf("cut %+v at %+v", cut, x)
			}
			return nil
		}
	}
	return fmt.Errorf("cut %+v is no delivery", cut)
}

func (d *driver) finished() bool {
	for i := range d.ended {
		if !d.ended[i] {
			return false
		}
	}
	return d.turn == len(d.o.order) && len(d.open) == 0
}

func (d *driver) step() error {
	switch d.r.IntN(10) {
	case 0, 1, 2, 3:
		i := d.r.IntN(len(d.w.inputs))
		for range 1 + d.r.IntN(d.how.batch) {
			if d.how.polite && !d.m.Wants(i) {
				break
			}
			if err := d.feed(i); err != nil {
				return err
			}
		}
	case 4, 5:
		for range 1 + d.r.IntN(4) {
			if d.tick < len(d.w.clock) {
				t := d.w.clock[d.tick]
				d.m.Clock(t.input, t.end, t.at)
				d.tick++
			}
		}
		d.takeLate()
	case 6, 7:
		for range 1 + d.r.IntN(2*d.how.batch) {
			if due, err := d.take(); err != nil || !due {
				return err
			}
		}
	case 8:
		d.markSome()
	case 9:
		if d.r.IntN(3) == 0 {
			d.commit()
		}
	}
	return d.checkWatermark()
}

// feed pushes the next record of an input, or its end.
func (d *driver) feed(i int) error {
	if d.at[i] == len(d.w.logs[i]) {
		if d.tick == len(d.w.clock) && !d.ended[i] {
			d.m.Reached(i, d.w.ends[i])
			d.m.End(i, endOfTime)
			d.ended[i] = true
			d.takeLate()
		}
		return nil
	}
	x := d.w.logs[i][d.at[i]]
	d.at[i]++
	switch {
	case x.rejected:
		d.letterFor(int64(i), x.offset, d.m.Reject(i, x.offset))
	case x.promise:
		d.m.Promise(i, x.sender, x.offset, x.at, x.quality)
	default:
		v, ref, err := d.m.Push(x.record)
		if err != nil {
			return err
		}
		want := d.o.verdicts[i][x.offset]
		switch {
		case v == Waiting || v == want:
		case v == Skipped && (d.w.inputs[i].Senders > 0 || want == Accepted || want == Raised):
		default:
			return fmt.Errorf("input %d offset %d: %v, not %v", i, x.offset, v, want)
		}
		if (v == Late) != (ref != 0) {
			return fmt.Errorf("%v with reference %d", v, ref)
		}
		if v == Late {
			d.letterFor(int64(i), x.offset, ref)
		}
	}
	return nil
}

func (d *driver) letterFor(input, offset int64, ref Ref) {
	d.open = append(d.open, pendingMark{ref, -1, [2]int64{input, offset}})
}

func (d *driver) takeLate() {
	for {
		r, ref, ok := d.m.NextLate()
		if !ok {
			return
		}
		d.letterFor(int64(r.Input), r.Offset, ref)
	}
}

// take takes the next delivery and compares it with the one whose turn it is.
func (d *driver) take() (bool, error) {
	got, due, err := d.m.Next()
	if err != nil || !due {
		return false, err
	}
	if d.turn == len(d.o.order) {
		return false, fmt.Errorf("delivered %+v after the end", got)
	}
	want := d.o.order[d.turn]
	d.open = append(d.open, pendingMark{got.Ref, d.turn, [2]int64{}})
	got.Ref = 0
	if d.w.inputs[got.Record.Input].Senders > 0 {
		got.Record.Offset = want.Record.Offset // it may be that of a repeat
	}
	if got.Record.Data == nil {
		got.Record.Data = []byte{}
	}
	if !reflect.DeepEqual(got, want) {
		return false, fmt.Errorf("delivery %d is %+v, not %+v", d.turn, got, want)
	}
	d.turn++
	return true, nil
}

func (d *driver) markSome() {
	for range 1 + d.r.IntN(2*d.how.batch) {
		if len(d.open) == 0 {
			return
		}
		k := d.r.IntN(len(d.open))
		x := d.open[k]
		d.open[k] = d.open[len(d.open)-1]
		d.open = d.open[:len(d.open)-1]
		d.m.Mark(x.ref)
		if x.turn >= 0 {
			d.marked[x.turn] = true
		} else {
			d.letter[x.id] = true
		}
	}
}

func (d *driver) commit() {
	for i, p := range d.m.Progress() {
		if p.Offset >= 0 && (!d.how.partial || d.r.IntN(2) == 0) {
			d.kept[i] = p
		}
	}
}

func (d *driver) checkWatermark() error {
	w, _ := d.m.Watermark()
	if w < d.mark {
		return fmt.Errorf("watermark went back from %d to %d", d.mark, w)
	}
	d.mark = w
	for i, p := range d.kept {
		if !p.fresh() && p.Watermark > w {
			return fmt.Errorf("watermark %d is before %d, committed for input %d",
				w, p.Watermark, i)
		}
	}
	if d.turn < len(d.o.order) && d.o.order[d.turn].Stamp.At <= w {
		return fmt.Errorf("watermark %d passed delivery %d at %d", w, d.turn,
			d.o.order[d.turn].Stamp.At)
	}
	return nil
}

// atTheEnd checks that all is accounted for and nothing is left.
func (d *driver) atTheEnd() error {
	for id := range d.o.dead {
		if !d.letter[id] {
			return fmt.Errorf("input %d offset %d has no dead letter", id[0], id[1])
		}
	}
	if len(d.letter) != len(d.o.dead) {
		return errors.New("dead letters of records that are not dead")
	}
	if n, b := d.m.Buffered(); n != 0 || b != 0 || d.spool.open != 0 {
		return fmt.Errorf("left: %d records, %d bytes, %d spool files", n, b, d.spool.open)
	}
	for i, p := range d.m.Progress() {
		if p.Read != p.Applied+p.Duplicates+p.DeadLettered+p.Heartbeats {
			return fmt.Errorf("counters of input %d do not add up: %+v", i, p)
		}
		got, want := p.counters(), d.o.counters[i]
		if d.w.inputs[i].Senders > 0 && d.how.crashes > 0 {
			got.applied, want.applied = got.applied+got.duplicates, want.applied+want.duplicates
			got.duplicates, want.duplicates = 0, 0
		}
		if got != want {
			return fmt.Errorf("counters of input %d are %+v, not %+v", i, got, want)
		}
		if p.Offset < d.w.ends[i] || p.Watermark != endOfTime {
			return fmt.Errorf("input %d ends with %+v", i, p)
		}
	}
	return nil
}

// memorySpool is a Spool in memory that counts.
type memorySpool struct{ made, open int }

type memoryFile struct {
	b []byte
	s *memorySpool
}

func (s *memorySpool) Create() (SpoolFile, error) {
	s.made++
	s.open++
	return &memoryFile{s: s}, nil
}

func (f *memoryFile) WriteAt(b []byte, at int64) (int, error) {
	f.b = append(f.b[:at], b...)
	return len(b), nil
}

func (f *memoryFile) ReadAt(b []byte, at int64) (int, error) {
	n := copy(b, f.b[at:])
	if at+int64(n) == int64(len(f.b)) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memoryFile) Close() error {
	f.s.open--
	f.b = nil
	return nil
}
