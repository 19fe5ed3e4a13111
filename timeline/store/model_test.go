package store

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/wire"
)

// model is the dumb store: all versions of all keys, in lists.
type model struct {
	versions map[string][]wire.Version // ascending stamps
	wipes    map[string]int            // deletions so far
	offset   int64
	mark     timeline.Time
	marked   bool
}

func newModel() *model {
	return &model{
		versions: map[string][]wire.Version{}, wipes: map[string]int{}, offset: -1,
	}
}

func (m *model) clone() *model {
	c := *m
	c.versions, c.wipes = map[string][]wire.Version{}, maps.Clone(m.wipes)
	for k, vs := range m.versions {
		c.versions[k] = slices.Clone(vs)
	}
	return &c
}

func (m *model) set(key string, v wire.Version) {
	vs := slices.DeleteFunc(m.versions[key], func(o wire.Version) bool {
		return o.Stamp == v.Stamp
	})
	vs = append(vs, v)
	slices.SortFunc(vs, func(a, b wire.Version) int { return a.Stamp.Compare(b.Stamp) })
	m.versions[key] = vs
}

func (m *model) find(key string, ok func(timeline.Stamp) bool) (wire.Version, bool) {
	for _, v := range slices.Backward(m.versions[key]) {
		if ok(v.Stamp) {
			return v, true
		}
	}
	return wire.Version{}, false
}

func (m *model) asOf(key string, t timeline.Time) (wire.Version, bool) {
	return m.find(key, func(st timeline.Stamp) bool { return st.At <= t })
}

func (m *model) history(key string, t1, t2 timeline.Time) []string {
	var out []string
	vs := m.versions[key]
	for i, v := range vs {
		next := timeline.MaxTime
		if i+1 < len(vs) {
			next = vs[i+1].Stamp.At
		}
		at := v.Stamp.At
		if at >= t2 || next <= t1 || next == at || v.Deleted && len(out) == 0 {
			continue
		}
		out = append(out, show(v))
	}
	return out
}

func (m *model) keys() []string {
	var keys []string
	for k, vs := range m.versions {
		if len(vs) > 0 {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b string) int { return number(a) - number(b) })
	return keys
}

func number(key string) int {
	n, err := strconv.Atoi(key)
	if err != nil {
		panic(err)
	}
	return n
}

// machine drives a store and the model alike, and knows what may be on disk.
type machine struct {
	t       *rapid.T
	dir     string
	dirs    int
	o       Options
	s       *Store
	m       *model
	flushed *model   // at the last flush that was asked for
	offsets []*model // the model as of each offset set
	horizon timeline.Time
}

func (x *machine) key(t *rapid.T) string {
	return strconv.Itoa(rapid.IntRange(-3, 8).Draw(t, "key"))
}

func instant(t *rapid.T, label string) timeline.Time {
	return timeline.Time(rapid.IntRange(-4, 24).Draw(t, label))
}

func (x *machine) open() {
	s, err := Open(x.o)
	must(x.t, err)
	x.s = s
}

func (x *machine) Set(t *rapid.T) {
	key := x.key(t)
	at := max(instant(t, "at"), x.horizon+1)
	v := wire.Version{
		Stamp:   stamp(at, uint64(rapid.IntRange(0, 2).Draw(t, "n"))),
		Deleted: rapid.IntRange(0, 3).Draw(t, "kind") == 0,
	}
	if !v.Deleted {
		v.Row = fmt.Appendf(nil, "%s@%d.%d", key, v.Stamp.At, v.Stamp.N)
	}
	if !v.Deleted || rapid.Bool().Draw(t, "stateful") {
		v.State = []byte("state")
	}
	rec := wire.AppendVersion(nil, v)
	must(t, x.s.Set(key, rec))
	clear(rec) // the store must not keep it
	if x.o.DropState {
		v.State = nil
	}
	x.m.set(key, v)
}

func (x *machine) Delete(t *rapid.T) {
	key := x.key(t)
	must(t, x.s.Delete(key))
	delete(x.m.versions, key)
	x.m.wipes[key]++
}

func (x *machine) Mark(t *rapid.T) {
	at := instant(t, "watermark")
	must(t, x.s.Set(wire.WatermarkKey(0), mark(at)))
	if !x.m.marked || at > x.m.mark {
		x.m.mark, x.m.marked = at, true
	}
}

