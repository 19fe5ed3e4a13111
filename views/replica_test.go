package views_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/catalog"
	"github.com/tideline/tideline/views"
)

// fetched notes the least offset at which each partition has been read from now on.
// Only the view's own table may be read meanwhile.
func (w *table) fetched() func() map[int32]int64 {
	var mu sync.Mutex
	least := map[int32]int64{}
	cluster := w.b.Cluster()
	cluster.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		mu.Lock()
		defer mu.Unlock()
		for _, t := range req.(*kmsg.FetchRequest).Topics {
			for _, p := range t.Partitions {
				if at, ok := least[p.Partition]; !ok || p.FetchOffset < at {
					least[p.Partition] = p.FetchOffset
				}
			}
		}
		return nil, nil, false
	})
	return func() map[int32]int64 {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(least)
	}
}

// A replica that is opened again reads only what it has not read yet.
func TestReopenReadsOnlyTheTail(t *testing.T) {
	w := newTable(t, bills(0))
	var records []*kgo.Record
	for i := range 600 {
		records = append(records, w.version(sec, key(t, "north", i), bill("north", int64(i), "1.00")))
	}
	w.write(records...)
	w.watermark(2*sec, timeline.Exact)
	c := w.config()
	c.Dir = t.TempDir()
	cat, err := views.Load(deadline(t), c)
	if err != nil {
		t.Fatal(err)
	}
	open := func() *views.View {
		t.Helper()
		v, err := views.OpenIn(deadline(t), c, cat, "bills")
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	ends := map[int32]int64{0: 1, 1: 1, 2: 1} // the watermarks
	for _, r := range records {
		ends[r.Partition]++
	}
	if err := open().Close(); err != nil {
		t.Fatal(err)
	}
	k := key(t, "north", 7)
	w.put(3*sec, k, bill("north", 7, "2.00"))
	w.watermark(4*sec, timeline.Exact)
	fetched := w.fetched()
	v := open()
	r, ok, a, err := v.Get(deadline(t), k)
	if err != nil || !ok || !same(r, bill("north", 7, "2.00")) || a.AsOf != 4*sec {
		t.Errorf("after reopening: %v, %v, %+v, %v", r, ok, a, err)
	}
	n := 0
	if _, err := v.Histories(deadline(t), views.Range{}, func(string, []views.Version) (bool, error) {
		n++
		return true, nil
	}); err != nil || n != 600 {
		t.Errorf("%d keys, %v", n, err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	for p, at := range fetched() {
		// goka reads the last record it has again.
		if at < ends[p]-1 {
			t.Errorf("partition %d was read from %d on, known were %d records", p, at, ends[p])
		}
	}
	if len(fetched()) != partitions {
		t.Errorf("only %v were read: the test looks at the wrong place", fetched())
	}
}

// A replica whose broker goes away answers for what is final and waits for what is not;
// when it is back, so is the view.
func TestBrokerGoesAway(t *testing.T) {
	w := newTable(t, bills(0))
	k := key(t, "north", 1)
	w.put(10*sec, k, bill("north", 1, "5.00"))
	w.watermark(20*sec, timeline.Exact)
	w.cl.Close() // it would look for the broker too
	before := goleak.IgnoreCurrent()
	v, err := views.Open(deadline(t), w.config(), "bills")
	if err != nil {
		t.Fatal(err)
	}
	w.b.Close()
	ctx := deadline(t)
	for _, opts := range [][]views.Option{nil, {views.AsOf(10 * sec)}} {
		r, ok, _, err := v.Get(ctx, k, opts...)
		if err != nil || !ok || !same(r, bill("north", 1, "5.00")) {
			t.Errorf("without a broker: %v, %v, %v", r, ok, err)
		}
	}
	if h, _, err := v.History(ctx, k, 0, 20*sec); err != nil || len(h) != 1 {
		t.Errorf("without a broker: history %v, %v", h, err)
	}
	_, err = v.Resolve(ctx, views.AsOf(30*sec), views.Wait(50*time.Millisecond))
	if !errors.Is(err, views.ErrNotFinal) {
		t.Errorf("without a broker, what is not final: %v", err)
	}
	if err := v.Close(); err != nil {
		t.Errorf("closing without a broker: %v", err)
	}
	goleak.VerifyNone(t, before, goleak.IgnoreTopFunction(
		"github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain")) // lingers for up to a second
}

// A damaged replica is read anew.
func TestDamagedReplica(t *testing.T) {
	w := newTable(t, bills(0))
	k := key(t, "north", 1)
	w.put(10*sec, k, bill("north", 1, "5.00"))
	w.watermark(20*sec, timeline.Exact)
	c := w.config()
	c.Dir = t.TempDir()
	for range 2 {
		v, err := views.Open(deadline(t), c, "bills")
		if err != nil {
			t.Fatal(err)
		}
		if r, ok, _, err := v.Get(deadline(t), k); err != nil || !ok {
			t.Errorf("%v, %v, %v", r, ok, err)
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		manifests, err := filepath.Glob(filepath.Join(c.Dir, "till.bills-table", "*", "MANIFEST-*"))
		if err != nil || len(manifests) != partitions {
			t.Fatalf("the replica has %v, %v", manifests, err)
		}
		for _, m := range manifests {
			if err := os.WriteFile(m, []byte("damaged"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A directory belongs to one process at a time, and a temporary one is removed.
func TestReplicaDirectories(t *testing.T) {
	w := newTable(t, bills(0))
	w.watermark(20*sec, timeline.Exact)
	c := w.config()
	c.Dir = t.TempDir()
	v, err := views.Open(deadline(t), c, "bills")
	if err != nil {
		t.Fatal(err)
	}
	ctx := deadline(t)
	if _, err := views.Open(ctx, c, "bills"); err == nil || ctx.Err() != nil ||
		!strings.Contains(err.Error(), "opening view bills") {
		t.Errorf("a directory that is in use: %v", err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	if v, err = views.Open(deadline(t), w.config(), "bills"); err != nil {
		t.Fatal(err)
	}
	if made, err := os.ReadDir(temp); err != nil || len(made) != 1 {
		t.Errorf("the temporary directory holds %v, %v", made, err)
	}
	if err := errors.Join(v.Close(), v.Close()); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) != 0 {
		t.Errorf("the temporary directory still holds %v, %v", left, err)
	}
}

// The last catalog published counts.
func TestLoad(t *testing.T) {
	w := newTable(t, bills(0))
	cat := catalog.Catalog{Pipeline: pipeline, Version: "2", Views: []catalog.View{bills(0), bills(0)}}
	cat.Views[1].Name = "other"
	text, err := cat.Encode()
	if err != nil {
		t.Fatal(err)
	}
	topic := catalog.Topic(pipeline)
	w.write(&kgo.Record{Topic: topic, Key: []byte(catalog.Key), Value: text},
		&kgo.Record{Topic: topic, Key: []byte("something else"), Value: []byte("?")})
	got, err := views.Load(deadline(t), w.config())
	if err != nil || got.Version != "2" || !slices.Equal(got.ViewNames(), []string{"bills", "other"}) {
		t.Errorf("%+v, %v", got, err)
	}
	w.write(&kgo.Record{Topic: topic, Key: []byte(catalog.Key), Value: []byte(`{"format":9}`)})
	if _, err := views.Load(deadline(t), w.config()); err == nil ||
		!strings.Contains(err.Error(), "of one release") {
		t.Errorf("a catalog of another release: %v", err)
	}
}
