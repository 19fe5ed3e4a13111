package kafka

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/twmb/franz-go/pkg/kgo"
)

// queueHigh and queueLow are how many records a table partition may have waiting before
// fetching it pauses, and at how few it goes on.
const (
	queueHigh = 20_000
	queueLow  = 5_000
)

// Tables reads partitions of table topics for goka: the recovery of processors and the
// catch-up of views. It is a sarama.Consumer on one franz-go client.
type Tables struct {
	cl   *kgo.Client
	stop context.CancelFunc
	done chan struct{}

	mu        sync.Mutex
	parts     map[topicPartition]*tablePartition
	marks     map[string]map[int32]int64 // high water marks seen
	between   []func()                   // to be run by the poll loop between two polls
	interrupt context.CancelFunc         // ends the poll that runs
}

type topicPartition struct {
	topic     string
	partition int32
}

// NewTables connects a reader of table topics.
func NewTables(c Config) (*Tables, error) {
	cl, err := c.NewClient(
		kgo.FetchMaxBytes(16<<20), kgo.FetchMaxPartitionBytes(4<<20),
		// A partition that is opened or resumed waits for the fetch under way: that of
		// partitions that are at their end must not last.
		kgo.FetchMaxWait(100*time.Millisecond),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	t := &Tables{
		cl: cl, stop: stop, done: make(chan struct{}),
		parts: map[topicPartition]*tablePartition{},
		marks: map[string]map[int32]int64{},
	}
	go t.poll(ctx)
	return t, nil
}

// Builder is for goka's Sarama consumer options. Processors and views share the reader;
// what goka closes is only its own share.
func (t *Tables) Builder() goka.SaramaConsumerBuilder {
	return func([]string, string) (sarama.Consumer, error) { return sharedTables{t}, nil }
}

// Shutdown stops reading and disconnects.
func (t *Tables) Shutdown() {
	t.stop()
	<-t.done
	t.cl.Close()
}

func (t *Tables) poll(ctx context.Context) {
	defer close(t.done)
	for {
		wait, interrupt := context.WithCancel(ctx)
		t.mu.Lock()
		waiting := t.between
		t.between, t.interrupt = nil, interrupt
		t.mu.Unlock()
		for _, fn := range waiting {
			fn()
		}
		if len(waiting) > 0 {
			interrupt()
			continue
		}
		fetches := t.cl.PollRecords(wait, 20_000)
		interrupt()
		if ctx.Err() != nil || fetches.IsClientClosed() {
			t.closeAll()
			return
		}
		fetches.EachPartition(func(f kgo.FetchTopicPartition) {
			t.dispatch(topicPartition{f.Topic, f.Partition}, f.FetchPartition)
		})
	}
}

func (t *Tables) dispatch(tp topicPartition, f kgo.FetchPartition) {
	t.mu.Lock()
	p := t.parts[tp]
	if m := t.marks[tp.topic]; m != nil && f.HighWatermark > m[tp.partition] {
		m[tp.partition] = f.HighWatermark
	}
	t.mu.Unlock()
	if p == nil {
		return
	}
	if f.Err != nil {
		if !Away(f.Err) {
			p.fail(fmt.Errorf("reading %s/%d: %w", tp.topic, tp.partition, f.Err))
		}
		return
	}
	p.high.Store(f.HighWatermark)
	p.add(f.Records)
}

func (t *Tables) closeAll() {
	t.mu.Lock()
	parts := t.parts
	t.parts = map[topicPartition]*tablePartition{}
	t.mu.Unlock()
	for _, p := range parts {
		p.end()
	}
}

// ConsumePartition implements sarama.Consumer.
func (t *Tables) ConsumePartition(
	topic string, partition int32, offset int64,
) (sarama.PartitionConsumer, error) {
	at := kgo.NewOffset()
	switch offset {
	case sarama.OffsetOldest:
		at = at.AtStart()
	case sarama.OffsetNewest:
		at = at.AtEnd()
	default:
		at = at.At(offset)
	}
	tp := topicPartition{topic, partition}
	p := newTablePartition(t, tp, offset)
	t.mu.Lock()
	if t.parts[tp] != nil {
		t.mu.Unlock()
		return nil, fmt.Errorf("reading %s/%d: it is being read already", topic, partition)
	}
	t.parts[tp] = p
	if t.marks[topic] == nil {
		t.marks[topic] = map[int32]int64{}
	}
	t.mu.Unlock()
	t.cl.ResumeFetchPartitions(map[string][]int32{topic: {partition}})
	t.cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: at}})
	go p.run()
	return p, nil
}

// HighWaterMarks implements sarama.Consumer.
func (t *Tables) HighWaterMarks() map[string]map[int32]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make(map[string]map[int32]int64, len(t.marks))
	for topic, parts := range t.marks {
		m := make(map[int32]int64, len(parts))
		for p, h := range parts {
			m[p] = h
		}
		out[topic] = m
	}
	return out
}

// release stops reading a partition. It is done by the poll loop: records polled but not
// dispatched yet would otherwise reach the partition's next reader, which begins at
// another offset, and look to it like the end of the topic.
func (t *Tables) release(tp topicPartition, p *tablePartition) {
	done := make(chan struct{})
	t.mu.Lock()
	t.between = append(t.between, func() {
		t.cl.RemoveConsumePartitions(map[string][]int32{tp.topic: {tp.partition}})
		close(done)
	})
	interrupt := t.interrupt
	t.mu.Unlock()
	if interrupt != nil {
		interrupt()
	}
	select {
	case <-done:
	case <-t.done: // nobody reads any more
	}
	t.mu.Lock()
	if t.parts[tp] == p {
		delete(t.parts, tp)
	}
	t.mu.Unlock()
}

