package align

import "github.com/tideline/tideline/timeline"

// flight is something handed out that is to be marked.
type flight struct {
	position position
	n        uint64 // the stamp's
	marked   bool
}

// ledger numbers what is handed out, from 1, and knows up to where all is marked.
type ledger struct {
	ring []flight
	base uint64 // everything below is marked
	next uint64 // the number of the next flight
	last flight // the flight below base
}

func newLedger() ledger { return ledger{ring: make([]flight, 64), base: 1, next: 1} }

func (l *ledger) at(i uint64) *flight { return &l.ring[i&uint64(len(l.ring)-1)] }

// add hands out the next number.
func (l *ledger) add(p position, n uint64) uint64 {
	if int(l.next-l.base) == len(l.ring) {
		ring := make([]flight, 2*len(l.ring))
		for i := l.base; i < l.next; i++ {
			ring[i&uint64(len(ring)-1)] = *l.at(i)
		}
		l.ring = ring
	}
	*l.at(l.next) = flight{position: p, n: n}
	l.next++
	return l.next - 1
}

// mark notes that number i is done. A second mark changes nothing.
func (l *ledger) mark(i uint64) {
	if i < l.base || i >= l.next {
		return
	}
	l.at(i).marked = true
	for l.base < l.next && l.at(l.base).marked {
		l.last = *l.at(l.base)
		l.base++
	}
}

// firstOpen returns the event time of the first flight not marked.
func (l *ledger) firstOpen() (timeline.Time, bool) {
	if l.base == l.next {
		return 0, false
	}
	return l.at(l.base).position.at, true
}
