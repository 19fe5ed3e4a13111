package kafka

import (
	"context"
	"fmt"
	"hash"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tideline/tideline/timeline/wire"
)

// Producer writes records in order and acknowledged by all in-sync replicas. Several
// goka processors may share one: Builder hands out views of it whose Close only waits.
type Producer struct {
	cl      *kgo.Client
	written atomic.Int64
}

// NewProducer connects a producer. Idempotence keeps retries from reordering or
// repeating; records keep their event time as Kafka timestamp.
func NewProducer(c Config) (*Producer, error) {
	linger := c.Linger
	if linger == 0 {
		linger = 2 * time.Millisecond
	}
	cl, err := c.NewClient(
		kgo.RecordPartitioner(partitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(linger),
		kgo.MaxBufferedRecords(100_000),
		kgo.MaxBufferedBytes(64<<20),
		kgo.ProducerBatchMaxBytes(1<<20-64),
		kgo.ProducerBatchCompression(kgo.Lz4Compression(), kgo.NoCompression()),
	)
	if err != nil {
		return nil, err
	}
	return &Producer{cl: cl}, nil
}

// Client returns the underlying client, for administration on the same connections.
func (p *Producer) Client() *kgo.Client { return p.cl }

// Written counts the records acknowledged so far.
func (p *Producer) Written() int64 { return p.written.Load() }

// Close writes what is buffered and disconnects.
func (p *Producer) Close(ctx context.Context) error {
	err := p.cl.Flush(ctx)
	p.cl.Close()
	if err != nil {
		return fmt.Errorf("flushing producer: %w", err)
	}
	return nil
}

// Builder is for goka.WithProducerBuilder: every processor writes through p.
func (p *Producer) Builder() goka.ProducerBuilder {
	return func([]string, string, func() hash.Hash32) (goka.Producer, error) {
		return (*gokaProducer)(p), nil
	}
}

// gokaProducer is Producer under goka's interface.
type gokaProducer Producer

func (p *gokaProducer) Emit(topic, key string, value []byte) *goka.Promise {
	return p.EmitWithHeaders(topic, key, value, nil)
}

func (p *gokaProducer) EmitWithHeaders(
	topic, key string, value []byte, headers goka.Headers,
) *goka.Promise {
	promise, finish := goka.NewPromiseWithFinisher()
	r := &kgo.Record{Topic: topic, Key: []byte(key), Value: value, Timestamp: stampOf(value)}
	for k, v := range headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: k, Value: v})
	}
	p.cl.Produce(context.Background(), r, func(r *kgo.Record, err error) {
		if err != nil {
			finish(nil, fmt.Errorf("writing to %s/%d: %w", r.Topic, r.Partition, err))
			return
		}
		p.written.Add(1)
		finish(&sarama.ProducerMessage{
			Topic: r.Topic, Partition: r.Partition, Offset: r.Offset,
		}, nil)
	})
	return promise
}

// closePatience is how long a processor that stops waits for its last writes.
const closePatience = 10 * time.Second

// Close waits for this processor's writes; the shared client stays open. If the broker is
// away it gives up: what was not acknowledged was not committed either, and is written
// again by whoever goes on.
func (p *gokaProducer) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closePatience)
	defer cancel()
	if err := p.cl.Flush(ctx); err != nil {
		return fmt.Errorf("waiting for the last writes: %w", err)
	}
	return nil
}

// stampOf is the Kafka timestamp of a record: its event time where it has one, so that
// outside readers see when the change happened and not when it was processed.
func stampOf(value []byte) time.Time {
	if at, ok := wire.EventTime(value); ok && at >= 0 {
		return at.Time()
	}
	return time.Now()
}
