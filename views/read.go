package views

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"time"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/kafka"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/timeline/store"
	"github.com/tideline/tideline/timeline/wire"
)

// Answer says what an answer is true for.
type Answer struct {
	AsOf      timeline.Time // the instant
	Watermark timeline.Time // of the view, when it answered
	Quality   timeline.Quality
}

// Option says which instant a read is for and how long it may wait.
type Option func(*query)

type query struct {
	asOf    timeline.Time
	atLeast timeline.Time
	named   bool
	wait    time.Duration
}

// AsOf reads the view as it stood at t.
func AsOf(t timeline.Time) Option { return func(q *query) { q.asOf, q.named = t, true } }

// AtLeast reads the latest instant, once that is t or later: a token from one's own write.
func AtLeast(t timeline.Time) Option { return func(q *query) { q.atLeast = t } }

// Wait lets a read wait up to d for its instant to become final; the context's deadline
// counts too. Without it a read of an instant that is not final fails at once.
func Wait(d time.Duration) Option { return func(q *query) { q.wait = d } }

// Watermark returns the view's watermark: the least over its partitions, and its quality.
// timeline.MinTime while some partition has none.
func (v *View) Watermark() (timeline.Time, timeline.Quality) {
	at, q, _ := v.least()
	return at, q
}

// least returns the watermark and a channel that is closed when the partition that holds
// it back moves on.
func (v *View) least() (timeline.Time, timeline.Quality, <-chan struct{}) {
	at, quality := timeline.MaxTime, timeline.Exact
	var lowest *store.Store
	for p := range v.stores {
		st := v.part(int32(p))
		if st == nil {
			return timeline.MinTime, timeline.Exact, nil
		}
		w, ok := st.Watermark()
		if !ok {
			w.At = timeline.MinTime
		}
		quality = quality.Weaker(w.Quality)
		if w.At < at || lowest == nil {
			at, lowest = w.At, st
		}
	}
	changed := lowest.Changed()
	if w, ok := lowest.Watermark(); ok && w.At > at {
		return v.least() // it moved before the channel was taken
	}
	return at, quality, changed
}

func (v *View) part(p int32) *store.Store { return v.stores[p].Load() }

// Resolve fixes the instant that a read with these options would be for, waiting for it
// as the read would: for answers that take several reads, each then AsOf that instant.
func (v *View) Resolve(ctx context.Context, opts ...Option) (Answer, error) {
	return v.resolve(ctx, opts)
}

// resolve fixes the instant of a read, waiting for it if allowed.
func (v *View) resolve(ctx context.Context, opts []Option) (Answer, error) {
	var q query
	q.atLeast = timeline.MinTime
	for _, o := range opts {
		o(&q)
	}
	need := q.atLeast
	if q.named {
		need = q.asOf
	}
	at, quality, changed := v.least()
	if at < need || at == timeline.MinTime {
		var err error
		if at, quality, err = v.await(ctx, need, q.wait, changed); err != nil {
			return Answer{}, err
		}
	}
	a := Answer{AsOf: at, Watermark: at, Quality: quality}
	if q.named {
		a.AsOf = q.asOf
	}
	if h := v.horizon(at); a.AsOf < h {
		return Answer{}, &GoneError{View: v.name, Asked: a.AsOf, Horizon: h}
	}
	return a, nil
}

func (v *View) await(
	ctx context.Context, need timeline.Time, wait time.Duration, changed <-chan struct{},
) (timeline.Time, timeline.Quality, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		var stop error
		select {
		case <-changed:
		case <-timer.C:
			stop = context.DeadlineExceeded
		case <-ctx.Done():
			stop = ctx.Err()
		case <-v.done:
			if err := v.err(); err != nil {
				return 0, 0, fmt.Errorf("following view %s: %w", v.name, err)
			}
			return 0, 0, fmt.Errorf("reading view %s: it is closed", v.name)
		}
		var at timeline.Time
		var quality timeline.Quality
		at, quality, changed = v.least()
		if at >= need && at > timeline.MinTime {
			return at, quality, nil
		}
		if stop != nil {
			return 0, 0, &NotFinalError{View: v.name, Asked: need, Watermark: at}
		}
	}
}

// horizon is the oldest instant that can be read.
func (v *View) horizon(watermark timeline.Time) timeline.Time {
	h := timeline.Time(math.MinInt64)
	if v.retention > 0 && watermark > timeline.MinTime+v.retention {
		h = watermark - v.retention
	}
	return h
}

// Get returns the row under a key, in the form of the record key: plain text for one key
// column, a JSON array for several, "*" for none. false: there is no row.
func (v *View) Get(ctx context.Context, key string, opts ...Option) (row.Row, bool, Answer, error) {
	key, err := v.canonical(key)
	if err != nil {
		return nil, false, Answer{}, err
	}
	a, err := v.resolve(ctx, opts)
	if err != nil {
		return nil, false, a, err
	}
	version, ok, err := v.part(kafka.PartitionOf(key, len(v.stores))).AsOf(key, a.AsOf)
	if err != nil || !ok || version.Deleted {
		return nil, false, a, err
	}
	r, err := row.DecodeRow(version.Row)
	if err != nil {
		return nil, false, a, fmt.Errorf("reading view %s under key %q: %w", v.name, key, err)
	}
	return r, true, a, nil
}

// canonical checks a key and brings it into the one form that is hashed.
func (v *View) canonical(key string) (string, error) {
	vals, err := row.ParseKeyText(v.keyTypes, key)
	if err != nil {
		return "", fmt.Errorf("reading view %s: %w: %w", v.name, ErrBadKey, err)
	}
	return row.KeyText(vals), nil
}

// Version is a row's value over the interval [From, To).
type Version struct {
	Row  row.Row
	From timeline.Time
	To   timeline.Time // timeline.MaxTime: it still holds at the watermark
}

// History returns the versions of a key that overlap [from, to), as far as they are
// final, oldest first: maximal intervals of constant value.
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
	if h := v.horizon(a.Watermark); from < h {
		from = h
	}
	end := to
	if a.AsOf < timeline.MaxTime {
		end = min(to, a.AsOf+1)
	}
	var b intervals
	st := v.part(kafka.PartitionOf(key, len(v.stores)))
	err = st.History(key, from, end, func(w wire.Version) (bool, error) {
		return true, b.add(w)
	})
	if err != nil {
		return nil, a, fmt.Errorf("reading history of view %s under key %q: %w", v.name, key, err)
	}
	return b.finish(), a, nil
}

// intervals joins versions of one key into maximal intervals of constant value.
type intervals struct {
	out  []Version
	last []byte // encoded row of the open interval
	open bool
}

func (b *intervals) add(w wire.Version) error {
	if b.open && !w.Deleted && bytes.Equal(b.last, w.Row) {
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

func (b *intervals) end(at timeline.Time) {
	if b.open {
		b.out[len(b.out)-1].To = at
		b.open = false
	}
}

func (b *intervals) finish() []Version { return b.out }
