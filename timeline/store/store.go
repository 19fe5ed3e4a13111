package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"github.com/lovoo/goka/storage"
	"github.com/syndtr/goleveldb/leveldb"
	ldberrors "github.com/syndtr/goleveldb/leveldb/errors"
	"github.com/syndtr/goleveldb/leveldb/filter"
	"github.com/syndtr/goleveldb/leveldb/opt"
	ldbstorage "github.com/syndtr/goleveldb/leveldb/storage"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/wire"
)

var (
	// ErrCorrupt marks errors of a directory that cannot be used as it is. The cure
	// is always the same: delete it, and it is rebuilt from the table topic.
	ErrCorrupt = errors.New("store cannot be used")
	// ErrClosed is returned by operations on a closed store.
	ErrClosed = errors.New("store is closed")
)

// Options says where a store stands and how it reads record keys.
type Options struct {
	// Dir is the directory of this store alone. It is created if missing.
	Dir string
	// Key turns a record key into its order key: order-preserving, and no order key
	// a proper prefix of another. Required.
	Key func(recordKey string) ([]byte, error)
	// Text is the inverse of Key. Needed by goka's iterators only.
	Text func(orderKey []byte) (string, error)
	// Group returns how many bytes of an order key name the group that ScanGroup walks;
	// 0 for none. Nil if there are no groups.
	Group func(orderKey []byte) int
	// DropState forgets what only operators need, for replicas. A directory keeps
	// the choice it was created with.
	DropState bool
	// WriteBuffer is the size in bytes of LevelDB's memory table. Default 32 MB.
	WriteBuffer int
	// BlockCache is the size in bytes of LevelDB's block cache. Default 32 MB.
	BlockCache int
	// NewestCache bounds the newest versions kept in memory, in bytes, besides the
	// writes that wait for a flush. Default 64 MB: about 150,000 keys.
	NewestCache int
}

const (
	defaultWriteBuffer = 32 << 20
	defaultBlockCache  = 32 << 20
	defaultNewestCache = 64 << 20

	runningBatch = 512 << 10 // bytes pending before a flush, once recovered

	// compactFrom is the offset a recovery from nothing must have reached for its end to
	// be worth a compaction.
	compactFrom = 100_000

	formatFull    = "1 full"
	formatReplica = "1 replica"
)

// Store is the versioned store of one partition. One goroutine writes; SetOffset,
// SetHorizon, Flush and all reads may come from any number of others.
type Store struct {
	o     Options
	db    *leveldb.DB
	files ldbstorage.Storage // db's, which does not close it

	// flushMu is held while a batch is built and written. It comes before mu.
	flushMu sync.Mutex
	batch   leveldb.Batch
	keyBuf  []byte
	prune   pruner
	// memo remembers the last key read: an operator sets what it has just read.
	memo atomic.Pointer[keyMemo]

	mu        sync.RWMutex
	cache     cache
	dirty     []*entry // entries with active changes
	spare     []*entry
	groups    map[string][]string // prefixes of dirty entries by group
	leaving   map[string][]string // groups of what a flush has frozen
	pending   int                 // bytes that wait for a flush
	writing   bool                // a flush has frozen changes and not yet thawed them
	metaDirty bool                // offset, watermark or horizon wait for a flush
	recovered bool
	fresh     bool  // the directory was empty
	failed    error // the first failed write; nothing is written after it
	closed    bool
	readers   sync.WaitGroup // those who use db; none is added once closed
	gen       *generation

	offset    int64
	hasOffset bool
	newest    timeline.Stamp // greatest stamp ever set
	hasNewest bool
	horizon   timeline.Time
	watermark wire.Watermark
	frontier  []byte // the watermark's record; nil if there is none
	changed   chan struct{}
}

var _ storage.Storage = (*Store)(nil)

type keyMemo struct{ key, prefix string }

// Open opens the store in o.Dir or creates it. An error that wraps ErrCorrupt is
// cured by deleting the directory.
func Open(o Options) (*Store, error) {
	if o.Dir == "" || o.Key == nil {
		return nil, errors.New("opening store: Dir and Key are required")
	}
	setDefault(&o.WriteBuffer, defaultWriteBuffer)
	setDefault(&o.BlockCache, defaultBlockCache)
	setDefault(&o.NewestCache, defaultNewestCache)
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("creating store directory: %w", err)
	}
	files, err := openMapped(o.Dir)
	if err != nil {
		return nil, storeError(o.Dir, "opening store", err)
	}
	db, err := leveldb.Open(files, levelOptions(o))
	if err != nil {
		return nil, errors.Join(storeError(o.Dir, "opening store", err), files.Close())
	}
	s := &Store{
		o: o, db: db, files: files, horizon: timeline.MinTime, gen: &generation{},
		cache: newCache(o.NewestCache), groups: map[string][]string{},
	}
	s.prune.init()
	if err := s.loadMeta(); err != nil {
		return nil, errors.Join(err, db.Close(), files.Close())
	}
	return s, nil
}

func setDefault(field *int, value int) {
	if *field <= 0 {
		*field = value
	}
}