// tablePartition is one partition being read: a queue between the poll loop, which must
// not block, and goka, which takes one message at a time.
type tablePartition struct {
	t     *Tables
	tp    topicPartition
	start int64
	high  atomic.Int64

	messages chan *sarama.ConsumerMessage
	errors   chan *sarama.ConsumerError
	closing  chan struct{}
	once     sync.Once

	mu     sync.Mutex
	queue  [][]*kgo.Record
	queued int
	full   bool // paused since too much is waiting
	held   bool // paused by the user
	wake   chan struct{}
}

func newTablePartition(t *Tables, tp topicPartition, start int64) *tablePartition {
	return &tablePartition{
		t: t, tp: tp, start: start,
		messages: make(chan *sarama.ConsumerMessage, 512),
		errors:   make(chan *sarama.ConsumerError, 1),
		closing:  make(chan struct{}),
		wake:     make(chan struct{}, 1),
	}
}

func (p *tablePartition) add(records []*kgo.Record) {
	if len(records) == 0 {
		return
	}
	p.mu.Lock()
	p.queue = append(p.queue, records)
	p.queued += len(records)
	if !p.full && p.queued > queueHigh {
		p.full = true
		p.pace()
	}
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *tablePartition) take() []*kgo.Record {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		return nil
	}
	records := p.queue[0]
	p.queue = p.queue[1:]
	p.queued -= len(records)
	if p.full && p.queued < queueLow {
		p.full = false
		p.pace()
	}
	return records
}

// hold says whether the user wants no more for now.
func (p *tablePartition) hold(held bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = held
	p.pace()
}

// pace fetches, or does not. It is called with the lock: what the client is told last
// must be what was decided last.
func (p *tablePartition) pace() {
	parts := map[string][]int32{p.tp.topic: {p.tp.partition}}
	if p.full || p.held {
		p.t.cl.PauseFetchPartitions(parts)
	} else {
		p.t.cl.ResumeFetchPartitions(parts)
	}
}

func (p *tablePartition) run() {
	defer func() {
		p.t.release(p.tp, p)
		close(p.messages)
		close(p.errors)
	}()
	for {
		records := p.take()
		if records == nil {
			select {
			case <-p.wake:
				continue
			case <-p.closing:
				return
			}
		}
		if !p.send(records) {
			return
		}
	}
}

// send hands records to goka; false when the reader was closed.
func (p *tablePartition) send(records []*kgo.Record) bool {
	block := make([]sarama.ConsumerMessage, len(records))
	for i, r := range records {
		if r.Offset < p.start {
			continue
		}
		m := &block[i]
		m.Topic, m.Partition, m.Offset = r.Topic, r.Partition, r.Offset
		m.Key, m.Value, m.Timestamp = r.Key, r.Value, r.Timestamp
		select {
		case p.messages <- m:
		case <-p.closing:
			return false
		}
	}
	return true
}

func (p *tablePartition) fail(err error) {
	select {
	case p.errors <- &sarama.ConsumerError{Topic: p.tp.topic, Partition: p.tp.partition, Err: err}:
	case <-p.closing:
	default: // an error is already waiting to be read
	}
}

func (p *tablePartition) end() { p.once.Do(func() { close(p.closing) }) }

// AsyncClose implements sarama.PartitionConsumer.
func (p *tablePartition) AsyncClose() { p.end() }

// Close implements sarama.PartitionConsumer.
func (p *tablePartition) Close() error {
	p.end()
	for range p.messages {
	}
	return nil
}

// Messages implements sarama.PartitionConsumer.
func (p *tablePartition) Messages() <-chan *sarama.ConsumerMessage { return p.messages }

// Errors implements sarama.PartitionConsumer.
func (p *tablePartition) Errors() <-chan *sarama.ConsumerError { return p.errors }

// HighWaterMarkOffset implements sarama.PartitionConsumer.
func (p *tablePartition) HighWaterMarkOffset() int64 { return p.high.Load() }

// Pause implements sarama.PartitionConsumer.
func (p *tablePartition) Pause() {
	p.hold(true)
}

// Resume implements sarama.PartitionConsumer.
func (p *tablePartition) Resume() {
	p.hold(false)
}

// IsPaused implements sarama.PartitionConsumer.
func (p *tablePartition) IsPaused() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held
}

// Topics implements sarama.Consumer.
func (t *Tables) Topics() ([]string, error) { return t.cl.GetConsumeTopics(), nil }

// Partitions implements sarama.Consumer.
func (t *Tables) Partitions(topic string) ([]int32, error) {
	return NewTopics(t.cl, 0, 0).Partitions(topic)
}

// Pause implements sarama.Consumer.
func (t *Tables) Pause(parts map[string][]int32) { t.hold(parts, true) }

// Resume implements sarama.Consumer.
func (t *Tables) Resume(parts map[string][]int32) { t.hold(parts, false) }

func (t *Tables) hold(parts map[string][]int32, held bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for topic, list := range parts {
		for _, n := range list {
			if p := t.parts[topicPartition{topic, n}]; p != nil {
				p.hold(held)
			}
		}
	}
}

// PauseAll implements sarama.Consumer.
func (t *Tables) PauseAll() { t.Pause(t.all()) }

// ResumeAll implements sarama.Consumer.
func (t *Tables) ResumeAll() { t.Resume(t.all()) }

func (t *Tables) all() map[string][]int32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := map[string][]int32{}
	for tp := range t.parts {
		out[tp.topic] = append(out[tp.topic], tp.partition)
	}
	return out
}

// sharedTables is Tables for one user of several: closing it leaves the others alone.
type sharedTables struct{ *Tables }

// Close implements sarama.Consumer.
func (sharedTables) Close() error { return nil }
