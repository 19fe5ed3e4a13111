package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.Cleanup(os.Exit), ldbDrain) }

// LevelDB ends this goroutine of a closed store a second after the close.
var ldbDrain = goleak.IgnoreTopFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain")

// TestLayout holds the keys and values on disk: a change of them needs a new format.
func TestLayout(t *testing.T) {
	s := open(t, options(t.TempDir()))
	must(t, s.Set("7", record(stamp(1_000_000, 0), "a")))
	must(t, s.Set("7", record(stamp(1_000_000, 1), "b")))
	must(t, s.Set("7", removal(stamp(2_000_000, 0))))
	must(t, s.Set("-1", record(stamp(-5, 3), "c")))
	must(t, s.Set(wire.WatermarkKey(0), mark(2_000_000)))
	must(t, s.SetOffset(0))
	must(t, s.SetHorizon(-100))
	must(t, s.Flush())
	var got strings.Builder
	it := s.db.NewIterator(nil, nil)
	defer it.Release()
	for it.Next() {
		fmt.Fprintf(&got, "%x = %x\n", it.Key(), it.Value())
	}
	must(t, it.Error())
	want, err := os.ReadFile(filepath.Join("testdata", "layout"))
	must(t, err)
	if got.String() != string(want) {
		t.Fatalf("layout changed:\n%s\nnot:\n%s", got.String(), want)
	}
}

func TestReplicaForgetsState(t *testing.T) {
	o := options(t.TempDir())
	o.DropState = true
	s := open(t, o)
	must(t, s.Set("1", record(stamp(1, 0), "a")))
	v, ok, err := s.AsOf("1", 1)
	must(t, err)
	if !ok || len(v.State) > 0 || string(v.Row) != "a" {
		t.Fatalf("got %v %s", ok, show(v))
	}
}

func TestDamageIsNamed(t *testing.T) {
	dir := t.TempDir()
	s := open(t, options(dir))
	must(t, s.Set("1", record(stamp(1, 0), "a")))
	must(t, s.Close())
	names, err := filepath.Glob(filepath.Join(dir, "MANIFEST-*"))
	must(t, err)
	for _, name := range names {
		must(t, os.WriteFile(name, bytes.Repeat([]byte{7}, 100), 0o600))
	}
	_, err = Open(options(dir))
	if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "delete the directory "+dir) {
		t.Fatalf("got %v", err)
	}
}

func TestOtherFormatIsRefused(t *testing.T) {
	o := options(t.TempDir())
	must(t, open(t, o).Close())
	o.DropState = true
	if _, err := Open(o); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("got %v", err)
	}
}

// TestTornJournal cuts the journal at many lengths, as a kill within a write does.
func TestTornJournal(t *testing.T) {
	dir := t.TempDir()
	s := open(t, options(dir))
	const flushes = 20
	for i := range flushes {
		must(t, s.Set("1", record(stamp(timeline.Time(i), 0), strings.Repeat("x", 100))))
		must(t, s.SetOffset(int64(i)))
		must(t, s.Flush())
	}
	for cut := int64(1); cut < 2000; cut += 97 {
		torn := filepath.Join(t.TempDir(), "torn")
		must(t, copyDir(dir, torn))
		names, err := filepath.Glob(filepath.Join(torn, "*.log"))
		must(t, err)
		info, err := os.Stat(names[0])
		must(t, err)
		must(t, os.Truncate(names[0], max(0, info.Size()-cut)))
		c := open(t, options(torn))
		offset, err := c.GetOffset(-1)
		must(t, err)
		v, ok, err := c.AsOf("1", flushes)
		must(t, err)
		if offset >= 0 && (!ok || int64(v.Stamp.At) < offset) {
			t.Fatalf("cut by %d: offset %d, newest version %v", cut, offset, v.Stamp)
		}
	}
}

func TestPruning(t *testing.T) {
	s := open(t, options(t.TempDir()))
	const keys, versions = 50, 40
	for i := range keys * versions {
		rec := record(stamp(timeline.Time(i), 0), "row")
		if i%keys == 7 && i/keys == 20 {
			rec = removal(stamp(timeline.Time(i), 0))
		}
		if i%keys != 7 || i/keys <= 20 {
			must(t, s.Set(strconv.Itoa(i%keys), rec))
		}
	}
	must(t, s.Flush())
	horizon := timeline.Time(keys*versions - 1)
	for range 20 {
		must(t, s.SetHorizon(horizon))
	}
	it := s.db.NewIterator(nil, nil)
	defer it.Release()
	left := 0
	for it.Next() {
		if it.Key()[0] == dataPrefix {
			left++
		}
	}
	if left != keys-1 {
		t.Fatalf("%d versions are left of %d keys, one of them deleted", left, keys)
	}
	if has, err := s.Has("7"); err != nil || has {
		t.Fatalf("the deleted key is still there: %v", err)
	}
}