// levelOptions are measured by the benchmarks of this package. Snappy would halve the
// disk; reads then take 1.4 times as long and compaction twice. Every table in level 0
// costs a read one block more, so few are let stand there.
func levelOptions(o Options) *opt.Options {
	return &opt.Options{
		BlockCacheCapacity:            o.BlockCache,
		BlockSize:                     4 << 10,
		Compression:                   opt.NoCompression,
		CompactionL0Trigger:           2,
		CompactionTableSize:           8 << 20,
		CompactionTotalSize:           4 * o.WriteBuffer,
		CompactionTotalSizeMultiplier: 10,
		Filter:                        filter.NewBloomFilter(10),
		IteratorSamplingRate:          1 << 29,
		WriteBuffer:                   o.WriteBuffer,
		WriteL0SlowdownTrigger:        16,
		WriteL0PauseTrigger:           24,
	}
}

// storeError says what failed where; damage becomes ErrCorrupt with its cure.
func storeError(dir, doing string, err error) error {
	if errors.Is(err, leveldb.ErrClosed) {
		return fmt.Errorf("%s in %s: %w", doing, dir, ErrClosed)
	}
	if ldberrors.IsCorrupted(err) {
		return corrupt(dir, fmt.Sprintf("%s: %v", doing, err))
	}
	return fmt.Errorf("%s in %s: %w", doing, dir, err)
}

func corrupt(dir, reason string) error {
	return fmt.Errorf("%s: %w: delete the directory %s, it is rebuilt from the table topic",
		reason, ErrCorrupt, dir)
}

func (s *Store) fail(doing string, err error) error { return storeError(s.o.Dir, doing, err) }

// loadMeta reads what the store remembers, and writes the format into a new one.
func (s *Store) loadMeta() error {
	format := formatFull
	if s.o.DropState {
		format = formatReplica
	}
	got, err := s.meta(formatKey)
	if err != nil {
		return err
	}
	if got == nil {
		s.fresh = true
		if err := s.db.Put(formatKey, []byte(format), nil); err != nil {
			return s.fail("writing store format", err)
		}
	} else if string(got) != format {
		return corrupt(s.o.Dir, fmt.Sprintf(
			"opening store: it is of format %q, needed is %q", got, format))
	}
	return s.loadProgress()
}

func (s *Store) loadProgress() error {
	offset, err := s.metaInt(offsetKey)
	if err != nil {
		return err
	}
	if offset != nil {
		s.offset, s.hasOffset = *offset, true
	}
	horizon, err := s.metaInt(horizonKey)
	if err != nil {
		return err
	}
	if horizon != nil {
		s.horizon = timeline.Time(*horizon)
	}
	newest, err := s.meta(newestKey)
	if err != nil {
		return err
	}
	if newest != nil {
		if s.newest, s.hasNewest = metaStamp(newest); !s.hasNewest {
			return corrupt(s.o.Dir, "reading newest stamp: not a stamp")
		}
	}
	rec, err := s.meta(watermarkKey)
	if err != nil || rec == nil {
		return err
	}
	s.frontier = rec
	if s.watermark, err = wire.DecodeWatermark(rec); err != nil {
		return corrupt(s.o.Dir, fmt.Sprintf("reading watermark: %v", err))
	}
	return nil
}

func (s *Store) meta(key []byte) ([]byte, error) {
	b, err := s.db.Get(key, nil)
	if errors.Is(err, leveldb.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, s.fail("reading "+string(key[1:]), err)
	}
	return b, nil
}

func (s *Store) metaInt(key []byte) (*int64, error) {
	b, err := s.meta(key)
	if err != nil || b == nil {
		return nil, err
	}
	if len(b) != 8 {
		return nil, corrupt(s.o.Dir, fmt.Sprintf("reading %s: %d bytes, not 8", key[1:], len(b)))
	}
	n := int64(binary.BigEndian.Uint64(b))
	return &n, nil
}

// Open does nothing: the store is open already. goka calls it.
func (s *Store) Open() error { return nil }

// Close flushes, waits for running reads and closes. Closing again does nothing.
func (s *Store) Close() error {
	s.mu.RLock()
	closed := s.closed
	s.mu.RUnlock()
	if closed {
		return nil
	}
	err := s.Flush()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return err
	}
	s.closed = true
	s.mu.Unlock()
	s.readers.Wait()
	s.flushMu.Lock()
	defer s.flushMu.Unlock()
	s.mu.RLock()
	gen := s.gen
	s.mu.RUnlock()
	gen.retire()
	if cerr := s.db.Close(); cerr != nil {
		err = errors.Join(err, s.fail("closing store", cerr))
	}
	if cerr := s.files.Close(); cerr != nil {
		err = errors.Join(err, storeError(s.o.Dir, "closing store", cerr))
	}
	return err
}

// prefix returns 'd' and the order key of a record key.
func (s *Store) prefix(key string) (string, error) {
	if m := s.memo.Load(); m != nil && m.key == key {
		return m.prefix, nil
	}
	order, err := s.o.Key(key)
	if err != nil {
		return "", fmt.Errorf("reading record key %q: %w", key, err)
	}
	buf := make([]byte, 1, 64)
	buf[0] = dataPrefix
	prefix := string(append(buf, order...))
	s.memo.Store(&keyMemo{key: key, prefix: prefix})
	return prefix, nil
}
