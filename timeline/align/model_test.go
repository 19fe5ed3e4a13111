package align

import (
	"math/rand/v2"
	"slices"

	"github.com/tideline/tideline/timeline"
)

// A world is what lies in the logs: the truth that every way of reading it must agree on.
type world struct {
	inputs []Input
	logs   [][]said // by input, in offset order
	clock  []tick
	ends   []int64 // by input: the offset behind the last
}

// said is one record of a log.
type said struct {
	offset   int64
	record   Record // changes and heartbeats
	rejected bool
	promise  bool
	sender   int32
	at       timeline.Time
	quality  timeline.Quality
}

type tick struct {
	input int
	end   int64
	at    timeline.Time
}

// shape bounds the random worlds.
type shape struct {
	inputs, perLog int
	span           int64 // event times spread over this many microseconds per log
}

func randomWorld(r *rand.Rand, s shape) *world {
	w := &world{}
	n := 1 + r.IntN(s.inputs)
	for i := range n {
		in := Input{Name: string(rune('a' + i))}
		switch r.IntN(4) {
		case 0:
			in.Senders = 1 + r.IntN(4)
		case 1:
			in.Disordered, in.Lateness = true, timeline.Time(r.Int64N(s.span/4+1))
			in.Clocked = r.IntN(2) == 0
		case 2:
			in.Clocked = true
		}
		w.inputs = append(w.inputs, in)
		size := r.IntN(s.perLog + 1)
		if in.Senders > 0 {
			w.logs = append(w.logs, exchangeLog(r, i, in.Senders, size, s))
		} else {
			w.logs = append(w.logs, streamLog(r, i, size, s))
		}
		w.ends = append(w.ends, 0)
		if k := len(w.logs[i]); k > 0 {
			w.ends[i] = w.logs[i][k-1].offset + 1
		}
		if in.Clocked {
			w.clock = append(w.clock, ticks(r, i, w.ends[i], s)...)
		}
	}
	w.interleaveClock(r)
	return w
}

// instant is an event time: k-th of n spread over the span, coarse so that ties abound.
func instant(r *rand.Rand, k, n int, s shape, jitter int64) timeline.Time {
	t := int64(k)*s.span/int64(n+1) + r.Int64N(2*jitter+1) - jitter
	return timeline.Time(t / 3 * 3)
}

func streamLog(r *rand.Rand, input, size int, s shape) []said {
	var log []said
	offset := int64(r.IntN(3))
	positions, ties := r.IntN(2) == 0, r.IntN(2) == 0
	for k := range size {
		x := said{offset: offset, at: instant(r, k, size, s, s.span/8)}
		switch r.IntN(12) {
		case 0:
			x.rejected = true
		case 1:
			x.promise, x.at = true, x.at-timeline.Time(s.span/6)
		default:
			x.record = Record{Input: input, Offset: offset, At: x.at,
				TimeOnly: r.IntN(10) == 0, Data: payload(r)}
			if positions {
				x.record.HasPosition, x.record.TiesAllowed = true, ties
				x.record.Position = int64(k) - int64(r.IntN(3)/2*r.IntN(4))
			}
		}
		log = append(log, x)
		offset += 1 + int64(r.IntN(3)/2)
	}
	return log
}

// exchangeLog interleaves what senders say, each repeating a tail now and then.
func exchangeLog(r *rand.Rand, input, senders, size int, s shape) []said {
	spoken := make([][]said, senders)
	at := make([]timeline.Time, senders)
	seq := make([]uint64, senders)
	var log []said
	say := func(x said) {
		x.offset = int64(len(log) * 2)
		x.record.Offset = x.offset
		log = append(log, x)
	}
	for k := range size {
		i := r.IntN(senders)
		if now := instant(r, k, size, s, 0); now > at[i] && r.IntN(3) > 0 {
			at[i] = now
			seq[i] = 0
		}
		x := said{sender: int32(i), at: at[i]}
		switch {
		case r.IntN(15) == 0 && len(spoken[i]) > 0:
			for _, again := range spoken[i][r.IntN(len(spoken[i])):] {
				say(again)
			}
			continue
		case r.IntN(6) == 0:
			x.promise, x.quality = true, timeline.Quality(r.IntN(3))
			at[i], seq[i] = at[i]+1, 0
		default:
			x.record = Record{Input: input, Sender: int32(i), At: at[i], N: seq[i] / 2,
				Output: uint32(seq[i] % 2), Data: payload(r)}
			seq[i] += 1 + uint64(r.IntN(2))
		}
		spoken[i] = append(spoken[i], x)
		say(x)
	}
	return log
}

