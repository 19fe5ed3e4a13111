package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/kafka"
	"github.com/tideline/tideline/timeline/kafka/embedded"
	"github.com/tideline/tideline/timeline/wire"
)

// brokers is the Kafka that TIDELINE_BROKERS names, or an embedded broker.
func brokers(t *testing.T) kafka.Config {
	t.Helper()
	if list := os.Getenv("TIDELINE_BROKERS"); list != "" {
		return kafka.Config{Brokers: strings.Split(list, ",")}
	}
	b, err := embedded.Start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return kafka.Config{Brokers: b.Addrs()}
}

// unique names a topic that no other run of the test has used.
func unique(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("%s-%x", t.Name(), rand.Uint64())
}

func client(t *testing.T, c kafka.Config) *kgo.Client {
	t.Helper()
	cl, err := c.NewClient()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// The vectors are those of Kafka's own UtilsTest.
func TestMurmur2IsKafkas(t *testing.T) {
	for key, want := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536,
		"a-little-bit-longer-string":                       -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
		"abc": 479470107,
	} {
		if got := int32(kafka.Murmur2([]byte(key))); got != want {
			t.Errorf("murmur2 of %q is %d, not %d", key, got, want)
		}
	}
}

// goka hashes a key and takes the sum modulo the partitions; it must end where the
// producer puts the record. A watermark's key ends where it says.
func TestHasherAgreesWithPartitionOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 200).Draw(t, "partitions")
		key := rapid.String().Draw(t, "key")
		want := kafka.PartitionOf(key, n)
		if rapid.Bool().Draw(t, "watermark") {
			want = rapid.Int32Range(0, int32(n-1)).Draw(t, "partition")
			key = wire.WatermarkKey(want)
		}
		h := kafka.NewHasher()
		if _, err := h.Write([]byte(key)); err != nil {
			t.Fatal(err)
		}
		got := int32(h.Sum32()) % int32(n)
		if got != want || kafka.PartitionOf(key, n) != want {
			t.Fatalf("key %q of %d partitions: goka %d, producer %d, want %d",
				key, n, got, kafka.PartitionOf(key, n), want)
		}
	})
}

