package faulttest

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tideline/tideline/processors"
	"github.com/tideline/tideline/timeline"
)

// startBroker runs a broker on a port and a data directory; port 0 is any.
func startBroker(t *testing.T, port int, dir string) *kfake.Cluster {
	t.Helper()
	b, err := kfake.NewCluster(
		kfake.NumBrokers(1), kfake.Ports(port), kfake.DataDir(dir),
		kfake.GroupMinSessionTimeout(100*time.Millisecond),
		kfake.BrokerConfigs(map[string]string{"log.retention.ms": "-1"}),
	)
	must(t, err)
	return b
}

// TestBrokerRestarts takes the broker away while the pipeline works, for longer than its
// session lasts, and brings it back: the pipeline goes on by itself.
func TestBrokerRestarts(t *testing.T) {
	for _, pipeline := range []string{
		shop, rekeyed,
		strings.ReplaceAll(clocked, "delay: 50ms", "delay: 90000h"), // read, but far behind
	} {
		dir := t.TempDir()
		b := startBroker(t, 0, dir)
		w := inWorld(t, b, pipeline)
		w.createTopics(2)
		w.produce(sales(0, 200)...)
		stop := w.live(processors.Options{SessionTimeout: 300 * time.Millisecond})
		w.until("work has begun", func() bool { return len(w.status()) > 0 })
		port := portOf(t, b)
		for range 1 {
			b.Close()
			w.until("the broker is gone", func() bool {
				c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
				if err == nil {
					c.Close()
				}
				return err != nil
			})
			gone := time.Now()
			w.until("sessions are over", func() bool { return time.Since(gone) > 500*time.Millisecond })
			b = startBroker(t, port, dir)
		}
		t.Cleanup(b.Close)
		w.produce(sales(200, 200)...)
		w.until("all is read", w.consumedUpTo(300_000))
		must(t, stop())
		must(t, w.replay(processors.Options{}))
		got := w.export()
		clean := newWorld(t, pipeline, 2)
		clean.produce(append(sales(0, 200), sales(200, 200)...)...)
		must(t, clean.replay(processors.Options{}))
		got.equals(t, clean.export())
	}
}

func portOf(t *testing.T, b *kfake.Cluster) int {
	t.Helper()
	_, port, err := net.SplitHostPort(b.ListenAddrs()[0])
	must(t, err)
	n, err := strconv.Atoi(port)
	must(t, err)
	return n
}

// clocked is shop with quiet partitions advanced by the clock.
var clocked = strings.ReplaceAll(strings.Replace(shop, "shop", "clocked", 1),
	"lateness: 10s", "lateness: 10s\n    delay: 50ms")

// TestClock lets the clock advance quiet partitions. What comes after that and lies
// before is late, now and in every replay.
func TestClock(t *testing.T) {
	w := newWorld(t, clocked, 2)
	stop := w.live(processors.Options{WatermarkEvery: time.Millisecond})
	now := func(ago time.Duration) int64 { return time.Now().Add(-ago).UnixMilli() - epoch }
	start := timeline.FromTime(time.Now())
	w.produce(rec("orders", "1", `{"status":"new"}`, now(0)))
	w.until("the clock has advanced every partition", func() bool {
		for _, st := range w.status() {
			if st.Announced <= start+200_000 {
				return false
			}
		}
		return len(w.status()) == 4
	})
	late := rec("payments", "1", `{"amount":7}`, int64(start)/1000-epoch)
	w.produce(late)
	w.until("it is late", func() bool { return len(w.letters()) == 1 })
	w.produce(rec("payments", "1", `{"amount":8}`, now(-time.Second)))
	must(t, stop())
	must(t, w.replay(processors.Options{}))
	w.audit()
	letters, history := w.letters(), w.history()
	want := []string{fmt.Sprintf("payments/%d/0 late", late.Partition)}
	if !slices.Equal(letters, want) {
		t.Errorf("dead letters %q, want %q", letters, want)
	}
	w.rebuild()
	must(t, w.replay(processors.Options{}))
	w.audit()
	if got := w.letters(); !slices.Equal(got, letters) {
		t.Errorf("dead letters %q after a rebuild, want %q", got, letters)
	}
	same(t, "history", w.history(), history)
}

// TestWatermarkHolds checks that what a reader was told is final stays as it was, while
// records come in that are late by the clock, from several processes with restarts.
func TestWatermarkHolds(t *testing.T) {
	w := newWorld(t, clocked, 2)
	var told timeline.Time
	var was string
	for i := range 4 {
		stop := w.live(processors.Options{})
		w.produce(rec("orders", strconv.Itoa(i), `{"status":"x"}`, time.Now().UnixMilli()-epoch))
		if told > 0 {
			var before []*kgo.Record
			for k := range 10 {
				before = append(before, rec("payments", strconv.Itoa(k), `{"amount":1}`,
					told.Millis()-epoch-int64(k)))
			}
			w.produce(before...)
		}
		w.until("all is read and the watermark moves", func() bool {
			return w.consumed() && w.watermark("paid") > told
		})
		if told > 0 {
			same(t, "what was final", w.answers(told), was)
		}
		told = w.watermark("paid")
		was = w.answers(told)
		must(t, stop())
	}
}
