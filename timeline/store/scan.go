package store

import (
	"bytes"
	"fmt"

	"github.com/syndtr/goleveldb/leveldb/opt"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/wire"
)

const (
	nearby = 4 // versions stepped over one by one before a seek is cheaper

	// historyBuffer bounds what Histories holds of one key, in bytes. A longer history
	// is walked backwards on disk, which is slower.
	historyBuffer = 4 << 20
)

// Scan calls fn for every order key in [from, to) that has a row as of t, in key
// order, with the version visible at t; nil bounds are open. It reads one snapshot.
// The slices are valid during the call only. fn ends the scan by returning false.
func (s *Store) Scan(from, to []byte, t timeline.Time,
	fn func(orderKey []byte, v wire.Version) (bool, error),
) error {
	return s.scan(from, to, endOf(t), fn)
}

func (s *Store) scan(from, to []byte, limit timeline.Stamp,
	fn func(orderKey []byte, v wire.Version) (bool, error),
) error {
	c, done, err := s.snapshot(from == nil && to == nil)
	if err != nil {
		return err
	}
	defer done()
	for ok := c.first(from, to); ok; ok = c.nextKey(to) {
		if !c.descend(limit) {
			continue
		}
		v, err := s.decode(c.it.Value(), c.prefix)
		if err != nil {
			return err
		}
		if v.Deleted {
			continue
		}
		if more, err := fn(c.prefix[1:], v); err != nil || !more {
			return err
		}
	}
	return s.scanned(c)
}

// History calls fn for the versions of key that touch [t1, t2), oldest first: the
// one visible at t1, then those of later instants before t2, only the last of each
// instant. A deletion is reported when a row was reported before it. The slices are
// valid during the call only. fn ends the walk by returning false.
func (s *Store) History(key string, t1, t2 timeline.Time,
	fn func(v wire.Version) (bool, error),
) error {
	if t2 <= t1 {
		return nil
	}
	prefix, err := s.prefix(key)
	if err != nil {
		return err
	}
	c, done, err := s.snapshot(false)
	if err != nil {
		return err
	}
	defer done()
	c.prefix = append(c.prefix[:0], prefix...)
	if _, err := s.walk(c, t1, t2-1, fn); err != nil {
		return err
	}
	return s.scanned(c)
}

// Histories calls fn for all versions of all order keys in [from, to): keys in
// order, oldest version first, only the last of each instant, and no deletion
// before the first row. The slices are valid during the call only. fn ends the walk
// by returning false.
func (s *Store) Histories(from, to []byte,
	fn func(orderKey []byte, v wire.Version) (bool, error),
) error {
	c, done, err := s.snapshot(true)
	if err != nil {
		return err
	}
	defer done()
	var h history
	for ok := c.first(from, to); ok; ok = c.nextKey(to) {
		one := func(v wire.Version) (bool, error) { return fn(c.prefix[1:], v) }
		var more bool
		if h.collect(c) {
			more, err = h.replay(s, c.prefix, one)
		} else {
			more, err = s.walk(c, timeline.MinTime, timeline.MaxTime, one)
			c.skip(c.prefix)
		}
		if err != nil || !more {
			return err
		}
	}
	return s.scanned(c)
}

func (s *Store) scanned(c *cursor) error {
	if err := c.it.Error(); err != nil {
		return s.fail("scanning", err)
	}
	return nil
}

// snapshot flushes and returns a cursor over everything set so far, and what gives
// it back. A wide one does not drive the blocks of others out of the cache.
func (s *Store) snapshot(wide bool) (*cursor, func(), error) {
	s.mu.RLock()
	flush := len(s.dirty) > 0 || s.writing
	s.mu.RUnlock()
	if flush {
		if err := s.Flush(); err != nil {
			return nil, nil, err
		}
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, nil, ErrClosed
	}
	s.readers.Add(1)
	if wide {
		c := &cursor{it: s.db.NewIterator(nil, &opt.ReadOptions{DontFillCache: true})}
		return c, func() { c.it.Release(); s.readers.Done() }, nil
	}
	gen := s.gen
	c := gen.take(s.db)
	return c, func() { gen.give(c); s.readers.Done() }, nil
}

func (s *Store) decode(rec, prefix []byte) (wire.Version, error) {
	v, err := wire.DecodeVersion(rec)
	if err != nil {
		return v, corrupt(s.o.Dir, fmt.Sprintf("reading order key %x: %v", prefix[1:], err))
	}
	return v, nil
}

