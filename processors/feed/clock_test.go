package feed

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/align"
	"github.com/tideline/tideline/timeline/kafka"
	"github.com/tideline/tideline/timeline/wire"
)

// Of several entries at one end the latest instant counts; one behind an earlier end is
// void. The delay is taken off.
func TestClockKeepsWhatCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const delay = 7
		c := NewClock(map[string]time.Duration{"a": delay * time.Microsecond})
		want := map[topicPartition][]entry{}
		for i := range rapid.IntRange(0, 30).Draw(t, "entries") {
			e := wire.Clock{
				Topic:     rapid.SampledFrom([]string{"a", "b"}).Draw(t, "topic"),
				Partition: rapid.Int32Range(0, 1).Draw(t, "partition"),
				End:       rapid.Int64Range(0, 5).Draw(t, "end"),
				At:        timeline.Time(rapid.Int64Range(0, 50).Draw(t, "at")),
			}
			c.add(e, int64(i))
			if c.next != int64(i)+1 {
				t.Fatalf("the clock is at offset %d after entry %d", c.next, i)
			}
			n := entry{end: e.End, at: e.At}
			if e.Topic == "a" {
				n.at -= delay
			}
			tp := topicPartition{e.Topic, e.Partition}
			if i := slices.IndexFunc(want[tp], func(o entry) bool { return o.end >= n.end }); i < 0 {
				want[tp] = append(want[tp], n)
			} else if want[tp][i].end == n.end && i == len(want[tp])-1 {
				want[tp][i].at = max(want[tp][i].at, n.at)
			}
		}
		for tp, list := range want {
			if !slices.Equal(c.entries[tp], list) {
				t.Fatalf("of %v it keeps %v, want %v", tp, c.entries[tp], list)
			}
		}
	})
}

// clockedWorker is a worker of partition 1 that reads a clocked topic and another.
func clockedWorker(t *testing.T, c *Clock) *worker {
	t.Helper()
	cfg := &Config{Clock: c, Inputs: []Input{
		{Topic: "plain"},
		{Topic: "sales", Clocked: true, Disordered: true},
	}}
	m, err := align.New(align.Config{Inputs: cfg.alignInputs()},
		[]align.Progress{{Offset: -1}, {Offset: -1}})
	if err != nil {
		t.Fatal(err)
	}
	w := &worker{cfg: cfg, p: 1, merge: m, lanes: make([]lane, 2)}
	m.Reached(0, 0)
	m.Reached(1, 0)
	m.End(0, timeline.MaxTime) // the other never holds it back
	return w
}

// An entry becomes a watermark for who has read up to its end, and again when its
// instant has moved on.
func TestSubscriptionApplies(t *testing.T) {
	c := NewClock(map[string]time.Duration{"sales": 10 * time.Microsecond})
	w := clockedWorker(t, c)
	s := c.subscribe(1)
	add := func(p int32, end int64, at, want timeline.Time) {
		t.Helper()
		c.add(wire.Clock{Topic: "sales", Partition: p, End: end, At: at}, c.next)
		s.apply(w)
		if got, _ := w.merge.Watermark(); got != want {
			t.Errorf("(%d, %d, %d): watermark %d, want %d", p, end, at, got, want)
		}
	}
	add(0, 9, 900, timeline.MinTime) // another partition's
	add(1, 0, 110, 100)
	add(1, 0, 150, 140)
	add(1, 0, 130, 140) // earlier than known
	add(1, 2, 210, 140) // there are two records to read first
	if w.lanes[1].known != 2 {
		t.Errorf("lateness is settled up to offset %d, want 2", w.lanes[1].known)
	}
	w.merge.Reached(1, 2)
	if got, _ := w.merge.Watermark(); got != 200 {
		t.Errorf("after the two records the watermark is %d, want 200", got)
	}
	late := c.subscribe(1) // whoever comes later comes to the same
	other := clockedWorker(t, c)
	other.merge.Reached(1, 2)
	late.apply(other)
	if got, _ := other.merge.Watermark(); got != 200 {
		t.Errorf("to a later reader the watermark is %d, want 200", got)
	}
}

func TestNoClock(t *testing.T) {
	var c *Clock
	s := c.subscribe(0)
	if !s.caughtUp() || s.waiting() != nil {
		t.Error("there is something to wait for without a clock")
	}
	s.apply(nil)
}

// waitClock waits until the clock says so.
func waitClock(t *testing.T, s *subscription, met func() bool) {
	t.Helper()
	for {
		news := s.waiting()
		if met() {
			return
		}
		select {
		case <-news:
		case <-deadline(t).Done():
			t.Fatal("the clock never says so")
		}
	}
}

// What is written is read, by any process and from the start.
func TestClockThroughTheLog(t *testing.T) {
	k := broker(t)
	cl := client(t, k)
	topics := kafka.NewTopics(cl, 0, 0)
	clock := ClockTopic("till")
	for topic, n := range map[string]int{clock: 1, "sales": 2, "rates": 1} {
		if err := topics.Ensure(deadline(t), topic, n, kafka.Keep); err != nil {
			t.Fatal(err)
		}
	}
	sale := &kgo.Record{Topic: "sales", Partition: 1, Value: []byte("x")}
	if err := cl.ProduceSync(deadline(t), sale).FirstErr(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(deadline(t))
	defer cancel()
	failed := make(chan error, 3)
	start := timeline.FromTime(time.Now())
	go func() {
		failed <- WriteClock(ctx, cl, clock, []string{"sales", "rates"}, 5*time.Millisecond)
	}()
	first, second := NewClock(nil), NewClock(nil)
	has := func(c *Clock, topic string, p int32, end int64) func() bool {
		return func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			list := c.entries[topicPartition{topic, p}]
			return len(list) > 0 && list[len(list)-1].end == end &&
				list[len(list)-1].at >= start && list[len(list)-1].at <= timeline.FromTime(time.Now())
		}
	}
	if first.subscribe(0).caughtUp() {
		t.Error("a clock that has not been read is caught up")
	}
	for i, c := range []*Clock{first, second} {
		go func() { failed <- c.Read(ctx, k, clock) }()
		s := c.subscribe(0)
		waitClock(t, s, has(c, "sales", 0, 0))
		waitClock(t, s, has(c, "sales", 1, int64(i)+1))
		waitClock(t, s, has(c, "rates", 0, 0))
		waitClock(t, s, s.caughtUp)
		if err := cl.ProduceSync(ctx, sale).FirstErr(); err != nil {
			t.Fatal(err)
		}
		waitClock(t, s, has(c, "sales", 1, int64(i)+2))
	}
	cancel()
	for range 3 {
		if err := <-failed; err != nil {
			t.Errorf("after being told to stop: %v", err)
		}
	}
}

// An entry that cannot be read is an error, not an entry less.
func TestClockRefusesWhatItCannotRead(t *testing.T) {
	k := broker(t)
	cl := client(t, k)
	err := kafka.NewTopics(cl, 0, 0).Ensure(deadline(t), "till.clock", 1, kafka.Keep)
	if err != nil {
		t.Fatal(err)
	}
	r := &kgo.Record{Topic: "till.clock", Value: []byte("noon")}
	if err := cl.ProduceSync(deadline(t), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
	err = NewClock(nil).Read(deadline(t), k, "till.clock")
	if err == nil || !strings.Contains(err.Error(), "reading clock topic till.clock") {
		t.Errorf("error %v", err)
	}
	err = NewClock(nil).Read(deadline(t), k, "nowhere")
	if err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("a clock topic that is not there: %v", err)
	}
}
