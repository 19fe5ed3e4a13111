package align

import (
	"math"

	"github.com/tideline/tideline/timeline"
)

// memoryAge is the age of what is in memory: younger than any spilled run.
const memoryAge = math.MaxUint32

// key is the least position that a leaf of the tree can still bring: that of its first
// record if due, otherwise the bound of records that are still to come.
type key struct {
	at   timeline.Time
	lane int32  // global lane number, in order of (input, sender)
	age  uint32 // of equal positions of one lane the older goes first: runs before memory
	due  bool
}

// noKey is the key of a leaf that brings nothing any more.
var noKey = key{at: timeline.MaxTime, lane: math.MaxInt32, age: memoryAge}

func (k key) before(o key) bool {
	if k.at != o.at {
		return k.at < o.at
	}
	if k.lane != o.lane {
		return k.lane < o.lane
	}
	return k.age < o.age
}

// tree is a tournament over lanes and runs: the winner is the leaf with the least key.
type tree struct {
	keys []key   // by leaf, padded to a power of two with noKey
	win  []int32 // win[1] is the winner of all; win[i] that of win[2i] and win[2i+1]
}

// grow makes room for n leaves, keeping the keys there are.
func (t *tree) grow(n int) {
	size := 2
	for size < n {
		size *= 2
	}
	for len(t.keys) < size {
		t.keys = append(t.keys, noKey)
	}
	t.win = make([]int32, 2*size)
	for i := range size {
		t.win[size+i] = int32(i)
	}
	for i := size - 1; i > 0; i-- {
		t.win[i] = t.play(i)
	}
}

func (t *tree) play(i int) int32 {
	a, b := t.win[2*i], t.win[2*i+1]
	if t.keys[b].before(t.keys[a]) {
		return b
	}
	return a
}

// set gives a leaf a new key.
func (t *tree) set(leaf int, k key) {
	t.keys[leaf] = k
	for i := (leaf + len(t.keys)) / 2; i > 0; i /= 2 {
		w := t.play(i)
		if w == t.win[i] && w != int32(leaf) {
			return // the same winner with the same key: nothing changes above
		}
		t.win[i] = w
	}
}

// first returns the winning leaf and its key.
func (t *tree) first() (int, key) {
	leaf := int(t.win[1])
	return leaf, t.keys[leaf]
}
