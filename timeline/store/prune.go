package store

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"

	"github.com/tideline/tideline/timeline"
)

// horizonStep is how many versions SetHorizon itself looks at.
const horizonStep = 512

// pruner removes what no read at or after the horizon can see, in rounds over all
// keys. A round proceeds a few versions at a time, paid for by flushes in proportion
// to what they write and by every advance of the horizon. Guarded by flushMu, except
// due, which is guarded by mu.
type pruner struct {
	running bool
	resume  []byte // data key to go on at
	on      bool   // prefix names the key that resume stands in
	prefix  []byte
	covered bool          // the key's version visible at the horizon was passed
	newer   timeline.Time // instant of the version passed last; MaxTime: none
	low     timeline.Time // of this round: when the next version will be removable

	// due: no version is removable while the horizon is before it.
	due timeline.Time

	batch leveldb.Batch
	gone  []version // newest versions removed by the step, rec holds the prefix
}

func (p *pruner) init() { p.due = timeline.MinTime }

// written takes note of a new version, which covers its predecessor from at on.
func (p *pruner) written(at timeline.Time) { p.due = min(p.due, at) }

// Horizon returns the oldest instant that can still be read; MinTime at first.
func (s *Store) Horizon() timeline.Time {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.horizon
}

// SetHorizon lets versions go that no read at or after t sees (S5), and removes some
// of them. The horizon never goes back.
func (s *Store) SetHorizon(t timeline.Time) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return fmt.Errorf("setting horizon: %w", ErrClosed)
	}
	if t > s.horizon {
		s.horizon, s.metaDirty = t, true
	}
	s.mu.Unlock()
	s.flushMu.Lock()
	defer s.flushMu.Unlock()
	return s.pruneStep(horizonStep)
}

// begin starts a round if one is worth it.
func (s *Store) begin() (horizon timeline.Time, ok bool) {
	p := &s.prune
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.failed != nil {
		return 0, false
	}
	if p.running {
		return s.horizon, true
	}
	// While little is removable, a round would read everything for nothing.
	wait := timeline.Time(0)
	if s.hasNewest && s.newest.At > s.horizon && s.horizon > 0 {
		wait = (s.newest.At - s.horizon) / 8
	}
	if s.horizon == timeline.MinTime || p.due > s.horizon ||
		p.due > 0 && p.due > s.horizon-wait {
		return 0, false
	}
	p.running, p.on = true, false
	p.resume = append(p.resume[:0], dataPrefix)
	p.low, p.due = timeline.MaxTime, timeline.MaxTime
	return s.horizon, true
}

// pruneStep looks at about n versions. The caller holds flushMu.
func (s *Store) pruneStep(n int) error {
	horizon, ok := s.begin()
	if !ok {
		return nil
	}
	p := &s.prune
	p.batch.Reset()
	p.gone = p.gone[:0]
	c := &cursor{it: s.db.NewIterator(nil, &opt.ReadOptions{DontFillCache: true})}
	defer c.it.Release()
	done, err := s.pruneVersions(c, horizon, n)
	if err != nil {
		return err
	}
	return s.endStep(done)
}

// pruneVersions fills the batch with deletions; done means that the round is over.
func (s *Store) pruneVersions(c *cursor, horizon timeline.Time, n int) (done bool, err error) {
	p := &s.prune
	var base []byte // key of the visible version, if it may go once all older ones do
	var baseAt timeline.Stamp
	baseNewest := false
	finish := func() {
		if base == nil {
			return
		}
		if s.waits(p.prefix) {
			// A version that is not on disk yet may be older than the deletion.
			p.low = min(p.low, baseAt.At)
			base = nil
			return
		}
		p.batch.Delete(base)
		if baseNewest {
			p.gone = append(p.gone, version{st: baseAt, rec: bytes.Clone(p.prefix)})
		}
		base = nil
	}
	for ok := c.it.Seek(p.resume); ; ok = c.it.Next() {
		key := c.it.Key()
		prefix, st, data := splitDataKey(key)
		if !ok || !data {
			finish()
			if err := c.it.Error(); err != nil {
				return false, s.fail("pruning", err)
			}
			return true, nil
		}
		if !p.on || !bytes.Equal(prefix, p.prefix) {
			finish()
			p.enter(prefix)
		}
		if n--; n < 0 {
			// The deletion that covers the rest must outlive it: leave it to the next round.
			if base != nil {
				p.low = min(p.low, baseAt.At)
			}
			p.resume = append(p.resume[:0], key...)
			return false, nil
		}
		if p.covered {
			p.batch.Delete(key)
			continue
		}
		v, err := s.decode(c.it.Value(), p.prefix)
		if err != nil {
			return false, err
		}
		gone := v.Deleted && len(v.State) == 0
		p.covered = st.At <= horizon
		if p.covered && gone {
			base, baseAt = bytes.Clone(key), st
			baseNewest = p.newer == timeline.MaxTime
			continue
		}
		p.low = min(p.low, p.newer)
		if gone {
			p.low = min(p.low, st.At)
		}
		p.newer = st.At
	}
}

// waits says whether changes of a key wait for a flush.
func (s *Store) waits(prefix []byte) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	e := s.cache.entries[string(prefix)]
	return e != nil && (!e.active.empty() || !e.frozen.empty())
}

func (p *pruner) enter(prefix []byte) {
	p.on, p.covered, p.newer = true, false, timeline.MaxTime
	p.prefix = append(p.prefix[:0], prefix...)
}

// endStep writes what the step removes, with the horizon that allows it.
func (s *Store) endStep(done bool) error {
	p := &s.prune
	s.mu.RLock()
	horizon := s.horizon
	s.mu.RUnlock()
	if p.batch.Len() > 0 {
		p.batch.Put(horizonKey, binary.BigEndian.AppendUint64(nil, uint64(horizon)))
		if err := s.write(&p.batch); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range p.gone {
		e := s.cache.entries[string(v.rec)]
		if e != nil && e.known && e.has && e.newest.st == v.st && !e.dirty && e.frozen.empty() {
			s.cache.learn(e, version{}, false)
		}
	}
	if done {
		p.running = false
		p.due = min(p.due, p.low)
	}
	return nil
}
