package store

import (
	"slices"
	"strings"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/wire"
)

// group notes that an entry has changes that are not on disk yet. The caller holds mu.
func (s *Store) group(prefix string) {
	if s.o.Group == nil {
		return
	}
	if n := s.o.Group([]byte(prefix[1:])); n > 0 {
		g := prefix[1 : 1+n]
		s.groups[g] = append(s.groups[g], prefix)
	}
}

// ScanGroup calls fn for every order key of a group that has a row as of just before a
// stamp, in key order, with the version visible then: what an operator sees when it
// processes the message of that stamp. Unlike Scan it writes nothing: it merges what
// waits for a flush with what stands on disk. The slices are valid during the call only.
// fn ends the scan by returning false.
func (s *Store) ScanGroup(group string, st timeline.Stamp,
	fn func(orderKey []byte, v wire.Version) (bool, error),
) error {
	limit, ok := justBefore(st)
	if !ok {
		return nil
	}
	s.mu.RLock()
	if s.closed {
		s.mu.RUnlock()
		return ErrClosed
	}
	gen := s.gen
	waiting := append(slices.Clone(s.groups[group]), s.leaving[group]...)
	s.readers.Add(1)
	s.mu.RUnlock()
	defer s.readers.Done()
	slices.Sort(waiting)
	waiting = slices.Compact(waiting)

	c := gen.take(s.db)
	defer gen.give(c)
	from, to := []byte(group), append([]byte(group), 0xFF, 0xFF)
	more := true
	for on := c.first(from, to); on && more; {
		for len(waiting) > 0 && strings.Compare(waiting[0], string(c.prefix)) < 0 && more {
			var err error
			if more, err = s.visit(waiting[0], limit, fn); err != nil {
				return err
			}
			waiting = waiting[1:]
		}
		if !more {
			return nil
		}
		if len(waiting) > 0 && waiting[0] == string(c.prefix) {
			waiting = waiting[1:]
		}
		var err error
		if more, err = s.visitOnDisk(gen, c, limit, fn); err != nil {
			return err
		}
		on = more && c.nextKey(to)
	}
	if err := s.scanned(c); err != nil {
		return err
	}
	for _, prefix := range waiting {
		if !more {
			return nil
		}
		var err error
		if more, err = s.visit(prefix, limit, fn); err != nil {
			return err
		}
	}
	return nil
}

// visit calls fn with the version of one key, if it has a row.
func (s *Store) visit(prefix string, limit timeline.Stamp,
	fn func(orderKey []byte, v wire.Version) (bool, error),
) (more bool, err error) {
	found, ok, err := s.find(prefix, limit, true)
	if err != nil || !ok {
		return err == nil, err
	}
	v, err := s.decode(found.rec, []byte(prefix))
	if err != nil || v.Deleted {
		return err == nil, err
	}
	return fn([]byte(prefix[1:]), v)
}

// visitOnDisk is visit of the key that a cursor stands on, which saves finding it again
// if memory knows nothing of it.
func (s *Store) visitOnDisk(gen *generation, c *cursor, limit timeline.Stamp,
	fn func(orderKey []byte, v wire.Version) (bool, error),
) (more bool, err error) {
	s.mu.RLock()
	known := s.gen != gen || s.cache.entries[string(c.prefix)] != nil
	s.mu.RUnlock()
	if known {
		return s.visit(string(c.prefix), limit, fn)
	}
	if !c.descend(limit) {
		return true, nil
	}
	v, err := s.decode(c.it.Value(), c.prefix)
	if err != nil || v.Deleted {
		return err == nil, err
	}
	return fn(c.prefix[1:], v)
}