func (x *machine) Offset(t *rapid.T) {
	x.m.offset = int64(len(x.offsets))
	x.offsets = append(x.offsets, x.m.clone())
	must(t, x.s.SetOffset(x.m.offset))
}

func (x *machine) Flush(t *rapid.T) {
	must(t, x.s.Flush())
	x.flushed = x.m.clone()
}

func (x *machine) Recovered(t *rapid.T) {
	must(t, x.s.MarkRecovered())
	x.flushed = x.m.clone()
}

func (x *machine) Reopen(t *rapid.T) {
	must(t, x.s.Close())
	x.open()
	x.flushed = x.m.clone()
}

// Crash goes on with what a kill would have left: all that was flushed, and an
// offset whose data is all there.
func (x *machine) Crash(t *rapid.T) {
	old := x.dir
	x.dirs++
	x.dir = filepath.Join(filepath.Dir(old), strconv.Itoa(x.dirs))
	must(t, copyDir(old, x.dir))
	must(t, x.s.Close())
	x.o.Dir = x.dir
	x.open()
	if x.horizon > timeline.MinTime {
		must(t, x.s.SetHorizon(x.horizon))
	}
	offset, err := x.s.GetOffset(-1)
	must(t, err)
	if offset < x.flushed.offset {
		t.Fatalf("offset %d was flushed, %d is left", x.flushed.offset, offset)
	}
	// What the offset vouches for is there before the table topic repeats the rest.
	if offset >= 0 {
		x.contains(t, x.offsets[offset])
	}
	x.contains(t, x.flushed)
	for key := -3; key <= 8; key++ {
		must(t, x.s.Delete(strconv.Itoa(key)))
	}
	for key, vs := range x.m.versions {
		for _, v := range vs {
			must(t, x.s.Set(key, wire.AppendVersion(nil, v)))
		}
	}
	if x.m.marked {
		must(t, x.s.Set(wire.WatermarkKey(0), mark(x.m.mark)))
	}
	if x.m.offset >= 0 {
		must(t, x.s.SetOffset(x.m.offset))
	}
	must(t, x.s.Flush())
	x.flushed = x.m.clone()
}

// contains checks that what was in past and still counts is on disk.
func (x *machine) contains(t *rapid.T, past *model) {
	for key, vs := range past.versions {
		for _, v := range vs {
			if v.Stamp.At <= x.horizon || x.m.wipes[key] != past.wipes[key] {
				continue
			}
			got, ok, err := x.s.AsOf(key, v.Stamp.At)
			must(t, err)
			if !ok || got.Stamp.At != v.Stamp.At {
				t.Fatalf("key %s lost %v", key, v.Stamp)
			}
		}
	}
	w, ok := x.s.Watermark()
	if past.marked && (!ok || w.At < past.mark) {
		t.Fatalf("watermark %v of the past is lost, got %v", past.mark, w.At)
	}
}

func (x *machine) Horizon(t *rapid.T) {
	to := instant(t, "horizon")
	if to > x.horizon {
		x.horizon = to
	}
	must(t, x.s.SetHorizon(to))
	if got := x.s.Horizon(); got != x.horizon {
		t.Fatalf("horizon is %v, not %v", got, x.horizon)
	}
}

func (x *machine) Check(t *rapid.T) {
	key := x.key(t)
	x.checkPoint(t, key)
	x.checkScan(t)
	x.checkHistory(t, key)
	offset, err := x.s.GetOffset(-1)
	must(t, err)
	if offset != x.m.offset {
		t.Fatalf("offset %d, not %d", offset, x.m.offset)
	}
	w, ok := x.s.Watermark()
	if ok != x.m.marked || w.At != x.m.mark {
		t.Fatalf("watermark %v %v, not %v %v", w.At, ok, x.m.mark, x.m.marked)
	}
}

func same(v wire.Version, ok bool, w wire.Version, wok bool, horizon timeline.Time) bool {
	if wok && w.Deleted && len(w.State) == 0 && w.Stamp.At <= horizon {
		return !ok || v.Deleted // pruned or not
	}
	return ok == wok && (!ok || show(v) == show(w))
}

