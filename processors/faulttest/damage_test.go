package faulttest

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tideline/tideline/processors"
)

// halves runs shop over the first half of an input, lets between happen while it is
// stopped, and finishes it. It returns how the second run went.
func halves(t *testing.T, between func(w *world)) (*world, error) {
	t.Helper()
	w := newWorld(t, shop, 2)
	w.produce(sales(0, 200)...)
	stop := w.live(processors.Options{})
	w.until("the first half is done", w.consumedUpTo(20_000))
	must(t, stop())
	between(w)
	w.produce(sales(200, 200)...)
	return w, w.replay(processors.Options{})
}

// consumedUpTo says whether every partition has announced a watermark of at least
// ms after epoch.
func (w *world) consumedUpTo(ms int64) func() bool {
	return func() bool {
		all := w.status()
		for _, st := range all {
			if int64(st.Announced) < (epoch+ms)*1000 {
				return false
			}
		}
		return len(all) > 0
	}
}

func wantHalves(t *testing.T) export {
	t.Helper()
	w := newWorld(t, shop, 2)
	w.produce(append(sales(0, 200), sales(200, 200)...)...)
	must(t, w.replay(processors.Options{}))
	return w.export()
}

func TestStateDeleted(t *testing.T) {
	w, err := halves(t, func(w *world) { must(t, os.RemoveAll(filepath.Join(w.tmp, "local"))) })
	must(t, err)
	w.export().equals(t, wantHalves(t))
}

// TestStateDamaged flips bytes in each file of the local state in turn. The state is
// rebuilt, or the error says what to delete; then it is deleted.
func TestStateDamaged(t *testing.T) {
	want := wantHalves(t)
	for _, kind := range []string{"*.log", "*.ldb", "MANIFEST-*", "CURRENT"} {
		t.Run(kind, func(t *testing.T) {
			damaged := 0
			w, err := halves(t, func(w *world) { damaged = damage(t, w.tmp+"/local/state", kind) })
			if damaged == 0 && kind != "*.ldb" {
				t.Errorf("no file %s to damage", kind)
			}
			if err != nil {
				refused(t, err, "delete the directory", "rebuilt")
				must(t, os.RemoveAll(w.tmp+"/local"))
				must(t, w.replay(processors.Options{}))
			}
			w.export().equals(t, want)
		})
	}
}

// damage flips bytes in the middle of the files of a kind and returns how many it found.
func damage(t *testing.T, dir, kind string) int {
	t.Helper()
	n := 0
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if ok, _ := filepath.Match(kind, d.Name()); !ok {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil || len(b) == 0 {
			return err
		}
		n++
		for i := len(b) / 2; i < min(len(b), len(b)/2+16); i++ {
			b[i] ^= 0xA5
		}
		return os.WriteFile(path, b, 0o644)
	}))
	return n
}

// TestBoundedReplayKilled lets a bounded replay tell its readers that everything is final
// and vanish before it has committed that. What comes next must not contradict it.
func TestBoundedReplayKilled(t *testing.T) {
	for _, pipeline := range []string{shop, rekeyed} {
		w := newWorld(t, pipeline, 2)
		t.Run(w.spec.Name, func(t *testing.T) {
			w.t = t
			w.produce(sales(0, 50)...)
			fault := w.broker.Fault(kfake.Fault{
				Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.RebalanceInProgress, Count: -1,
			})
			stop := w.live(processors.Options{UntilEnd: true, Dir: w.tmp + "/killed"})
			w.until("the view is final or waits for the commit", func() bool {
				return fault.Hits() > 10
			})
			before := w.watermark("paid")
			_ = stop()
			fault.Remove()
			w.produce(rec("orders", "3", `{"status":"after"}`, 100_000),
				rec("payments", "4", `{"amount":4}`, 100_000))
			must(t, w.replay(processors.Options{}))
			w.audit()
			late := w.answers(before) // what was final when the first run ended
			clean := newWorld(t, pipeline, 2)
			clean.produce(sales(0, 50)...)
			must(t, clean.replay(processors.Options{}))
			same(t, "final answers", late, clean.answers(before))
		})
	}
}
