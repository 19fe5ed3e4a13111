package views

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/kafka"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/timeline/store"
	"github.com/tideline/tideline/timeline/wire"
)

// Version is a row's value over the interval [From, To).
type Version struct {
	Row  row.Row
	From timeline.Time
	To   timeline.Time // timeline.MaxTime: it still holds at the watermark
}

// History returns the versions of a key that overlap [from, to), as far as they are
// final, oldest first: maximal intervals of constant value. What held at the horizon is
// known from its last write before it on.
func (v *View) History(
	ctx context.Context, key string, from, to timeline.Time, opts ...Option,
) ([]Version, Answer, error) {
	key, err := v.canonical(key)
	if err != nil {
		return nil, Answer{}, err
	}
	a, err := v.resolve(ctx, opts)
	if err != nil {
		return nil, a, err
	}
	if from >= to || from > a.AsOf {
		return nil, a, nil
	}
	// Where an interval begins and ends may lie outside [from, to): what was written at
	// from may be what held before, and what holds at to may end before the watermark.
	end := a.AsOf
	if end < timeline.MaxTime {
		end++
	}
	var b intervals
	st := v.part(kafka.PartitionOf(key, len(v.stores)))
	c := v.clip(st, a, func(_ []byte, w wire.Version) (bool, error) {
		if w.Stamp.At < to {
			return true, b.add(w)
		}
		if b.holds(w) {
			return true, nil
		}
		b.end(w.Stamp.At)
		return false, nil
	})
	err = st.History(key, v.horizon(a.Watermark), end, func(w wire.Version) (bool, error) {
		return c.add(nil, w)
	})
	if err == nil {
		err = c.finish()
	}
	if err != nil {
		return nil, a, fmt.Errorf("reading history of view %s under key %q: %w", v.name, key, err)
	}
	return slices.DeleteFunc(b.finish(), func(h Version) bool { return h.To <= from }), a, nil
}

// intervals joins versions of one key into maximal intervals of constant value.
type intervals struct {
	out  []Version
	last []byte // encoded row of the open interval
	open bool
}

func (b *intervals) add(w wire.Version) error {
	if b.holds(w) {
		return nil
	}
	b.end(w.Stamp.At)
	if w.Deleted {
		return nil
	}
	r, err := row.DecodeRow(w.Row)
	if err != nil {
		return err
	}
	b.out = append(b.out, Version{Row: r, From: w.Stamp.At, To: timeline.MaxTime})
	b.last, b.open = append(b.last[:0], w.Row...), true
	return nil
}

// holds says whether w only goes on with the open interval.
func (b *intervals) holds(w wire.Version) bool {
	return b.open && !w.Deleted && bytes.Equal(b.last, w.Row)
}

func (b *intervals) end(at timeline.Time) {
	if b.open {
		b.out[len(b.out)-1].To = at
		b.open = false
	}
}

func (b *intervals) finish() []Version { return b.out }

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
	m := v.merge(ctx, func(st *store.Store, emit emitter) error {
		c := v.clip(st, a, emit)
		err := st.Histories(from, to, func(key []byte, w wire.Version) (bool, error) {
			if w.Stamp.At > a.AsOf {
				return true, nil
			}
			return c.add(key, w)
		})
		if err != nil {
			return err
		}
		return c.finish()
	})
	defer m.close()
	for more := true; more; {
		e, ok, err := m.next()
		if err == nil && (!ok || !bytes.Equal(current, e.key)) {
			more, err = flush()
			more = more && ok
		}
		if err == nil && more {
			current = append(current[:0], e.key...)
			err = b.add(e.version)
		}
		if err != nil {
			return a, fmt.Errorf("reading histories of view %s: %w", v.name, err)
		}
	}
	return a, nil
}

// clipped passes on, of the versions of each key, the one that holds at the horizon and
// those after it: how much from before is still there depends on what has been pruned.
type clipped struct {
	v     *View
	st    *store.Store
	a     Answer
	fn    emitter
	known bool
	floor timeline.Time
	held  bool // key and version hold at the floor, unless another comes
	key   []byte
	last  wire.Version
}

func (v *View) clip(st *store.Store, a Answer, fn emitter) *clipped {
	return &clipped{v: v, st: st, a: a, fn: fn}
}

func (c *clipped) add(key []byte, w wire.Version) (bool, error) {
	if !c.known { // the snapshot that is read has been taken: it holds all from here on
		if err := c.v.kept(c.st, c.a.AsOf); err != nil {
			return false, err
		}
		c.known, c.floor = true, max(c.v.horizon(c.a.Watermark), c.st.Horizon())
	}
	if c.held && (w.Stamp.At > c.floor || !bytes.Equal(key, c.key)) {
		c.held = false
		if more, err := c.fn(c.key, c.last); err != nil || !more {
			return false, err
		}
	}
	if w.Stamp.At > c.floor {
		return c.fn(key, w)
	}
	c.held, c.key = true, append(c.key[:0], key...)
	c.last = wire.Version{
		Stamp: w.Stamp, Deleted: w.Deleted, Row: append(c.last.Row[:0], w.Row...),
	}
	return true, nil
}

func (c *clipped) finish() error {
	if !c.known {
		return c.v.kept(c.st, c.a.AsOf)
	}
	if !c.held {
		return nil
	}
	c.held = false
	_, err := c.fn(c.key, c.last)
	return err
}
