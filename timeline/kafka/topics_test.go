package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tideline/tideline/timeline/kafka"
)

func TestEnsureSaysTheCure(t *testing.T) {
	ctx, c := deadline(t), brokers(t)
	topics, name := kafka.NewTopics(client(t, c), 0, 0), newTopic(t, c, 3)
	err := topics.Ensure(ctx, name, 5, kafka.Keep)
	want := "topic " + name + " has 3 partitions, the pipeline needs 5; " +
		"delete it, or state partitions: 3"
	if err == nil || err.Error() != want {
		t.Fatalf("mismatch: %v\nwant: %s", err, want)
	}
	none := unique(t)
	if err := topics.Ensure(ctx, none, 0, kafka.Keep); err == nil ||
		!strings.Contains(err.Error(), "creating topic "+none) {
		t.Fatalf("a topic that Kafka refuses to make: %v", err)
	}
}

func TestTopicsForgetNothingByTime(t *testing.T) {
	ctx, c := deadline(t), brokers(t)
	cl := client(t, c)
	for _, test := range []struct {
		name   string
		topics *kafka.Topics
		c      kafka.Cleanup
		want   map[string]string
	}{
		{"stream", kafka.NewTopics(cl, 0, time.Hour), kafka.Keep,
			map[string]string{"retention.ms": "-1"}},
		{"table", kafka.NewTopics(cl, 1, time.Hour), kafka.Compact, map[string]string{
			"retention.ms": "-1", "cleanup.policy": "compact", "min.compaction.lag.ms": "3600000"}},
		{"forever", kafka.NewTopics(cl, 0, 0), kafka.Compact, map[string]string{
			"retention.ms": "-1", "cleanup.policy": "compact",
			"min.compaction.lag.ms": "9223372036854775807"}},
	} {
		name := unique(t)
		if err := test.topics.Ensure(ctx, name, 1, test.c); err != nil {
			t.Fatal(err)
		}
		configs, err := test.topics.Admin().DescribeTopicConfigs(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, kv := range configs[0].Configs {
			got[kv.Key] = kv.MaybeValue()
		}
		for k, v := range test.want {
			if got[k] != v {
				t.Errorf("topic %s has %s=%q, want %q", test.name, k, got[k], v)
			}
		}
	}
}

// What goka asks of its topic manager.
func TestTopicsAsGokaTopicManager(t *testing.T) {
	c := brokers(t)
	cl := manual(t, c)
	table, stream, nowhere := unique(t), unique(t), unique(t)
	m, err := kafka.NewTopics(cl, 0, 0).Builder()(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(m.EnsureTableExists(table, 2), m.EnsureStreamExists(stream, 2),
		m.EnsureTopicExists(unique(t), 2, 1, nil)); err != nil {
		t.Fatal(err)
	}
	if parts, err := m.Partitions(table); err != nil || !slices.Equal(parts, []int32{0, 1}) {
		t.Fatalf("Partitions = %v, %v", parts, err)
	}
	if _, err := m.Partitions(nowhere); !errors.Is(err, kafka.ErrNoTopic) {
		t.Fatalf("partitions of a topic that is not there: %v", err)
	}
	write(t, cl, stream, 1, 0, 7)
	for _, test := range []struct {
		partition int32
		at, want  int64
	}{
		{1, sarama.OffsetOldest, 0}, {1, sarama.OffsetNewest, 7}, {0, sarama.OffsetNewest, 0},
		{1, 0, 0}, // the first record not before the epoch
	} {
		got, err := m.GetOffset(stream, test.partition, test.at)
		if err != nil || got != test.want {
			t.Errorf("GetOffset(%d, %d) = %d, %v, want %d",
				test.partition, test.at, got, err, test.want)
		}
	}
	for topic, p := range map[string]int32{stream: 9, nowhere: 0} {
		if _, err := m.GetOffset(topic, p, sarama.OffsetNewest); err == nil {
			t.Errorf("there is an offset for %s/%d", topic, p)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	ends, err := kafka.NewTopics(cl, 0, 0).Ends(deadline(t), stream, table)
	if err != nil || !slices.Equal(ends[stream], []int64{0, 7}) ||
		!slices.Equal(ends[table], []int64{0, 0}) {
		t.Fatalf("Ends = %v, %v", ends, err)
	}
	if ends, err := kafka.NewTopics(cl, 0, 0).Ends(deadline(t), nowhere); err == nil {
		t.Fatalf("Ends of a topic that is not there = %v", ends)
	}
}

func TestReadAllStopsAtTheEndOfTheCall(t *testing.T) {
	ctx, c := deadline(t), brokers(t)
	log, cl := newTopic(t, c, 3), manual(t, c)
	read := func(from map[int32]int64, each func()) (map[int32][]string, error) {
		got := map[int32][]string{}
		err := kafka.ReadFrom(ctx, c, log, from, func(r *kgo.Record) error {
			got[r.Partition] = append(got[r.Partition], string(r.Value))
			each()
			return nil
		})
		return got, err
	}
	nothing := func() {}
	if got, err := read(nil, nothing); err != nil || len(got) > 0 {
		t.Fatalf("an empty topic holds %v, %v", got, err)
	}
	write(t, cl, log, 0, 0, 3)
	write(t, cl, log, 2, 0, 2)
	grow := func() { write(t, cl, log, 0, 90, 91) }
	got, err := read(nil, grow)
	if want := "map[0:[0 1 2] 2:[0 1]]"; err != nil || fmt.Sprint(got) != want {
		t.Fatalf("read %v, %v, want %s", got, err, want)
	}
	got, err = read(map[int32]int64{0: 2, 2: 50}, nothing)
	if want := "map[0:[2 90 90 90 90 90]]"; err != nil || fmt.Sprint(got) != want {
		t.Fatalf("read %v, %v, want %s", got, err, want)
	}
	// What retention has taken is left out.
	var cut kadm.Offsets
	cut.AddOffset(log, 0, 7, -1)
	if _, err := kadm.NewClient(cl).DeleteRecords(ctx, cut); err != nil {
		t.Fatal(err)
	}
	got, err = read(map[int32]int64{2: 1}, nothing)
	if want := "map[0:[90] 2:[1]]"; err != nil || fmt.Sprint(got) != want {
		t.Fatalf("read %v, %v, want %s", got, err, want)
	}
}

func TestReadAllErrors(t *testing.T) {
	c := brokers(t)
	log := newTopic(t, c, 1)
	write(t, manual(t, c), log, 0, 0, 3)
	mine, calls := errors.New("enough"), 0
	err := kafka.ReadAll(deadline(t), c, log, func(*kgo.Record) error { calls++; return mine })
	if !errors.Is(err, mine) || calls != 1 || !strings.Contains(err.Error(), log) {
		t.Errorf("after %d calls: %v", calls, err)
	}
	nop := func(*kgo.Record) error { return nil }
	if err := kafka.ReadAll(deadline(t), c, unique(t), nop); !errors.Is(err, kafka.ErrNoTopic) {
		t.Errorf("reading a topic that is not there: %v", err)
	}
	ctx, cancel := context.WithCancel(deadline(t))
	cancel()
	if err := kafka.ReadAll(ctx, c, log, nop); !errors.Is(err, context.Canceled) {
		t.Errorf("reading with a context that has ended: %v", err)
	}
	if err := kafka.ReadAll(ctx, kafka.Config{}, log, nop); err == nil ||
		!strings.Contains(err.Error(), "host:port") {
		t.Errorf("reading without brokers: %v", err)
	}
}

func TestAway(t *testing.T) {
	for _, err := range []error{
		io.EOF, context.DeadlineExceeded, kerr.NotLeaderForPartition, kerr.CoordinatorNotAvailable,
	} {
		if !kafka.Away(fmt.Errorf("asking: %w", err)) {
			t.Errorf("%v is not taken for a broker that is away", err)
		}
	}
	for _, err := range []error{nil, errors.New("x"), kerr.TopicAuthorizationFailed, context.Canceled} {
		if kafka.Away(err) {
			t.Errorf("%v is taken for a broker that is away", err)
		}
	}
}
