package store

import (
	"sync"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/iterator"

	"github.com/tideline/tideline/timeline"
)

const (
	// cursorUses bounds the life of a LevelDB iterator, which pins the tables that
	// stood when it was made: after a compaction fewer tables serve the same reads.
	cursorUses  = 4096
	idleCursors = 16
)

// generation pools iterators made since the last flush. LevelDB's are dear to make
// and see nothing written after; so they are reused until the next flush.
type generation struct {
	mu      sync.Mutex
	idle    []*cursor
	retired bool
}

// cursor walks the data keys of one LevelDB iterator.
type cursor struct {
	it    iterator.Iterator
	uses  int
	probe []byte
	// prefix is the one that a scan stands on: 'd' and the order key.
	prefix []byte
	at     timeline.Stamp // stamp of the current version, after seek or next said true
}

func (g *generation) take(db *leveldb.DB) *cursor {
	g.mu.Lock()
	if n := len(g.idle); n > 0 {
		c := g.idle[n-1]
		g.idle = g.idle[:n-1]
		g.mu.Unlock()
		return c
	}
	g.mu.Unlock()
	return &cursor{it: db.NewIterator(nil, nil)}
}

func (g *generation) give(c *cursor) {
	c.uses++
	g.mu.Lock()
	keep := !g.retired && c.uses < cursorUses && len(g.idle) < idleCursors && c.it.Error() == nil
	if keep {
		g.idle = append(g.idle, c)
	}
	g.mu.Unlock()
	if !keep {
		c.it.Release()
	}
}

// retire releases the idle cursors; those in use are released when given back.
func (g *generation) retire() {
	g.mu.Lock()
	idle := g.idle
	g.idle, g.retired = nil, true
	g.mu.Unlock()
	for _, c := range idle {
		c.it.Release()
	}
}

// seek goes to the newest version under prefix with stamp <= limit. False: there
// is none, or the iterator failed.
func (c *cursor) seek(prefix string, limit timeline.Stamp) bool {
	c.probe = appendDataKey(c.probe[:0], prefix, limit)
	return c.it.Seek(c.probe) && c.on(prefix)
}

// next goes to the next older version under prefix.
func (c *cursor) next(prefix string) bool { return c.it.Next() && c.on(prefix) }

// prev goes to the next newer version under prefix.
func (c *cursor) prev(prefix string) bool { return c.it.Prev() && c.on(prefix) }

func (c *cursor) on(prefix string) bool {
	p, st, ok := splitDataKey(c.it.Key())
	c.at = st
	return ok && string(p) == prefix
}

// skip goes behind all versions under prefix.
func (c *cursor) skip(prefix []byte) bool {
	c.probe = append(append(c.probe[:0], prefix...), afterStamps...)
	return c.it.Seek(c.probe)
}
