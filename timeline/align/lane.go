package align

import (
	"math"

	"github.com/tideline/tideline/timeline"
)

// lane is one sequence of records with its own idea of time: a stream partition, or one
// sender's part of an exchange partition.
type lane struct {
	input      int
	sender     int32
	exchange   bool
	disordered bool
	lateness   timeline.Time

	maxAt          timeline.Time // greatest event time judged
	promise        timeline.Time // nothing at or before it is still to come: in band, clock, End
	promiseQuality timeline.Quality
	floor          timeline.Time // after a restart: anything earlier has been applied
	floorQuality   timeline.Quality
	quality        timeline.Quality // of the bound, as counted in Merge.qualities

	position    int64 // streams: greatest source position seen
	hasPosition bool
	last        position // exchanges: the last record; beforeAll at first

	// Pending records, by index in the input's arrivals: a linked list in order, and for
	// disordered streams a heap of those that did not come in order.
	head, tail uint64 // 0 = empty
	headAt     timeline.Time
	tailAt     timeline.Time
	heap       heap
}

// addTime adds without leaving the range of Time.
func addTime(t, d timeline.Time) timeline.Time {
	s := t + d
	if d > 0 && s < t {
		return timeline.MaxTime
	}
	if d < 0 && s > t {
		return timeline.MinTime
	}
	return s
}

// watermark is the instant at or before which a stream's record is late.
func (l *lane) watermark() timeline.Time {
	if !l.disordered {
		return l.promise
	}
	return max(l.promise, addTime(addTime(l.maxAt, -l.lateness), -1))
}

// bound returns the least event time that the lane can still bring, and how well it is
// known.
func (l *lane) bound() (timeline.Time, timeline.Quality) {
	promised := addTime(l.promise, 1)
	data, quality := l.maxAt, timeline.Exact
	switch {
	case l.exchange:
		quality = l.promiseQuality // what the sender knew, its data included
	case l.disordered:
		data, quality = addTime(l.maxAt, -l.lateness), timeline.Estimated
	}
	b := data
	if promised > data {
		b, quality = promised, l.promiseQuality
	}
	if l.floor > b {
		return l.floor, l.floorQuality
	}
	return b, quality
}

// advance notes that nothing at or before w is still to come.
func (l *lane) advance(w timeline.Time, q timeline.Quality) {
	if w > l.promise {
		l.promise, l.promiseQuality = w, q
	}
}

// first returns the event time of the first pending record.
func (l *lane) first() (timeline.Time, bool) {
	if len(l.heap) > 0 && (l.head == 0 || l.heap[0].at < l.headAt) {
		return l.heap[0].at, true
	}
	return l.headAt, l.head != 0
}

// push adds the pending record with index i to the lane.
func (l *lane) push(f *fifo, i uint64, at timeline.Time) {
	switch {
	case l.head == 0:
		l.head, l.headAt = i, at
	case at >= l.tailAt:
		f.at(l.tail).next = i
	default: // only in a disordered lane
		l.heap.push(item{at, i})
		return
	}
	l.tail, l.tailAt = i, at
}

// pop removes the first pending record and returns its index.
func (l *lane) pop(f *fifo) uint64 {
	i := l.head
	if len(l.heap) > 0 && (i == 0 || l.heap[0].before(item{l.headAt, i})) {
		return l.heap.pop().index
	}
	l.head = f.at(i).next
	if l.head != 0 {
		l.headAt = f.at(l.head).at
	}
	return i
}

// clear forgets the pending records.
func (l *lane) clear() {
	l.head, l.tail = 0, 0
	l.heap = l.heap[:0]
}

// item is a pending record in a heap. Of equal times the earlier arrival goes first.
type item struct {
	at    timeline.Time
	index uint64
}

func (a item) before(b item) bool {
	return a.at < b.at || a.at == b.at && a.index < b.index
}

// heap is a 4-ary min-heap: fewer levels, hence fewer cache misses, than a binary one.
type heap []item

func (h *heap) push(x item) {
	*h = append(*h, x)
	s := *h
	i := len(s) - 1
	for i > 0 {
		p := (i - 1) / 4
		if !x.before(s[p]) {
			break
		}
		s[i] = s[p]
		i = p
	}
	s[i] = x
}

func (h *heap) pop() item {
	s := *h
	top := s[0]
	x := s[len(s)-1]
	s = s[:len(s)-1]
	*h = s
	if len(s) > 0 {
		s.sink(x)
	}
	return top
}

// sink puts x where it belongs, starting from the hole at the root.
func (h heap) sink(x item) {
	i := 0
	for {
		c := 4*i + 1
		if c >= len(h) {
			break
		}
		least := c
		for j := c + 1; j < min(c+4, len(h)); j++ {
			if h[j].before(h[least]) {
				least = j
			}
		}
		if !h[least].before(x) {
			break
		}
		h[i] = h[least]
		i = least
	}
	h[i] = x
}

// position is a record's place in the total order.
type position struct {
	at     timeline.Time
	lane   int32
	output uint32
	seq    uint64 // streams: the offset; exchanges: N
}

// beforeAll orders before every record.
var beforeAll = position{at: timeline.MinTime, lane: math.MinInt32}

func (p position) atOrBefore(o position) bool {
	switch {
	case p.at != o.at:
		return p.at < o.at
	case p.lane != o.lane:
		return p.lane < o.lane
	case p.seq != o.seq:
		return p.seq < o.seq
	}
	return p.output <= o.output
}
