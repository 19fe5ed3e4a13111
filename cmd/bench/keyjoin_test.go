package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/pprof"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/lovoo/goka/codec"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tideline/tideline/processors"
	"github.com/tideline/tideline/processors/plan"
	"github.com/tideline/tideline/processors/spec"
	"github.com/tideline/tideline/timeline/kafka"
	"github.com/tideline/tideline/timeline/kafka/embedded"
)

const (
	partitions = 4
	perTopic   = 300_000
	keys       = 50_000
)

const pipeline = `
pipeline: bench
streams:
  orders:
    key: [id]
    columns: {id: bigint, customer_id: bigint, status: text, total: "decimal(12,2)", item: text, note: text}
    order: log
  payments:
    key: [order_id]
    columns: {order_id: bigint, amount: "decimal(12,2)", method: text, state: text, ref: text}
    order: log
views:
  order_view:
    sql: |
      SELECT o.id, o.customer_id, o.status, o.total, p.amount, p.state
      FROM orders o LEFT JOIN payments p ON p.order_id = o.id
    retention: forever
`

func broker(b *testing.B) kafka.Config {
	b.Helper()
	br, err := embedded.Start(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(br.Close)
	return kafka.Config{Brokers: br.Addrs()}
}

func producer(b *testing.B, c kafka.Config) *kgo.Client {
	b.Helper()
	cl, err := c.NewClient(kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(cl.Close)
	return cl
}

// load fills both topics with rows of about 130 bytes, in event-time order.
func load(b *testing.B, c kafka.Config) {
	b.Helper()
	cl := producer(b, c)
	topics := kafka.NewTopics(cl, 0, 0)
	ctx := context.Background()
	for _, t := range []string{"orders", "payments"} {
		if err := topics.Ensure(ctx, t, partitions, kafka.Keep); err != nil {
			b.Fatal(err)
		}
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	start := time.UnixMilli(1_700_000_000_000)
	for i := range perTopic {
		at := start.Add(time.Duration(i) * 10 * time.Millisecond)
		for _, t := range []string{"orders", "payments"} {
			id := rnd.IntN(keys)
			key := strconv.Itoa(id)
			var v string
			if t == "orders" {
				v = fmt.Sprintf(`{"id":%d,"customer_id":%d,"status":"shipped","total":%d.%02d,`+
					`"item":"sku-%05d","note":"abcdefghijklmnopqrstuvwxyzabcd"}`,
					id, rnd.IntN(1000), rnd.IntN(10000), rnd.IntN(100), rnd.IntN(5000))
			} else {
				v = fmt.Sprintf(`{"order_id":%d,"amount":%d.%02d,"method":"card",`+
					`"state":"captured","ref":"abcdefghijklmnopqrstuvwxyzabcdefghij%06d"}`,
					id, rnd.IntN(10000), rnd.IntN(100), i)
			}
			r := &kgo.Record{Topic: t, Key: []byte(key), Value: []byte(v), Timestamp: at,
				Partition: kafka.PartitionOf(key, partitions)}
			cl.Produce(ctx, r, func(_ *kgo.Record, err error) {
				if err != nil {
					b.Error(err)
				}
			})
		}
	}
	if err := cl.Flush(ctx); err != nil {
		b.Fatal(err)
	}
}

// cpu returns the processor time of this process so far, broker included.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// profile writes a CPU profile if TIDELINE_PROFILE names a file.
func profile(b *testing.B) func() {
	name := os.Getenv("TIDELINE_PROFILE")
	if name == "" {
		return func() {}
	}
	f, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		b.Fatal(err)
	}
	return func() { pprof.StopCPUProfile(); f.Close() }
}

// BenchmarkKeyJoin replays two co-partitioned topics of 300,000 changes each into a view.
func BenchmarkKeyJoin(b *testing.B) {
	for range b.N {
		c := broker(b)
		load(b, c)
		p, err := spec.Parse("bench", []byte(pipeline))
		if err != nil {
			b.Fatal(err)
		}
		pl, err := plan.Build(p, func(string) (int, error) { return partitions, nil })
		if err != nil {
			b.Fatal(err)
		}
		r, err := processors.New(pl, processors.Options{Kafka: c, Dir: b.TempDir(), UntilEnd: true})
		if err != nil {
			b.Fatal(err)
		}
		stop := profile(b)
		start, used := time.Now(), cpu()
		if err := r.Run(context.Background()); err != nil {
			b.Fatal(err)
		}
		took := time.Since(start)
		stop()
		b.ReportMetric(2*perTopic/took.Seconds(), "changes/s")
		b.ReportMetric((cpu()-used).Seconds()*1e6/(2*perTopic), "cpu-s/Mchange")
	}
}

// BenchmarkPlainGoka is what Tideline is held against: goka with its own consumer,
// producer and storage counts the same records under the same keys.
func BenchmarkPlainGoka(b *testing.B) {
	for range b.N {
		c := broker(b)
		load(b, c)
		cfg := goka.DefaultConfig()
		cfg.Version = sarama.V2_8_0_0
		cfg.Consumer.Offsets.Initial = sarama.OffsetOldest
		goka.ReplaceGlobalConfig(cfg)
		tm := goka.NewTopicManagerConfig()
		tm.Table.Replication = 1
		var n atomic.Int64
		done := make(chan struct{})
		count := func(ctx goka.Context, _ any) {
			v, _ := ctx.Value().(int64)
			ctx.SetValue(v + 1)
			if n.Add(1) == 2*perTopic {
				close(done)
			}
		}
		g := goka.DefineGroup("plain",
			goka.Input("orders", new(codec.Bytes), count),
			goka.Input("payments", new(codec.Bytes), count),
			goka.Persist(new(codec.Int64)))
		proc, err := goka.NewProcessor(c.Brokers, g,
			goka.WithHasher(kafka.NewHasher),
			goka.WithTopicManagerBuilder(goka.TopicManagerBuilderWithTopicManagerConfig(tm)),
			goka.WithStorageBuilder(plainStorage(b.TempDir())))
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		start, used := time.Now(), cpu()
		failed := make(chan error, 1)
		go func() { failed <- proc.Run(ctx) }()
		select {
		case <-done:
		case err := <-failed:
			b.Fatal(err)
		}
		took := time.Since(start)
		b.ReportMetric(2*perTopic/took.Seconds(), "changes/s")
		b.ReportMetric((cpu()-used).Seconds()*1e6/(2*perTopic), "cpu-s/Mchange")
		cancel()
		<-failed
	}
}
