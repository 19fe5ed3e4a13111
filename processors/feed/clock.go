package feed

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/kafka"
	"github.com/tideline/tideline/timeline/wire"
)

// ClockTopic names the clock topic of a pipeline. It has one partition, so that all of
// its readers see the entries in one order.
func ClockTopic(pipeline string) string { return pipeline + ".clock" }

// Clock reads the clock topic for the workers of a process. An entry (topic, partition,
// end, T) says that at T the log ended at offset end; T becomes a watermark of that
// partition for whoever has consumed up to end. Because the entries are in a log, every
// reader comes to the same judgement of what was late.
type Clock struct {
	delay map[string]timeline.Time // by topic: how much earlier than T is believed complete

	mu      sync.Mutex
	entries map[topicPartition][]entry
	changed chan struct{}
	next    int64 // offset after the last entry read
	until   int64 // where the topic ended when reading began; -1: not known yet
}

type topicPartition struct {
	topic     string
	partition int32
}

type entry struct {
	end int64
	at  timeline.Time
}

// NewClock returns a clock for the topics with a delay.
func NewClock(delay map[string]time.Duration) *Clock {
	c := &Clock{
		delay:   map[string]timeline.Time{},
		entries: map[topicPartition][]entry{},
		changed: make(chan struct{}),
		until:   -1,
	}
	for topic, d := range delay {
		c.delay[topic] = timeline.Duration(d)
	}
	return c
}

// Read follows the clock topic from its start until ctx ends.
func (c *Clock) Read(ctx context.Context, k kafka.Config, topic string) error {
	cl, err := k.NewClient(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}),
		kgo.FetchMaxWait(50*time.Millisecond),
	)
	if err != nil {
		return err
	}
	defer cl.Close()
	ends, err := kafka.NewTopics(cl, 0, 0).Ends(ctx, topic)
	if err != nil {
		return ignoreStop(ctx, err)
	}
	c.mu.Lock()
	c.until = ends[topic][0]
	c.mu.Unlock()
	c.wake()
	for {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err := fetches.Err(); err != nil {
			if kafka.Away(err) {
				continue
			}
			return fmt.Errorf("reading clock topic %s: %w", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if e, derr := wire.DecodeClock(r.Value); derr == nil {
				c.add(e, r.Offset)
			} else {
				err = errors.Join(err, fmt.Errorf("reading clock topic %s: %w", topic, derr))
			}
		})
		if err != nil {
			return err
		}
		c.wake()
	}
}

// ignoreStop drops an error that comes of being told to stop.
func ignoreStop(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}

func (c *Clock) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.changed)
	c.changed = make(chan struct{})
}

// add keeps an entry. Of several at one end only the latest counts; one whose end is
// behind an earlier entry's is void, for every reader alike.
func (c *Clock) add(e wire.Clock, offset int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next = offset + 1
	tp := topicPartition{e.Topic, e.Partition}
	list := c.entries[tp]
	n := entry{end: e.End, at: e.At - c.delay[e.Topic]}
	switch last := len(list) - 1; {
	case last < 0 || list[last].end < n.end:
		c.entries[tp] = append(list, n)
	case list[last].end == n.end:
		list[last].at = max(list[last].at, n.at)
	}
}

// subscription is what one worker has applied so far.
type subscription struct {
	c       *Clock
	p       int32
	applied map[string]int // entries applied, by topic; the last one may be applied again
}

func (c *Clock) subscribe(p int32) *subscription {
	return &subscription{c: c, p: p, applied: map[string]int{}}
}

// waiting is closed when there is something new; nil, hence never, without a clock.
func (s *subscription) waiting() <-chan struct{} {
	if s.c == nil {
		return nil
	}
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.c.changed
}

// caughtUp says whether everything has been read that the clock topic held at the start.
func (s *subscription) caughtUp() bool {
	if s.c == nil {
		return true
	}
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.c.until >= 0 && s.c.next >= s.c.until
}

// apply tells the merge what the clock says about the worker's inputs.
func (s *subscription) apply(w *worker) {
	if s.c == nil {
		return
	}
	for i, in := range w.cfg.Inputs {
		if !in.Clocked {
			continue
		}
		s.c.mu.Lock()
		list := s.c.entries[topicPartition{in.Topic, s.p}]
		fresh := append([]entry(nil), list[max(0, s.applied[in.Topic]-1):]...)
		s.applied[in.Topic] = len(list)
		s.c.mu.Unlock()
		for _, e := range fresh {
			w.merge.Clock(i, e.end, e.at)
			w.lanes[i].known = max(w.lanes[i].known, e.end)
		}
	}
}

// WriteClock writes an entry for every partition of the topics each interval, until ctx
// ends: that at the time of asking, the partition ended where it did.
func WriteClock(
	ctx context.Context, cl *kgo.Client, clock string, topics []string, every time.Duration,
) error {
	adm := kadm.NewClient(cl)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		// The instant is taken before the offsets: whatever is appended later than the
		// instant may be below them, never the other way round.
		at := timeline.FromTime(time.Now())
		ends, err := adm.ListEndOffsets(ctx, topics...)
		if err != nil || ends.Error() != nil {
			continue // the broker is away: no statement can be made
		}
		ends.Each(func(o kadm.ListedOffset) {
			e := wire.Clock{Topic: o.Topic, Partition: o.Partition, End: o.Offset, At: at}
			cl.Produce(ctx, &kgo.Record{
				Topic: clock, Key: []byte(wire.ClockKey(o.Topic, o.Partition)),
				Value: wire.AppendClock(nil, e), Timestamp: at.Time(),
			}, nil)
		})
	}
}
