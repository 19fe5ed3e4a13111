package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/util"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/wire"
)

// Set adds the version that a table record holds, or, under a watermark's key,
// moves the watermark on. value is not kept.
func (s *Store) Set(key string, value []byte) error {
	if _, ok := wire.WatermarkPartition(key); ok {
		return s.setWatermark(value)
	}
	v, err := wire.DecodeVersion(value)
	if err != nil {
		return fmt.Errorf("setting key %q: %w", key, err)
	}
	var rec []byte
	if s.o.DropState && len(v.State) > 0 {
		v.State = nil
		rec = wire.AppendVersion(nil, v)
	} else {
		rec = bytes.Clone(value)
	}
	prefix, err := s.prefix(key)
	if err != nil {
		return err
	}
	full, err := s.add(prefix, version{st: v.Stamp, rec: rec}, v.Deleted)
	if err != nil {
		return fmt.Errorf("setting key %q: %w", key, err)
	}
	if full {
		return s.Flush()
	}
	return nil
}

// add puts v into the entry of prefix; full means that a flush is due.
func (s *Store) add(prefix string, v version, deleted bool) (full bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.writable(); err != nil {
		return false, err
	}
	*s.cache.mark(prefix)++
	e := s.cache.entries[prefix]
	if e == nil {
		e = s.cache.add(prefix)
	}
	e.used.Store(true)
	if !e.known || e.has || deleted {
		s.prune.written(v.st.At)
	}
	e.active.put(v)
	s.touch(e)
	last := !s.hasNewest || v.st.Compare(s.newest) >= 0
	if last {
		s.newest, s.hasNewest = v.st, true
	}
	// S7: without knowledge of the key, only a stamp that no other exceeds is newest.
	if last || e.known && (!e.has || v.st.Compare(e.newest.st) >= 0) {
		s.cache.learn(e, v, true)
	}
	return s.note(len(prefix) + stampSize + len(v.rec)), nil
}

func (s *Store) writable() error {
	if s.closed {
		return ErrClosed
	}
	return s.failed
}

func (s *Store) touch(e *entry) {
	if !e.dirty {
		e.dirty = true
		s.dirty = append(s.dirty, e)
		s.group(e.prefix)
	}
}

// note counts pending bytes and says whether a flush is due.
func (s *Store) note(n int) bool {
	s.pending += n
	limit := runningBatch
	if !s.recovered || limit > s.o.WriteBuffer/4 {
		limit = s.o.WriteBuffer / 4
	}
	return s.pending >= limit
}

func (s *Store) setWatermark(rec []byte) error {
	w, err := wire.DecodeWatermark(rec)
	if err != nil {
		return fmt.Errorf("setting watermark: %w", err)
	}
	s.mu.Lock()
	if err := s.writable(); err != nil {
		s.mu.Unlock()
		return fmt.Errorf("setting watermark: %w", err)
	}
	if s.frontier != nil && w.At < s.watermark.At {
		s.mu.Unlock()
		return nil
	}
	advanced := s.frontier == nil || w.At > s.watermark.At
	s.watermark, s.frontier = w, bytes.Clone(rec)
	s.metaDirty = true
	full := s.note(len(rec))
	if advanced && s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
	s.mu.Unlock()
	if full {
		return s.Flush()
	}
	return nil
}

// Delete forgets all versions of key: Kafka's tombstone. The watermark stays.
func (s *Store) Delete(key string) error {
	if _, ok := wire.WatermarkPartition(key); ok {
		return nil
	}
	prefix, err := s.prefix(key)
	if err != nil {
		return err
	}
	s.flushMu.Lock() // nothing is frozen while it is held
	full, err := s.wipe(prefix)
	s.flushMu.Unlock()
	if err != nil {
		return fmt.Errorf("deleting key %q: %w", key, err)
	}
	if full {
		return s.Flush()
	}
	return nil
}