// walk calls fn for the versions under c.prefix, oldest first: the one visible at
// t1, then the last of each instant up to and including until.
func (s *Store) walk(c *cursor, t1, until timeline.Time,
	fn func(v wire.Version) (bool, error),
) (more bool, err error) {
	prefix := string(c.prefix)
	var (
		held []byte
		at   timeline.Time
		have bool
		seen bool // a row was reported
	)
	emit := func() (bool, error) {
		v, err := s.decode(held, c.prefix)
		if err != nil || v.Deleted && !seen {
			return err == nil, err
		}
		seen = true
		return fn(v)
	}
	if c.seek(prefix, endOf(t1)) {
		held, at, have = append(held, c.it.Value()...), c.at.At, true
	}
	for c.prev(prefix) && c.at.At <= until {
		if have && c.at.At != at {
			if more, err := emit(); err != nil || !more {
				return false, err
			}
		}
		held, at, have = append(held[:0], c.it.Value()...), c.at.At, true
	}
	if !have {
		return true, nil
	}
	return emit()
}

// history is one key's versions, newest first, the last of each instant only.
type history struct {
	bytes []byte
	ends  []int
}

// collect reads the versions under c.prefix; false if they are too large to hold.
func (h *history) collect(c *cursor) bool {
	h.bytes, h.ends = h.bytes[:0], h.ends[:0]
	at := c.at.At
	for first := true; ; first = false {
		if first || c.at.At != at {
			h.bytes = append(h.bytes, c.it.Value()...)
			h.ends = append(h.ends, len(h.bytes))
			at = c.at.At
		}
		if len(h.bytes) > historyBuffer {
			return false
		}
		if !c.it.Next() || !c.same() {
			return true
		}
	}
}

func (h *history) replay(s *Store, prefix []byte, fn func(v wire.Version) (bool, error)) (
	bool, error,
) {
	seen := false
	for i := len(h.ends) - 1; i >= 0; i-- {
		start := 0
		if i > 0 {
			start = h.ends[i-1]
		}
		v, err := s.decode(h.bytes[start:h.ends[i]], prefix)
		if err != nil {
			return false, err
		}
		if v.Deleted && !seen {
			continue
		}
		seen = true
		if more, err := fn(v); err != nil || !more {
			return false, err
		}
	}
	return true, nil
}

// first goes to the newest version of the first order key in [from, to).
func (c *cursor) first(from, to []byte) bool {
	c.probe = append(append(c.probe[:0], dataPrefix), from...)
	if !c.it.Seek(c.probe) {
		return false
	}
	// An order key that is a proper prefix of from orders before it, but the versions
	// under it need not.
	for c.enter() && bytes.Compare(c.prefix[1:], from) < 0 {
		if !c.skip(c.prefix) {
			return false
		}
	}
	return c.inside(to)
}

// nextKey goes to the newest version of the next order key before to. The cursor
// may have reached it already.
func (c *cursor) nextKey(to []byte) bool {
	for range nearby {
		if !c.it.Valid() {
			return false
		}
		if !c.same() {
			return c.enter() && c.inside(to)
		}
		c.it.Next()
	}
	if c.it.Valid() && c.same() {
		c.skip(c.prefix)
	}
	return c.enter() && c.inside(to)
}

// enter takes the prefix of the current key as the cursor's own.
func (c *cursor) enter() bool {
	if !c.it.Valid() {
		return false
	}
	p, st, ok := splitDataKey(c.it.Key())
	c.prefix, c.at = append(c.prefix[:0], p...), st
	return ok
}

// inside says whether the cursor is on a data key before to.
func (c *cursor) inside(to []byte) bool {
	return c.it.Valid() && len(c.prefix) > 0 &&
		(to == nil || bytes.Compare(c.prefix[1:], to) < 0)
}

// same says whether the current key still stands under the cursor's prefix.
func (c *cursor) same() bool {
	p, st, ok := splitDataKey(c.it.Key())
	c.at = st
	return ok && bytes.Equal(p, c.prefix)
}

// descend goes to the newest version under the cursor's prefix with stamp <= limit.
func (c *cursor) descend(limit timeline.Stamp) bool {
	for range nearby {
		if c.at.Compare(limit) <= 0 {
			return true
		}
		if !c.it.Next() || !c.same() {
			return false
		}
	}
	c.probe = appendStamp(append(c.probe[:0], c.prefix...), limit)
	return c.it.Seek(c.probe) && c.same()
}