// TestStateOutlivesDeletion: a row may be absent while one lane of its join is not.
func TestStateOutlivesDeletion(t *testing.T) {
	s := open(t, options(t.TempDir()))
	v := wire.Version{Stamp: stamp(1, 0), Deleted: true, State: []byte("lane")}
	must(t, s.Set("1", wire.AppendVersion(nil, v)))
	must(t, s.Flush())
	for range 3 {
		must(t, s.SetHorizon(100))
	}
	got, ok, err := s.Before("1", stamp(200, 0))
	must(t, err)
	if !ok || string(got.State) != "lane" {
		t.Fatalf("got %v %s", ok, show(got))
	}
}

func TestGokaIterator(t *testing.T) {
	s := open(t, options(t.TempDir()))
	for i := range 30 {
		for v := range 7 {
			must(t, s.Set(strconv.Itoa(i), record(stamp(timeline.Time(v), 0), "row")))
		}
	}
	must(t, s.Set(wire.WatermarkKey(0), mark(3)))
	it, err := s.IteratorWithRange([]byte("8"), []byte("12"))
	must(t, err)
	defer it.Release()
	list := func() (keys []string) {
		for it.Next() {
			val, err := it.Value()
			must(t, err)
			v, err := wire.DecodeVersion(val)
			must(t, err)
			if v.Stamp.At != 6 {
				t.Fatalf("key %s: %s is not the newest", it.Key(), show(v))
			}
			keys = append(keys, string(it.Key()))
		}
		must(t, it.Err())
		return keys
	}
	if got := list(); !slices.Equal(got, []string{"8", "9", "10", "11"}) {
		t.Fatalf("got %v", got)
	}
	if !it.Seek([]byte("10")) {
		t.Fatal("nothing at or after 10")
	}
	if got := list(); !slices.Equal(got, []string{"10", "11"}) {
		t.Fatalf("got %v", got)
	}
	if it.Seek([]byte("12")) {
		t.Fatal("12 is outside")
	}
}

// TestScanBounds: bounds that extend an order key count as after it.
func TestScanBounds(t *testing.T) {
	o := options(t.TempDir())
	o.Key = func(k string) ([]byte, error) { return []byte(k), nil }
	s := open(t, o)
	for _, k := range []string{"a", "b", "c"} {
		must(t, s.Set(k, record(stamp(5, 0), k)))
	}
	got := ""
	must(t, s.Scan([]byte("a\x00"), []byte("b\x00"), 9,
		func(k []byte, _ wire.Version) (bool, error) {
			got += string(k)
			return true, nil
		}))
	if got != "b" {
		t.Fatalf("got %q", got)
	}
}

// TestReadersBesideTheWriter: whoever sees watermark w sees every version before it,
// in point reads, scans and histories, while flushes and pruning go on.
func TestReadersBesideTheWriter(t *testing.T) {
	o := options(t.TempDir())
	o.WriteBuffer, o.NewestCache = 64<<10, 4<<10
	s := open(t, o)
	const keys, rounds = 40, 60
	var wg sync.WaitGroup
	check := func(read func(w timeline.Time) error) {
		wg.Go(func() {
			for done := false; !done; {
				changed := s.Changed()
				w, ok := s.Watermark()
				if !ok {
					<-changed
					continue
				}
				done = w.At == rounds
				if err := read(w.At); err != nil && s.Horizon() <= w.At {
					t.Error(err)
					return
				}
			}
		})
	}
	check(func(w timeline.Time) error { return pointsAt(s, keys, w) })
	check(func(w timeline.Time) error { return scanAt(s, keys, w) })
	check(func(w timeline.Time) error { return historyAt(s, w) })
	for at := timeline.Time(1); at <= rounds; at++ {
		for k := range keys {
			must(t, s.Set(strconv.Itoa(k), record(stamp(at, uint64(k)), "row")))
		}
		wg.Go(func() { _ = s.SetOffset(int64(at)) })
		must(t, s.Set(wire.WatermarkKey(0), mark(at)))
		must(t, s.SetHorizon(at-30))
	}
	wg.Wait()
}

func pointsAt(s *Store, keys int, w timeline.Time) error {
	for k := range keys {
		v, ok, err := s.AsOf(strconv.Itoa(k), w)
		if err != nil || !ok || v.Stamp.At != w {
			return fmt.Errorf("key %d as of %d: %v %v: %w", k, w, ok, v.Stamp, err)
		}
	}
	return nil
}

func scanAt(s *Store, keys int, w timeline.Time) error {
	n := 0
	err := s.Scan(nil, nil, w, func(_ []byte, v wire.Version) (bool, error) {
		n++
		if v.Stamp.At != w {
			return false, fmt.Errorf("scan as of %d: %v", w, v.Stamp)
		}
		return true, nil
	})
	if err == nil && n != keys {
		err = fmt.Errorf("scan as of %d: %d keys", w, n)
	}
	return err
}

func historyAt(s *Store, w timeline.Time) error {
	next := max(1, w-5)
	err := s.History("3", next, w+1, func(v wire.Version) (bool, error) {
		if v.Stamp.At != next {
			return false, fmt.Errorf("history to %d: %v, not %d", w, v.Stamp, next)
		}
		next++
		return true, nil
	})
	if err == nil && next != w+1 {
		err = fmt.Errorf("history to %d ends at %d", w, next)
	}
	return err
}