func payload(r *rand.Rand) []byte {
	b := make([]byte, r.IntN(40))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func ticks(r *rand.Rand, input int, end int64, s shape) []tick {
	var ts []tick
	for at := int64(0); at <= end; at += int64(r.IntN(8)) {
		t := int64(float64(at)/float64(end+1)*float64(s.span)) - r.Int64N(s.span/4+1)
		ts = append(ts, tick{input, at - int64(r.IntN(6)/5), timeline.Time(t)})
	}
	return append(ts, tick{input, end, timeline.Time(s.span / 2)})
}

// interleaveClock shuffles the entries of different inputs among each other.
func (w *world) interleaveClock(r *rand.Rand) {
	var mixed []tick
	rest := make([][]tick, len(w.inputs))
	for _, t := range w.clock {
		rest[t.input] = append(rest[t.input], t)
	}
	for left := len(w.clock); left > 0; {
		i := r.IntN(len(rest))
		if len(rest[i]) > 0 {
			mixed = append(mixed, rest[i][0])
			rest[i] = rest[i][1:]
			left--
		}
	}
	w.clock = mixed
}

// outcome is what a world must lead to.
type outcome struct {
	order    []Delivery          // without Ref
	dead     map[[2]int64]bool   // (input, offset) of what goes to the dead letters
	counters []counters          // by input
	verdicts []map[int64]Verdict // by input and offset
}

// evaluate judges every log by the rules as they are written, then sorts.
func (w *world) evaluate() *outcome {
	o := &outcome{dead: map[[2]int64]bool{}}
	for i, in := range w.inputs {
		o.counters = append(o.counters, counters{})
		o.verdicts = append(o.verdicts, map[int64]Verdict{})
		if in.Senders > 0 {
			o.exchange(w, i)
		} else {
			o.stream(w, i)
		}
	}
	slices.SortStableFunc(o.order, func(a, b Delivery) int { return compareRecords(w, a, b) })
	for i := range o.order {
		d := &o.order[i]
		d.Stamp.At = d.Record.At
		if i > 0 && o.order[i-1].Stamp.At == d.Stamp.At {
			d.Stamp.N = o.order[i-1].Stamp.N + 1
		}
	}
	return o
}

func compareRecords(w *world, x, y Delivery) int {
	a, b := x.Record, y.Record
	if a.At != b.At {
		return int(a.At - b.At)
	}
	if a.Input != b.Input {
		return a.Input - b.Input
	}
	if w.inputs[a.Input].Senders == 0 {
		return int(a.Offset - b.Offset)
	}
	if a.Sender != b.Sender {
		return int(a.Sender - b.Sender)
	}
	if a.N != b.N {
		return int(a.N) - int(b.N)
	}
	return int(a.Output) - int(b.Output)
}

func (o *outcome) exchange(w *world, i int) {
	seen := map[[4]int64]bool{}
	c := &o.counters[i]
	for _, x := range w.logs[i] {
		if x.promise {
			continue
		}
		c.read++
		r := x.record
		id := [4]int64{int64(r.Sender), int64(r.At), int64(r.N), int64(r.Output)}
		if seen[id] {
			c.duplicates++
			o.verdicts[i][x.offset] = Duplicate
			continue
		}
		seen[id] = true
		c.applied++
		o.verdicts[i][x.offset] = Accepted
		o.order = append(o.order, Delivery{Record: r})
	}
}

func (o *outcome) stream(w *world, i int) {
	c := &o.counters[i]
	for k, x := range w.logs[i] {
		if x.promise {
			continue
		}
		c.read++
		v, at := w.verdict(i, k)
		r := x.record
		switch {
		case x.rejected:
			c.deadLettered++
			o.dead[[2]int64{int64(i), x.offset}] = true
			continue
		case v == Duplicate:
			c.duplicates++
		case r.TimeOnly:
			c.heartbeats++
		case v == Late:
			c.late++
			c.deadLettered++
			o.dead[[2]int64{int64(i), x.offset}] = true
		default:
			c.applied++
			if v == Raised {
				c.raised++
			}
			r.At = at
			o.order = append(o.order, Delivery{Record: r})
		}
		o.verdicts[i][x.offset] = v
	}
}

// verdict judges the k-th record of a stream from the whole log before it, each time
// anew: slow, and without any state that could be wrong.
func (w *world) verdict(i, k int) (Verdict, timeline.Time) {
	in, x := w.inputs[i], w.logs[i][k]
	maxAt, promise := timeline.MinTime, timeline.MinTime
	var position *int64
	for _, t := range w.clockOf(i) {
		if t.end <= x.offset {
			promise = max(promise, t.at)
		}
	}
	for j, y := range w.logs[i][:k+1] {
		if y.promise && j < k {
			promise = max(promise, y.at)
		}
	}
	for j := range k + 1 {
		y := w.logs[i][j]
		r := y.record
		if y.promise || y.rejected {
			continue
		}
		if r.HasPosition && position != nil && (r.Position < *position ||
			r.Position == *position && !r.TiesAllowed) {
			if j == k {
				return Duplicate, 0
			}
			continue
		}
		if r.HasPosition {
			position = &r.Position
		}
		late, at := w.lateAt(in, i, j, maxAt, r.At, r.TimeOnly)
		if j == k {
			switch {
			case late && !r.TimeOnly:
				return Late, 0
			case at > r.At && !r.TimeOnly:
				return Raised, at
			}
			return Accepted, at
		}
		if !late {
			maxAt = max(maxAt, at)
		}
	}
	return Accepted, 0
}

// lateAt says whether the j-th record is late, the greatest event time before it given.
func (w *world) lateAt(in Input, i, j int, maxAt, at timeline.Time, timeOnly bool,
) (bool, timeline.Time) {
	mark := timeline.MinTime
	for _, t := range w.clockOf(i) {
		if t.end <= w.logs[i][j].offset {
			mark = max(mark, t.at)
		}
	}
	for _, y := range w.logs[i][:j] {
		if y.promise {
			mark = max(mark, y.at)
		}
	}
	if in.Disordered {
		if maxAt > timeline.MinTime {
			mark = max(mark, maxAt-in.Lateness-1)
		}
	} else if !timeOnly {
		at = max(at, maxAt)
	}
	return at <= mark, at
}

// clockOf returns the entries for an input, without those whose end goes back.
func (w *world) clockOf(i int) []tick {
	var ts []tick
	end := int64(-1)
	for _, t := range w.clock {
		if t.input == i && w.inputs[i].Clocked && t.end >= end && t.end >= 0 {
			end = t.end
			ts = append(ts, t)
		}
	}
	return ts
}
