package store

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/lovoo/goka/storage"
)

// Iterator returns goka's view of the store: every key with its newest record, in
// order of the order keys, from one snapshot. Release it: Close waits for that.
func (s *Store) Iterator() (storage.Iterator, error) {
	return s.iterate(nil, nil)
}

// IteratorWithRange is Iterator for the record keys whose order keys stand in
// [start, limit); an empty bound is open.
func (s *Store) IteratorWithRange(start, limit []byte) (storage.Iterator, error) {
	from, err := s.bound(start)
	if err != nil {
		return nil, err
	}
	to, err := s.bound(limit)
	if err != nil {
		return nil, err
	}
	return s.iterate(from, to)
}

func (s *Store) bound(key []byte) ([]byte, error) {
	if len(key) == 0 {
		return nil, nil
	}
	order, err := s.o.Key(string(key))
	if err != nil {
		return nil, fmt.Errorf("reading range bound %q: %w", key, err)
	}
	return order, nil
}

func (s *Store) iterate(from, to []byte) (storage.Iterator, error) {
	if s.o.Text == nil {
		return nil, errors.New("iterating store: Options.Text is required")
	}
	c, done, err := s.snapshot(true)
	if err != nil {
		return nil, err
	}
	return &gokaIterator{s: s, c: c, done: done, low: from, from: from, to: to}, nil
}

// gokaIterator stands before its first pair until Next.
type gokaIterator struct {
	s       *Store
	c       *cursor
	done    func()
	low, to []byte // the range
	from    []byte // where Next begins
	started bool
	valid   bool
	key     []byte
	err     error
}

// Next goes to the next pair.
func (i *gokaIterator) Next() bool {
	if i.done == nil || i.err != nil {
		return false
	}
	if i.started {
		i.valid = i.valid && i.c.nextKey(i.to)
	} else {
		i.valid = i.c.first(i.from, i.to)
		i.started = true
	}
	if !i.valid {
		i.err = i.s.scanned(i.c)
		return false
	}
	text, err := i.s.o.Text(i.c.prefix[1:])
	if err != nil {
		i.err = fmt.Errorf("reading order key %x: %w", i.c.prefix[1:], err)
		i.valid = false
		return false
	}
	i.key = append(i.key[:0], text...)
	return true
}

// Seek goes before the first pair at or after a record key, which Next then
// reaches, and says whether there is one.
func (i *gokaIterator) Seek(key []byte) bool {
	if i.done == nil || i.err != nil {
		return false
	}
	from, err := i.s.bound(key)
	if err != nil {
		i.err = err
		return false
	}
	if bytes.Compare(from, i.low) < 0 {
		from = i.low
	}
	i.started, i.valid, i.from = false, false, from
	return i.c.first(from, i.to)
}

// Key returns the record key; it is valid until the next move.
func (i *gokaIterator) Key() []byte {
	if !i.valid {
		return nil
	}
	return i.key
}

// Value returns the newest record; it is valid until the next move.
func (i *gokaIterator) Value() ([]byte, error) {
	if !i.valid {
		return nil, i.err
	}
	return i.c.it.Value(), nil
}

// Err returns what ended the iteration early.
func (i *gokaIterator) Err() error { return i.err }

// Release frees the snapshot.
func (i *gokaIterator) Release() {
	if i.done != nil {
		i.done()
		i.done, i.valid = nil, false
	}
}