func (x *machine) checkPoint(t *rapid.T, key string) {
	at := max(instant(t, "as of"), x.horizon)
	got, ok, err := x.s.AsOf(key, at)
	must(t, err)
	if want, wok := x.m.asOf(key, at); !same(got, ok, want, wok, x.horizon) {
		t.Fatalf("as of %d key %s: %v %s, not %v %s", at, key, ok, show(got), wok, show(want))
	}
	st := stamp(at+1, uint64(rapid.IntRange(0, 2).Draw(t, "before n")))
	got, ok, err = x.s.Before(key, st)
	must(t, err)
	want, wok := x.m.find(key, func(o timeline.Stamp) bool { return o.Compare(st) < 0 })
	if !same(got, ok, want, wok, x.horizon) {
		t.Fatalf("before %v key %s: %s, not %s", st, key, show(got), show(want))
	}
	rec, err := x.s.Get(key)
	must(t, err)
	has, err := x.s.Has(key)
	must(t, err)
	want, wok = x.m.find(key, func(timeline.Stamp) bool { return true })
	if rec == nil {
		if has || !same(got, false, want, wok, x.horizon) {
			t.Fatalf("key %s is gone", key)
		}
	} else if !wok || !bytes.Equal(rec, wire.AppendVersion(nil, want)) {
		t.Fatalf("key %s: record %q", key, rec)
	}
}

func (x *machine) checkScan(t *rapid.T) {
	at := max(instant(t, "scan as of"), x.horizon)
	low, high := x.key(t), x.key(t)
	from, err := orderKey(low)
	must(t, err)
	to, err := orderKey(high)
	must(t, err)
	var want, got []string
	for _, k := range x.m.keys() {
		v, ok := x.m.asOf(k, at)
		if ok && !v.Deleted && number(k) >= number(low) && number(k) < number(high) {
			want = append(want, k+" "+show(v))
		}
	}
	must(t, x.s.Scan(from, to, at, func(order []byte, v wire.Version) (bool, error) {
		text, err := keyText(order)
		got = append(got, text+" "+show(v))
		return true, err
	}))
	if !slices.Equal(got, want) {
		t.Fatalf("scan as of %d [%s,%s):\n%q, not\n%q", at, low, high, got, want)
	}
}

func (x *machine) checkHistory(t *rapid.T, key string) {
	t1 := max(instant(t, "from"), x.horizon)
	t2 := instant(t, "until")
	var got []string
	must(t, x.s.History(key, t1, t2, func(v wire.Version) (bool, error) {
		got = append(got, show(v))
		return true, nil
	}))
	if want := x.m.history(key, t1, t2); t1 < t2 && !slices.Equal(got, want) {
		t.Fatalf("history of %s [%d,%d):\n%q, not\n%q", key, t1, t2, got, want)
	}
	if x.horizon > timeline.MinTime {
		return // all histories show how far the pruning has come
	}
	var all, want []string
	must(t, x.s.Histories(nil, nil, func(order []byte, v wire.Version) (bool, error) {
		text, err := keyText(order)
		all = append(all, text+" "+show(v))
		return true, err
	}))
	for _, k := range x.m.keys() {
		for _, h := range x.m.history(k, timeline.MinTime, timeline.MaxTime) {
			want = append(want, k+" "+h)
		}
	}
	if !slices.Equal(all, want) {
		t.Fatalf("histories:\n%q, not\n%q", all, want)
	}
}

func TestStoreAgreesWithModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		root, err := os.MkdirTemp("", "store") //nolint:usetesting // rapid's T has no TempDir
		must(t, err)
		defer os.RemoveAll(root)
		x := &machine{
			t: t, dir: filepath.Join(root, "0"), m: newModel(), flushed: newModel(),
			horizon: timeline.MinTime,
		}
		x.o = options(x.dir)
		x.o.DropState = rapid.Bool().Draw(t, "drop state")
		x.o.NewestCache = rapid.SampledFrom([]int{1, 1000, 1 << 20}).Draw(t, "cache")
		x.o.WriteBuffer = rapid.SampledFrom([]int{1 << 20, 4096}).Draw(t, "buffer")
		x.open()
		defer func() { must(t, x.s.Close()) }()
		t.Repeat(map[string]func(*rapid.T){
			"set": x.Set, "set again": x.Set, "and again": x.Set, "delete": x.Delete,
			"mark": x.Mark, "offset": x.Offset, "flush": x.Flush, "recovered": x.Recovered,
			"reopen": x.Reopen, "crash": x.Crash, "horizon": x.Horizon, "check": x.Check,
		})
	})
}
