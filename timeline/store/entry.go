package store

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/tideline/tideline/timeline"
)

// version is one version in memory: its stamp and its record, never modified.
type version struct {
	st  timeline.Stamp
	rec []byte
}

// entry is what memory holds of one key: the newest version, if it is known, and
// the versions that are not on disk yet. All fields but used are guarded by
// Store.mu, except that a flush reads the frozen half without it: only a flush
// changes that half, and flushes exclude one another.
type entry struct {
	prefix string      // 'd' and the order key
	used   atomic.Bool // since the clock hand passed

	known  bool // newest is the newest of this key, or has is false and it has none
	has    bool
	newest version

	dirty  bool // listed in Store.dirty
	active changes
	frozen changes // being written by a flush
}

// changes are writes to one key on their way to disk.
type changes struct {
	wiped    bool      // forget what stands on disk
	drop     [][]byte  // the data keys that a wipe has to delete
	versions []version // ascending stamps
}

func (c *changes) empty() bool { return !c.wiped && len(c.versions) == 0 }

// reset empties c, keeping the room of ordinary sizes.
func (c *changes) reset() {
	clear(c.versions)
	c.versions = c.versions[:0]
	if cap(c.versions) > 4 {
		c.versions = nil
	}
	c.wiped, c.drop = false, nil
}

// put adds v in stamp order, replacing one of the same stamp.
func (c *changes) put(v version) {
	i := len(c.versions)
	for i > 0 && c.versions[i-1].st.Compare(v.st) > 0 {
		i--
	}
	if i > 0 && c.versions[i-1].st == v.st {
		c.versions[i-1] = v
		return
	}
	c.versions = append(c.versions, version{})
	copy(c.versions[i+1:], c.versions[i:])
	c.versions[i] = v
}

// find returns the newest version with stamp <= limit.
func (c *changes) find(limit timeline.Stamp) (version, bool) {
	for i := len(c.versions) - 1; i >= 0; i-- {
		if c.versions[i].st.Compare(limit) <= 0 {
			return c.versions[i], true
		}
	}
	return version{}, false
}

// pending returns the newest version with stamp <= limit that is not on disk yet,
// and whether what stands on disk is to be ignored.
func (e *entry) pending(limit timeline.Stamp) (v version, ok, wiped bool) {
	v, ok = e.active.find(limit)
	if e.active.wiped {
		return v, ok, true
	}
	if f, found := e.frozen.find(limit); found && (!ok || f.st.Compare(v.st) > 0) {
		v, ok = f, true
	}
	return v, ok, e.frozen.wiped
}

// cache holds entries by prefix, within a limit of bytes as far as the writes that
// wait for a flush allow. Which entry goes is decided by a clock hand.
type cache struct {
	entries map[string]*entry
	ring    []*entry
	hand    int
	bytes   int
	limit   int

	// marks count the writes per hash of a prefix, so that a reader who fetched a
	// key's newest version from disk can tell that it was overtaken.
	seed  maphash.Seed
	marks [256]uint32
}

const entryOverhead = 256 // entry, map slot, ring slot and slices, in bytes

func newCache(limit int) cache {
	return cache{entries: map[string]*entry{}, limit: limit, seed: maphash.MakeSeed()}
}

func (c *cache) mark(prefix string) *uint32 {
	return &c.marks[maphash.String(c.seed, prefix)%uint64(len(c.marks))]
}

// add inserts an empty entry for prefix.
func (c *cache) add(prefix string) *entry {
	e := &entry{prefix: prefix}
	c.entries[prefix] = e
	c.ring = append(c.ring, e)
	c.bytes += entryOverhead + len(prefix)
	return e
}

// learn sets the newest version of e, or that it has none.
func (c *cache) learn(e *entry, v version, has bool) {
	c.bytes += len(v.rec) - len(e.newest.rec)
	e.known, e.has, e.newest = true, has, v
}

// shrink evicts entries until the limit holds or the rest must stay.
func (c *cache) shrink() {
	for left := 2 * len(c.ring); c.bytes > c.limit && left > 0; left-- {
		if c.hand >= len(c.ring) {
			c.hand = 0
		}
		e := c.ring[c.hand]
		if e.dirty || !e.frozen.empty() || e.used.Swap(false) {
			c.hand++
			continue
		}
		last := c.ring[len(c.ring)-1]
		c.ring[c.hand] = last
		c.ring[len(c.ring)-1] = nil
		c.ring = c.ring[:len(c.ring)-1]
		c.bytes -= entryOverhead + len(e.prefix) + len(e.newest.rec)
		delete(c.entries, e.prefix)
	}
}
