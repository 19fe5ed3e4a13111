package views

import (
	"bytes"
	"container/heap"
	"context"
	"fmt"

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
	var buf row.Row
	return v.ScanEncoded(ctx, r, func(b []byte) (bool, error) {
		var err error
		if buf, err = row.DecodeRowInto(buf, b); err != nil {
			return false, err
		}
		return fn(buf)
	}, opts...)
}

// ScanEncoded is Scan with rows as package row encodes them, for exports, which need no
// boxed values.
func (v *View) ScanEncoded(
	ctx context.Context, r Range, fn func(encoded []byte) (bool, error), opts ...Option,
) (Answer, error) {
	a, err := v.resolve(ctx, opts)
	if err != nil {
		return a, err
	}
	from, to := r.bounds()
	err = v.merge(ctx, func(st *store.Store, emit emitter) error {
		return st.Scan(from, to, a.AsOf, func(key []byte, w wire.Version) (bool, error) {
			return emit(key, w)
		})
	}, func(e *item) (bool, error) { return fn(e.version.Row) })
	if err != nil {
		return a, fmt.Errorf("scanning view %s: %w", v.name, err)
	}
	return a, nil
}

// Histories calls fn with every version of every row, as far as it is final: keys in
// order, oldest first, maximal intervals of constant value. key is the record key.
func (v *View) Histories(
	ctx context.Context, r Range, fn func(key string, h []Version) (bool, error), opts ...Option,
) (Answer, error) {
	a, err := v.resolve(ctx, opts)
	if err != nil {
		return a, err
	}
	from, to := r.bounds()
	var b intervals
	var current []byte
	flush := func() (bool, error) {
		if len(b.out) == 0 {
			return true, nil
		}
		vals, err := row.DecodeKey(current)
		if err != nil {
			return false, err
		}
		h := b.finish()
		b = intervals{}
		return fn(row.KeyText(vals), h)
	}
	stopped := false
	err = v.merge(ctx, func(st *store.Store, emit emitter) error {
		return st.Histories(from, to, func(key []byte, w wire.Version) (bool, error) {
			if w.Stamp.At > a.AsOf {
				return true, nil
			}
			return emit(key, w)
		})
	}, func(e *item) (bool, error) {
		if !bytes.Equal(current, e.key) {
			more, err := flush()
			if stopped = !more; err != nil || !more {
				return false, err
			}
			current = append(current[:0], e.key...)
		}
		return true, b.add(e.version)
	})
	if err == nil && !stopped {
		_, err = flush()
	}
	if err != nil {
		return a, fmt.Errorf("reading histories of view %s: %w", v.name, err)
	}
	return a, nil
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

// merge runs a scan over every partition and hands the finds to fn in key order.
func (v *View) merge(
	ctx context.Context, scan func(*store.Store, emitter) error, fn func(*item) (bool, error),
) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	h := make(cursors, 0, len(v.stores))
	for p := range v.stores {
		st, out := v.part(int32(p)), make(chan []item, 2)
		group.Go(func() error {
			defer close(out)
			return produce(ctx, func(emit emitter) error { return scan(st, emit) }, out)
		})
		h = append(h, &cursor{in: out, part: p})
	}
	live := h[:0]
	for _, c := range h {
		if c.next() {
			live = append(live, c)
		}
	}
	h = live
	heap.Init(&h)
	var err error
	for more := true; more && err == nil && len(h) > 0; {
		c := h[0]
		if more, err = fn(&c.items[c.at]); err != nil || !more {
			break
		}
		if c.next() {
			heap.Fix(&h, 0)
		} else {
			heap.Pop(&h)
		}
	}
	stopped := len(h) > 0
	cancel()
	if werr := group.Wait(); err == nil && !stopped {
		err = werr
	}
	return err
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
