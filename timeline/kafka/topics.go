package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// adminTimeout bounds one administrative round, broker restarts included.
const adminTimeout = 60 * time.Second

// Cleanup says how a topic that Tideline creates forgets.
type Cleanup int

// Cleanup policies of internal topics. None of them deletes by time, since Kafka's time
// retention goes by the record's own timestamp, which is the event time here.
const (
	// Keep keeps every record.
	Keep Cleanup = iota
	// Compact keeps at least the last record of each key, and everything younger than
	// the lag given.
	Compact
)

// Topics creates, counts and looks up topics. It is goka's TopicManager.
type Topics struct {
	adm         *kadm.Client
	replication int
	lag         time.Duration
}

// NewTopics returns a topic manager on cl's connections. Table topics that it creates
// are not compacted before a record is older than lag; 0 means never.
func NewTopics(cl *kgo.Client, replication int, lag time.Duration) *Topics {
	return &Topics{adm: kadm.NewClient(cl), replication: replication, lag: lag}
}

// Builder is for goka's topic manager options.
func (t *Topics) Builder() goka.TopicManagerBuilder {
	return func([]string) (goka.TopicManager, error) { return t, nil }
}

// Admin returns the administrative client.
func (t *Topics) Admin() *kadm.Client { return t.adm }

// ErrNoTopic says that a topic does not exist.
var ErrNoTopic = errors.New("topic does not exist")

// Count returns how many partitions topic has; ErrNoTopic if there is no such topic.
func (t *Topics) Count(ctx context.Context, topic string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	found, err := t.adm.ListTopics(ctx, topic)
	if err != nil {
		return 0, fmt.Errorf("looking up topic %s: %w", topic, err)
	}
	d, ok := found[topic]
	if !ok || errors.Is(d.Err, kerr.UnknownTopicOrPartition) {
		return 0, fmt.Errorf("looking up topic %s: %w", topic, ErrNoTopic)
	}
	if d.Err != nil {
		return 0, fmt.Errorf("looking up topic %s: %w", topic, d.Err)
	}
	return len(d.Partitions), nil
}

// Ensure creates topic with n partitions, or checks that it has n.
func (t *Topics) Ensure(ctx context.Context, topic string, n int, c Cleanup) error {
	for {
		have, err := t.Count(ctx, topic)
		switch {
		case err == nil && have == n:
			return nil
		case err == nil:
			return fmt.Errorf("topic %s has %d partitions, the pipeline needs %d; "+
				"delete it, or state partitions: %d", topic, have, n, have)
		case !errors.Is(err, ErrNoTopic):
			return err
		}
		err = t.create(ctx, topic, n, c)
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("creating topic %s: %w", topic, err)
		}
	}
}

func (t *Topics) create(ctx context.Context, topic string, n int, c Cleanup) error {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	configs := map[string]*string{"retention.ms": kadm.StringPtr("-1")}
	if c == Compact {
		configs["cleanup.policy"] = kadm.StringPtr("compact")
		lag := "9223372036854775807"
		if t.lag > 0 {
			lag = fmt.Sprint(t.lag.Milliseconds())
		}
		configs["min.compaction.lag.ms"] = &lag
		// The lag counts from a record's timestamp. By its event time, the history that a
		// replay of old changes writes could be compacted away at once; so the broker
		// stamps what it appends. The event time stands in the record itself.
		configs["message.timestamp.type"] = kadm.StringPtr("LogAppendTime")
	}
	rf, err := t.factor(ctx)
	if err != nil {
		return err
	}
	_, err = t.adm.CreateTopic(ctx, int32(n), rf, configs, topic)
	return err
}

func (t *Topics) factor(ctx context.Context) (int16, error) {
	if t.replication > 0 {
		return int16(t.replication), nil
	}
	brokers, err := t.adm.ListBrokers(ctx)
	if err != nil {
		return 0, fmt.Errorf("counting brokers: %w", err)
	}
	if len(brokers) >= 3 {
		return 3, nil
	}
	return 1, nil
}

// EnsureTableExists implements goka.TopicManager.
func (t *Topics) EnsureTableExists(topic string, n int) error {
	return t.Ensure(context.Background(), topic, n, Compact)
}

// EnsureStreamExists implements goka.TopicManager.
func (t *Topics) EnsureStreamExists(topic string, n int) error {
	return t.Ensure(context.Background(), topic, n, Keep)
}

// EnsureTopicExists implements goka.TopicManager.
func (t *Topics) EnsureTopicExists(topic string, n, _ int, _ map[string]string) error {
	return t.Ensure(context.Background(), topic, n, Keep)
}

// Partitions implements goka.TopicManager.
func (t *Topics) Partitions(topic string) ([]int32, error) {
	n, err := t.Count(context.Background(), topic)
	if err != nil {
		return nil, err
	}
	out := make([]int32, n)
	for i := range out {
		out[i] = int32(i)
	}
	return out, nil
}

// GetOffset implements goka.TopicManager: the oldest or the next offset of a partition.
func (t *Topics) GetOffset(topic string, partition int32, at int64) (int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), adminTimeout)
	defer cancel()
	var offsets kadm.ListedOffsets
	var err error
	switch at {
	case sarama.OffsetOldest:
		offsets, err = t.adm.ListStartOffsets(ctx, topic)
	case sarama.OffsetNewest:
		offsets, err = t.adm.ListEndOffsets(ctx, topic)
	default:
		offsets, err = t.adm.ListOffsetsAfterMilli(ctx, at, topic)
	}
	if err != nil {
		return 0, fmt.Errorf("listing offsets of %s: %w", topic, err)
	}
	o, ok := offsets.Lookup(topic, partition)
	if !ok {
		return 0, fmt.Errorf("listing offsets of %s/%d: %w", topic, partition, ErrNoTopic)
	}
	if o.Err != nil {
		return 0, fmt.Errorf("listing offsets of %s/%d: %w", topic, partition, o.Err)
	}
	return o.Offset, nil
}

// Ends returns the next offset of every partition of the topics, in partition order.
func (t *Topics) Ends(ctx context.Context, topics ...string) (map[string][]int64, error) {
	listed, err := t.adm.ListEndOffsets(ctx, topics...)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("listing end offsets of %v: %w", topics, err)
	}
	out := make(map[string][]int64, len(topics))
	for topic, parts := range listed {
		ends := make([]int64, len(parts))
		for p, o := range parts {
			if int(p) < len(ends) {
				ends[p] = o.Offset
			}
		}
		out[topic] = slices.Clip(ends)
	}
	return out, nil
}

// Close implements goka.TopicManager; the connections belong to the client's owner.
func (t *Topics) Close() error { return nil }
