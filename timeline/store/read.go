package store

import (
	"bytes"
	"fmt"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/wire"
)

// Before returns the newest version of key with a stamp less than st: the state
// that an operator sees when it processes the message of that stamp. A version
// that is Deleted is returned as such. The caller owns the slices.
func (s *Store) Before(key string, st timeline.Stamp) (wire.Version, bool, error) {
	limit, ok := justBefore(st)
	if !ok {
		return wire.Version{}, false, nil
	}
	return s.versionAt(key, limit, true)
}

// AsOf returns the newest version of key with an instant not after t. A version
// that is Deleted is returned as such. The caller owns the slices.
func (s *Store) AsOf(key string, t timeline.Time) (wire.Version, bool, error) {
	return s.versionAt(key, endOf(t), false)
}

// Get returns the record of key's newest version, or nil; under a watermark's key,
// the record that moved the watermark last. The caller owns the slice.
func (s *Store) Get(key string) ([]byte, error) {
	if _, ok := wire.WatermarkPartition(key); ok {
		s.mu.RLock()
		defer s.mu.RUnlock()
		return bytes.Clone(s.frontier), nil
	}
	prefix, err := s.prefix(key)
	if err != nil {
		return nil, err
	}
	v, ok, err := s.find(prefix, lastStamp, true)
	if err != nil || !ok {
		return nil, err
	}
	return bytes.Clone(v.rec), nil
}

// Has says whether key has any version.
func (s *Store) Has(key string) (bool, error) {
	b, err := s.Get(key)
	return b != nil, err
}

// Watermark returns the watermark last set; false before the first.
func (s *Store) Watermark() (wire.Watermark, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.watermark, s.frontier != nil
}

// Changed returns a channel that is closed when the watermark next advances: take
// it, look at the watermark, then wait. A store that is closed closes it no more.
func (s *Store) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.changed
}

func (s *Store) versionAt(key string, limit timeline.Stamp, newest bool) (
	wire.Version, bool, error,
) {
	prefix, err := s.prefix(key)
	if err != nil {
		return wire.Version{}, false, err
	}
	v, ok, err := s.find(prefix, limit, newest)
	if err != nil || !ok {
		return wire.Version{}, false, err
	}
	out, err := wire.DecodeVersion(bytes.Clone(v.rec))
	if err != nil {
		return wire.Version{}, false, corrupt(s.o.Dir,
			fmt.Sprintf("reading key %q at %v: %v", key, v.st.At, err))
	}
	return out, true, nil
}

// find returns the newest version under prefix with stamp <= limit; its record
// must not be modified. With newest set, or a limit that nothing final exceeds, it
// looks at the key's newest version first and remembers it.
func (s *Store) find(prefix string, limit timeline.Stamp, newest bool) (version, bool, error) {
	var (
		best  version
		found bool
		plain = true // memory holds no change of the key
	)
	s.mu.RLock()
	if s.closed {
		s.mu.RUnlock()
		return best, false, ErrClosed
	}
	if e := s.cache.entries[prefix]; e != nil {
		if !e.used.Load() {
			e.used.Store(true)
		}
		if e.known && (!e.has || e.newest.st.Compare(limit) <= 0) {
			best, found = e.newest, e.has
			s.mu.RUnlock()
			return best, found, nil
		}
		var wiped bool
		if best, found, wiped = e.pending(limit); wiped {
			s.mu.RUnlock()
			return best, found, nil
		}
		plain = e.active.empty() && e.frozen.empty()
		newest = newest && !e.known
	} else if s.frontier != nil && limit.At >= s.watermark.At {
		newest = true
	}
	gen, mark := s.gen, s.cache.mark(prefix)
	seen := *mark
	s.readers.Add(1)
	s.mu.RUnlock()
	defer s.readers.Done()

	disk, ok, top, err := s.findOnDisk(gen, prefix, limit, newest)
	if err != nil {
		return best, false, err
	}
	if top && plain {
		s.remember(prefix, disk, ok, mark, seen)
	}
	if ok && (!found || disk.st.Compare(best.st) > 0) {
		best, found = disk, true
	}
	return best, found, nil
}

// findOnDisk is find without what memory holds. top: the answer is the key's newest
// version on disk, or it has none.
func (s *Store) findOnDisk(gen *generation, prefix string, limit timeline.Stamp, newest bool) (
	v version, found, top bool, err error,
) {
	c := gen.take(s.db)
	defer gen.give(c)
	if newest {
		found = c.seek(prefix, lastStamp)
		top = !found || c.at.Compare(limit) <= 0
	}
	if !top {
		found = c.seek(prefix, limit)
	}
	if err := c.it.Error(); err != nil {
		return v, false, false, s.fail("reading version", err)
	}
	if found {
		v = version{st: c.at, rec: bytes.Clone(c.it.Value())}
	}
	return v, found, top, nil
}

// remember keeps the newest version found on disk, unless a write to the key, or to
// one that shares its mark, came in between (S7).
func (s *Store) remember(prefix string, v version, has bool, mark *uint32, seen uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.cache.entries[prefix]
	if *mark != seen || s.closed || e != nil && (e.known || e.dirty || !e.frozen.empty()) {
		return
	}
	if e == nil {
		e = s.cache.add(prefix)
	}
	s.cache.learn(e, v, has)
	e.used.Store(true)
	s.cache.shrink()
}
