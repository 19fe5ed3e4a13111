package bench

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tideline/tideline/processors"
	"github.com/tideline/tideline/processors/plan"
	"github.com/tideline/tideline/processors/spec"
	"github.com/tideline/tideline/timeline/kafka"
)

const operatorStreams = `
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
  customers: {key: [id], columns: {id: bigint, name: text, tier: text}, order: log}
views:
  v:
    retention: forever
    sql: |
      `

// loadCustomers puts 1,000 customers before all orders.
func loadCustomers(b *testing.B, c kafka.Config) {
	b.Helper()
	cl := producer(b, c)
	ctx := context.Background()
	if err := kafka.NewTopics(cl, 0, 0).Ensure(ctx, "customers", partitions, kafka.Keep); err != nil {
		b.Fatal(err)
	}
	at := time.UnixMilli(1_699_999_999_000)
	for id := range 1000 {
		key := strconv.Itoa(id)
		cl.Produce(ctx, &kgo.Record{Topic: "customers", Key: []byte(key), Timestamp: at,
			Value:     fmt.Appendf(nil, `{"name":"customer %d","tier":"gold"}`, id),
			Partition: kafka.PartitionOf(key, partitions)}, nil)
	}
	if err := cl.Flush(ctx); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkOperators replays 600,000 changes through views that exchange rows.
func BenchmarkOperators(b *testing.B) {
	for name, sql := range map[string]string{
		"foreign-key": "SELECT o.id, o.status, c.name AS customer, o.total, p.amount AS paid " +
			"FROM orders o JOIN customers c ON c.id = o.customer_id LEFT JOIN payments p ON p.order_id = o.id",
		"group":  "SELECT customer_id, count(*) AS n, sum(total) AS s FROM orders GROUP BY customer_id",
		"global": "SELECT count(*) AS n, sum(amount) AS s FROM payments HAVING count(*) > 0",
	} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				c := broker(b)
				load(b, c)
				loadCustomers(b, c)
				p, err := spec.Parse("bench", []byte(operatorStreams+sql+"\n"))
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
		})
	}
}
