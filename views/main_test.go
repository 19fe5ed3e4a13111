package views_test

import (
	"context"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/catalog"
	"github.com/tideline/tideline/timeline/kafka"
	"github.com/tideline/tideline/timeline/kafka/embedded"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/timeline/wire"
	"github.com/tideline/tideline/views"
)

const (
	pipeline   = "till"
	partitions = 3
	sec        = timeline.Time(1_000_000)
)

// deadline is a context for what must come.
func deadline(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// bills is a view with a key of two columns.
func bills(retention time.Duration) catalog.View {
	return catalog.View{
		Name: "bills", Table: "till.bills-table", Partitions: partitions, Retention: retention,
		Columns: []catalog.Column{
			{Name: "shop", Type: "text"}, {Name: "id", Type: "bigint"},
			{Name: "total", Type: "decimal(10,2)"},
		},
		Key: []string{"shop", "id"},
	}
}

// table is a view's table topic, written as the view's stage would.
type table struct {
	t    testing.TB
	c    kafka.Config
	b    *embedded.Broker
	cl   *kgo.Client
	meta catalog.View
	n    uint64 // of the last stamp
}

// newTable starts a broker with a pipeline of one view.
func newTable(t testing.TB, meta catalog.View) *table {
	t.Helper()
	b, err := embedded.Start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	w := &table{t: t, c: kafka.Config{Brokers: b.Addrs()}, b: b, meta: meta}
	w.cl, err = w.c.NewClient(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.cl.Close)
	topics := kafka.NewTopics(w.cl, 0, 0)
	for topic, n := range map[string]int{meta.Table: meta.Partitions, catalog.Topic(pipeline): 1} {
		if err := topics.Ensure(deadline(t), topic, n, kafka.Compact); err != nil {
			t.Fatal(err)
		}
	}
	cat := catalog.Catalog{Pipeline: pipeline, Version: "0a1b", Views: []catalog.View{meta}}
	text, err := cat.Encode()
	if err != nil {
		t.Fatal(err)
	}
	w.write(&kgo.Record{Topic: catalog.Topic(pipeline), Key: []byte(catalog.Key), Value: text})
	return w
}

func (w *table) write(records ...*kgo.Record) {
	w.t.Helper()
	if err := w.cl.ProduceSync(deadline(w.t), records...).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

// version is the record of a row from at on; none if r is nil.
func (w *table) version(at timeline.Time, key string, r row.Row) *kgo.Record {
	w.n++
	v := wire.Version{Stamp: timeline.Stamp{At: at, N: w.n}, State: []byte{byte(w.n)}}
	if v.Deleted = r == nil; !v.Deleted {
		v.Row = row.AppendRow(nil, r)
	}
	return &kgo.Record{
		Topic: w.meta.Table, Key: []byte(key), Value: wire.AppendVersion(nil, v),
		Partition: kafka.PartitionOf(key, w.meta.Partitions),
	}
}

func (w *table) put(at timeline.Time, key string, r row.Row) {
	w.t.Helper()
	w.write(w.version(at, key, r))
}

// watermark makes everything up to at final, in one partition or in all.
func (w *table) watermark(at timeline.Time, q timeline.Quality, only ...int32) {
	w.t.Helper()
	if len(only) == 0 {
		for p := range int32(w.meta.Partitions) {
			only = append(only, p)
		}
	}
	for _, p := range only {
		w.write(&kgo.Record{
			Topic: w.meta.Table, Key: []byte(wire.WatermarkKey(p)), Partition: p,
			Value: wire.AppendWatermark(nil, wire.Watermark{At: at, Sender: p, Quality: q}),
		})
	}
}

func (w *table) config() views.Config { return views.Config{Kafka: w.c, Pipeline: pipeline} }

func (w *table) open() *views.View {
	w.t.Helper()
	v, err := views.Open(deadline(w.t), w.config(), w.meta.Name)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := v.Close(); err != nil {
			w.t.Error(err)
		}
	})
	return v
}

func bill(shop string, id int64, total string) row.Row {
	if total == "" {
		return row.Row{shop, id, nil}
	}
	return row.Row{shop, id, decimal.RequireFromString(total)}
}

func key(t testing.TB, vals ...any) string {
	t.Helper()
	k, err := views.Key(vals...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func same(a, b row.Row) bool {
	return string(row.AppendRow(nil, a)) == string(row.AppendRow(nil, b))
}