func (s *Store) wipe(prefix string) (full bool, err error) {
	s.mu.RLock()
	err = s.writable()
	e := s.cache.entries[prefix]
	wiped := e != nil && e.active.wiped
	gen := s.gen
	s.mu.RUnlock()
	if err != nil {
		return false, err
	}
	var drop [][]byte
	if !wiped {
		if drop, err = s.keysOf(gen, prefix); err != nil {
			return false, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	*s.cache.mark(prefix)++
	if e = s.cache.entries[prefix]; e == nil {
		e = s.cache.add(prefix)
	}
	if !wiped {
		e.active.drop = drop
	}
	e.active.wiped = true
	e.active.versions = nil
	s.cache.learn(e, version{}, false)
	s.touch(e)
	return s.note((1 + len(drop)) * (len(prefix) + stampSize)), nil
}

// keysOf lists the data keys on disk under prefix.
func (s *Store) keysOf(gen *generation, prefix string) ([][]byte, error) {
	c := gen.take(s.db)
	defer gen.give(c)
	var keys [][]byte
	for ok := c.seek(prefix, lastStamp); ok; ok = c.next(prefix) {
		keys = append(keys, bytes.Clone(c.it.Key()))
	}
	if err := c.it.Error(); err != nil {
		return nil, s.fail("listing versions", err)
	}
	return keys, nil
}

// SetOffset remembers that the table topic is held up to and including offset. It
// reaches the disk together with the data.
func (s *Store) SetOffset(offset int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("setting offset: %w", ErrClosed)
	}
	s.offset, s.hasOffset, s.metaDirty = offset, true, true
	return nil
}

// GetOffset returns the offset last set, or def if there never was one.
func (s *Store) GetOffset(def int64) (int64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.hasOffset {
		return def, nil
	}
	return s.offset, nil
}

// MarkRecovered ends the large batches of recovery. A long recovery from nothing leaves
// several sorted runs, each of which costs every read a look: they are made one.
func (s *Store) MarkRecovered() error {
	s.mu.Lock()
	s.recovered = true
	long := s.fresh && s.hasOffset && s.offset >= compactFrom
	s.mu.Unlock()
	if err := s.Flush(); err != nil || !long {
		return err
	}
	if err := s.db.CompactRange(util.Range{}); err != nil {
		return s.fail("compacting after recovery", err)
	}
	return nil
}

// Flush writes what is pending, with the offset and the watermark that belong to
// it. After a failed write every later one fails.
func (s *Store) Flush() error {
	s.flushMu.Lock()
	defer s.flushMu.Unlock()
	return s.flush()
}

// flush is Flush for holders of flushMu.
func (s *Store) flush() error {
	s.batch.Reset()
	frozen, err := s.freeze(&s.batch)
	if err != nil {
		return err
	}
	n := s.fill(&s.batch, frozen)
	if s.batch.Len() > 0 {
		if err := s.write(&s.batch); err != nil {
			return err
		}
	}
	s.thaw(frozen)
	return s.pruneStep(2*n + 64)
}

// freeze sets the active changes apart for writing and puts the progress that
// goes with them into the batch: whatever was set before the offset is in it (S1).
func (s *Store) freeze(b *leveldb.Batch) ([]*entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.writable(); err != nil {
		return nil, err
	}
	s.writing = true
	frozen := s.dirty
	s.dirty, s.spare = s.spare[:0], nil
	s.groups, s.leaving = map[string][]string{}, s.groups
	s.pending = 0
	for _, e := range frozen {
		e.active, e.frozen = e.frozen, e.active
		e.dirty = false
	}
	if s.metaDirty || len(frozen) > 0 {
		s.putProgress(b)
		s.metaDirty = false
	}
	return frozen, nil
}

func (s *Store) putProgress(b *leveldb.Batch) {
	if s.hasOffset {
		b.Put(offsetKey, binary.BigEndian.AppendUint64(nil, uint64(s.offset)))
	}
	if s.horizon != timeline.MinTime {
		b.Put(horizonKey, binary.BigEndian.AppendUint64(nil, uint64(s.horizon)))
	}
	if s.hasNewest {
		b.Put(newestKey, appendMetaStamp(nil, s.newest))
	}
	if s.frontier != nil {
		b.Put(watermarkKey, s.frontier)
	}
}

// fill puts frozen changes into the batch in key order, which LevelDB's memory
// table takes faster than a random one, and returns how many there are.
func (s *Store) fill(b *leveldb.Batch, frozen []*entry) int {
	slices.SortFunc(frozen, func(x, y *entry) int { return strings.Compare(x.prefix, y.prefix) })
	n := 0
	for _, e := range frozen {
		for _, key := range e.frozen.drop {
			b.Delete(key)
		}
		for i := len(e.frozen.versions) - 1; i >= 0; i-- {
			v := &e.frozen.versions[i]
			s.keyBuf = appendDataKey(s.keyBuf[:0], e.prefix, v.st)
			b.Put(s.keyBuf, v.rec)
		}
		n += len(e.frozen.drop) + len(e.frozen.versions)
	}
	return n
}

func (s *Store) write(b *leveldb.Batch) error {
	err := s.db.Write(b, nil)
	if err == nil {
		return nil
	}
	err = s.fail("writing batch", err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil && !errors.Is(err, ErrClosed) {
		s.failed = err
	}
	return err
}

// thaw ends a flush: from here on readers find the frozen changes on disk.
func (s *Store) thaw(frozen []*entry) {
	s.mu.Lock()
	s.writing, s.leaving = false, nil
	old := s.gen
	s.gen = &generation{}
	for _, e := range frozen {
		e.frozen.reset()
	}
	s.cache.shrink()
	clear(frozen)
	s.spare = frozen[:0]
	s.mu.Unlock()
	old.retire()
}
