package views

import (
	"bytes"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/timeline/store"
	"github.com/tideline/tideline/timeline/wire"
)

// Range bounds a scan by key. The zero Range is everything.
type Range struct {
	// Prefix holds the leading key columns to match.
	Prefix []row.Value
	// From and To bound the key columns: From included, To not; nil is open.
	From, To []row.Value
}

func (r Range) bounds() (from, to []byte) {
	if r.From != nil {
		from = row.AppendKey(nil, r.From...)
	}
	if r.To != nil {
		to = row.AppendKey(nil, r.To...)
	}
	if len(r.Prefix) > 0 {
		from = row.AppendKey(nil, r.Prefix...)
		to = after(from)
	}
	return from, to
}

// after returns the least byte string above all that begin with p.
func after(p []byte) []byte {
	p = bytes.Clone(p)
	for i := len(p) - 1; i >= 0; i-- {
		if p[i] < 0xFF {
			p[i]++
			return p[:i+1]
		}
	}
	return nil
}

// Scan calls fn with every row in the range as of one instant, in key order. The row is
// valid during the call. fn ends the scan by returning false.
func (v *View) Scan(
	ctx context.Context, r Range, fn func(row.Row) (bool, error), opts ...Option,
) (Answer, error) {
	rows, a, err := v.Rows(ctx, r, opts...)
	if err != nil {
		return a, err
	}
	var buf row.Row
	for {
		b, ok, err := rows.NextEncoded()
		if err == nil && ok {
			buf, err = row.DecodeRowInto(buf, b)
		}
		more := false
		if err == nil && ok {
			more, err = fn(buf)
		}
		if err != nil || !more {
			return a, errors.Join(err, rows.Close())
		}
	}
}

// Rows streams the rows of one instant in key order, as package row encodes them: what
// exports take, which need no boxed values.
type Rows struct {
	view string
	m    *merged
}

// Rows opens a stream of the rows in the range as of one instant. It must be closed.
func (v *View) Rows(ctx context.Context, r Range, opts ...Option) (*Rows, Answer, error) {
	a, err := v.resolve(ctx, opts)
	if err != nil {
		return nil, a, err
	}
	from, to := r.bounds()
	m := v.merge(ctx, func(st *store.Store, emit emitter) error {
		snapshot := false // taken before the first find, or before the end if there is none
		err := st.Scan(from, to, a.AsOf, func(key []byte, w wire.Version) (bool, error) {
			if !snapshot {
				if err := v.kept(st, a.AsOf); err != nil {
					return false, err
				}
				snapshot = true
			}
			return emit(key, w)
		})
		if err == nil && !snapshot {
			err = v.kept(st, a.AsOf)
		}
		return err
	})
	return &Rows{view: v.name, m: m}, a, nil
}

// NextEncoded returns the next row, valid until the next call; false after the last.
func (r *Rows) NextEncoded() ([]byte, bool, error) {
	e, ok, err := r.m.next()
	if err != nil {
		return nil, false, fmt.Errorf("scanning view %s: %w", r.view, err)
	}
	if !ok {
		return nil, false, nil
	}
	return e.version.Row, true, nil
}

// Close ends the stream.
func (r *Rows) Close() error {
	r.m.close()
	return nil
}

// emitter takes what a partition's scan finds.
type emitter func(key []byte, w wire.Version) (bool, error)

// item is one find, detached from the scan's buffers.
type item struct {
	key     []byte
	version wire.Version
}

// chunk is how many finds travel between goroutines at once.
const chunk = 256

// merged is the finds of a scan over every partition, in key order. Each partition is
// scanned by a goroutine of its own.
type merged struct {
	cancel  context.CancelFunc
	group   *errgroup.Group
	cursors cursors
	filled  bool
	last    *cursor // whose find was returned last
}

func (v *View) merge(ctx context.Context, scan func(*store.Store, emitter) error) *merged {
	m := &merged{}
	ctx, m.cancel = context.WithCancel(ctx)
	m.group, ctx = errgroup.WithContext(ctx)
	for p := range v.stores {
		st, out := v.part(int32(p)), make(chan []item, 2)
		m.group.Go(func() error {
			defer close(out)
			return produce(ctx, func(emit emitter) error { return scan(st, emit) }, out)
		})
		m.cursors = append(m.cursors, &cursor{in: out, part: p})
	}
	return m
}

// next returns the next find, valid until the call after.
func (m *merged) next() (*item, bool, error) {
	switch {
	case !m.filled:
		m.filled = true
		m.cursors = slices.DeleteFunc(m.cursors, func(c *cursor) bool { return !c.next() })
		heap.Init(&m.cursors)
	case m.last != nil:
		if m.last.next() {
			heap.Fix(&m.cursors, 0)
		} else {
			heap.Pop(&m.cursors)
		}
	}
	if m.last = nil; len(m.cursors) == 0 {
		return nil, false, m.group.Wait()
	}
	m.last = m.cursors[0]
	return &m.last.items[m.last.at], true, nil
}

// close ends the scans and waits for their goroutines.
func (m *merged) close() {
	m.cancel()
	_ = m.group.Wait() // an error was returned by next, or nobody asked so far
}

// produce sends what a scan finds, in chunks, until it ends or nobody wants more.
func produce(ctx context.Context, scan func(emitter) error, out chan<- []item) error {
	var items []item
	var arena []byte
	send := func() bool {
		select {
		case out <- items:
			items, arena = make([]item, 0, chunk), make([]byte, 0, cap(arena))
			return true
		case <-ctx.Done():
			return false
		}
	}
	err := scan(func(key []byte, w wire.Version) (bool, error) {
		n := len(arena)
		arena = append(append(arena, key...), w.Row...)
		k := n + len(key)
		items = append(items, item{
			key: arena[n:k:k],
			version: wire.Version{
				Stamp: w.Stamp, Deleted: w.Deleted, Row: arena[k:len(arena):len(arena)],
			},
		})
		return len(items) < chunk || send(), nil
	})
	if err == nil && len(items) > 0 {
		send()
	}
	if err == nil {
		err = ctx.Err()
	}
	return err
}

// cursor walks one partition's finds.
type cursor struct {
	in    <-chan []item
	items []item
	at    int
	part  int
}

func (c *cursor) next() bool {
	if c.at++; c.at < len(c.items) {
		return true
	}
	c.items, c.at = <-c.in, 0
	return len(c.items) > 0
}

// cursors is a heap by key; a key lives in one partition only.
type cursors []*cursor

func (h cursors) Len() int { return len(h) }
func (h cursors) Less(i, j int) bool {
	a, b := h[i], h[j]
	if n := bytes.Compare(a.items[a.at].key, b.items[b.at].key); n != 0 {
		return n < 0
	}
	return a.part < b.part
}
func (h cursors) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *cursors) Push(x any)   { *h = append(*h, x.(*cursor)) }
func (h *cursors) Pop() any {
	old := *h
	c := old[len(old)-1]
	*h = old[:len(old)-1]
	return c
}