func TestTopicsAreMadeOnceAndKeepHistory(t *testing.T) {
	ctx, c := t.Context(), brokers(t)
	topics := kafka.NewTopics(client(t, c), 0, 48*time.Hour)
	name := unique(t)
	if _, err := topics.Count(ctx, name); !errors.Is(err, kafka.ErrNoTopic) {
		t.Errorf("counting a topic that is not there: %v", err)
	}
	for range 2 {
		if err := topics.Ensure(ctx, name, 3, kafka.Compact); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := topics.Count(ctx, name); n != 3 || err != nil {
		t.Errorf("it has %d partitions, %v", n, err)
	}
	err := topics.Ensure(ctx, name, 4, kafka.Compact)
	if err == nil || !strings.Contains(err.Error(), "has 3 partitions, the pipeline needs 4") {
		t.Errorf("another count is taken: %v", err)
	}
	found, err := topics.Admin().DescribeTopicConfigs(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{}
	for _, s := range found[0].Configs {
		settings[s.Key] = s.MaybeValue()
	}
	for key, want := range map[string]string{
		"cleanup.policy": "compact", "retention.ms": "-1", "min.compaction.lag.ms": "172800000",
	} {
		if settings[key] != want {
			t.Errorf("%s is %q, not %q", key, settings[key], want)
		}
	}
}

// produce writes through goka's interface and waits for each acknowledgement.
func produce(t *testing.T, c kafka.Config, topic string, records map[string][]byte) {
	t.Helper()
	p, err := kafka.NewProducer(c)
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Builder()(nil, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, len(records))
	for key, value := range records {
		out.Emit(topic, key, value).Then(func(err error) { failed <- err })
	}
	for range records {
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
	}
	if p.Written() != int64(len(records)) {
		t.Errorf("%d of %d records are counted as written", p.Written(), len(records))
	}
	if err := errors.Join(out.Close(), p.Close(context.WithoutCancel(t.Context()))); err != nil {
		t.Fatal(err)
	}
}

// Records stand where their key belongs and carry their event time.
func TestRecordsStandWhereTheyBelong(t *testing.T) {
	ctx, c := t.Context(), brokers(t)
	topic := unique(t)
	topics := kafka.NewTopics(client(t, c), 0, 0)
	if err := topics.Ensure(ctx, topic, 5, kafka.Keep); err != nil {
		t.Fatal(err)
	}
	at := timeline.FromMillis(1_700_000_000_123)
	records := map[string][]byte{}
	for i := range 200 {
		records[fmt.Sprint("key-", i)] = wire.AppendVersion(nil, wire.Version{
			Stamp: timeline.Stamp{At: at + timeline.Time(i)*1000}, Row: []byte{byte(i)},
		})
	}
	for p := range int32(5) {
		records[wire.WatermarkKey(p)] = wire.AppendWatermark(nil, wire.Watermark{At: at, Sender: p})
	}
	produce(t, c, topic, records)
	seen := 0
	err := kafka.ReadAll(ctx, c, topic, func(r *kgo.Record) error {
		seen++
		key := string(r.Key)
		if want := kafka.PartitionOf(key, 5); r.Partition != want {
			t.Errorf("key %q stands in partition %d, not %d", key, r.Partition, want)
		}
		stamp, _ := wire.EventTime(records[key])
		if string(r.Value) != string(records[key]) || !r.Timestamp.Equal(stamp.Time()) {
			t.Errorf("key %q came back as %x at %v", key, r.Value, r.Timestamp)
		}
		return nil
	})
	if err != nil || seen != len(records) {
		t.Errorf("read %d of %d records: %v", seen, len(records), err)
	}
	ends, err := topics.Ends(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	for p, end := range ends[topic] {
		newest, err := topics.GetOffset(topic, int32(p), sarama.OffsetNewest)
		oldest, err2 := topics.GetOffset(topic, int32(p), sarama.OffsetOldest)
		if newest != end || oldest != 0 || err != nil || err2 != nil {
			t.Errorf("partition %d goes from %d to %d, not 0 to %d: %v %v",
				p, oldest, newest, end, err, err2)
		}
	}
	err = kafka.ReadAll(ctx, c, unique(t), func(*kgo.Record) error { return nil })
	if !errors.Is(err, kafka.ErrNoTopic) {
		t.Errorf("reading a topic that is not there: %v", err)
	}
}

// A table is read whole, from any offset, again and again, however slowly goka takes it:
// more records wait than the reader keeps.
func TestTablesAreReadWhole(t *testing.T) {
	const total = 60_000
	ctx, c := t.Context(), brokers(t)
	topic := unique(t)
	cl := client(t, c)
	if err := kafka.NewTopics(cl, 0, 0).Ensure(ctx, topic, 1, kafka.Keep); err != nil {
		t.Fatal(err)
	}
	records := make([]*kgo.Record, total)
	for i := range records {
		records[i] = &kgo.Record{Topic: topic, Key: []byte(fmt.Sprint(i)), Value: []byte("x")}
	}
	if err := cl.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	tables, err := kafka.NewTables(c)
	if err != nil {
		t.Fatal(err)
	}
	defer tables.Shutdown()
	for _, from := range []int64{sarama.OffsetOldest, 12_345, total - 1} {
		checkTable(t, tables, topic, from, total)
	}
}

func checkTable(t *testing.T, tables *kafka.Tables, topic string, from, total int64) {
	t.Helper()
	consumer, err := tables.Builder()(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	part, err := consumer.ConsumePartition(topic, 0, from)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := consumer.ConsumePartition(topic, 0, from); err == nil {
		t.Error("one partition is read twice at once")
	}
	for want := max(0, from); want < total; want++ {
		m := <-part.Messages()
		if m.Offset != want || string(m.Key) != fmt.Sprint(want) {
			t.Fatalf("from %d: offset %d, key %q; want %d", from, m.Offset, m.Key, want)
		}
	}
	if high := part.HighWaterMarkOffset(); high != total {
		t.Errorf("high water mark %d, not %d", high, total)
	}
	if err := part.Close(); err != nil {
		t.Error(err)
	}
}

var _ goka.TopicManager = (*kafka.Topics)(nil)
