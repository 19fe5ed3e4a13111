package bench

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/catalog"
	"github.com/tideline/tideline/timeline/kafka"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/timeline/wire"
	"github.com/tideline/tideline/views"
	"github.com/tideline/tideline/views/arrow"
)

const (
	viewKeys     = 200_000
	viewVersions = 20
)

// viewCatalog describes a view of six columns whose table topic the benchmark writes.
func viewCatalog() *catalog.Catalog {
	return &catalog.Catalog{Pipeline: "bench", Version: "00000000", Views: []catalog.View{{
		Name: "order_view", Table: "bench.order_view.0-table", Partitions: partitions,
		Columns: []catalog.Column{
			{Name: "id", Type: "bigint"}, {Name: "customer_id", Type: "bigint"},
			{Name: "status", Type: "text"}, {Name: "total", Type: "double"},
			{Name: "item", Type: "text"}, {Name: "paid", Type: "boolean"},
		},
		Key: []string{"id"},
	}}}
}

// writeTable fills the table topic: so many versions of each of so many keys.
func writeTable(b *testing.B, c kafka.Config, cat *catalog.Catalog, keys, versions int) {
	b.Helper()
	cl := producer(b, c)
	ctx := context.Background()
	topics := kafka.NewTopics(cl, 0, 0)
	v := cat.Views[0]
	if err := topics.Ensure(ctx, v.Table, partitions, kafka.Compact); err != nil {
		b.Fatal(err)
	}
	put := func(key string, value []byte, at timeline.Time) {
		r := &kgo.Record{Topic: v.Table, Key: []byte(key), Value: value, Timestamp: at.Time(),
			Partition: kafka.PartitionOf(key, partitions)}
		cl.Produce(ctx, r, func(_ *kgo.Record, err error) {
			if err != nil {
				b.Error(err)
			}
		})
	}
	const start = timeline.Time(1_700_000_000_000_000)
	at := start
	for n := range versions {
		for id := range keys {
			at += 100
			r := row.AppendRow(nil, row.Row{
				int64(id), int64(id % 1000), "shipped", float64(n) * 1.5, "sku-" + strconv.Itoa(id%5000), n%2 == 0,
			})
			put(strconv.Itoa(id), wire.AppendVersion(nil, wire.Version{
				Stamp: timeline.Stamp{At: at}, Row: r,
			}), at)
		}
	}
	for p := range int32(partitions) {
		put(wire.WatermarkKey(p), wire.AppendWatermark(nil, wire.Watermark{At: at, Sender: p}), at)
	}
	if err := cl.Flush(ctx); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkView recovers a view of 200,000 keys with 20 versions each from its table
// topic, reads points as of random instants, and exports it as Arrow.
func BenchmarkView(b *testing.B) {
	ctx := context.Background()
	for range b.N {
		c, cat := broker(b), viewCatalog()
		writeTable(b, c, cat, viewKeys, viewVersions)
		start := time.Now()
		v, err := views.OpenIn(ctx, views.Config{Kafka: c, Pipeline: "bench", Dir: b.TempDir()},
			cat, "order_view")
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(viewKeys*viewVersions/time.Since(start).Seconds(), "recovered-versions/s")
		pointReads(b, v)
		export(b, v, "-20-versions")
		if err := v.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func pointReads(b *testing.B, v *views.View) {
	b.Helper()
	const n = 200_000
	rnd := rand.New(rand.NewPCG(3, 4))
	end, _ := v.Watermark()
	begin := end - viewKeys*viewVersions*100
	keys, times := make([]string, n), make([]timeline.Time, n)
	for i := range n {
		keys[i] = strconv.Itoa(rnd.IntN(viewKeys))
		times[i] = begin + timeline.Time(rnd.Int64N(int64(end-begin)))
	}
	took := make([]time.Duration, n)
	start := time.Now()
	for i := range n {
		t := time.Now()
		if _, _, _, err := v.Get(context.Background(), keys[i], views.AsOf(times[i])); err != nil {
			b.Fatal(err)
		}
		took[i] = time.Since(t)
	}
	b.ReportMetric(n/time.Since(start).Seconds(), "as-of-reads/s")
	slices.Sort(took)
	b.ReportMetric(float64(took[n*99/100].Nanoseconds())/1e3, "read-p99-µs")
}

// BenchmarkExport exports a view of a million keys with two versions each.
func BenchmarkExport(b *testing.B) {
	for range b.N {
		c, cat := broker(b), viewCatalog()
		writeTable(b, c, cat, 1_000_000, 2)
		v, err := views.OpenIn(context.Background(),
			views.Config{Kafka: c, Pipeline: "bench", Dir: b.TempDir()}, cat, "order_view")
		if err != nil {
			b.Fatal(err)
		}
		export(b, v, "")
		if err := v.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func export(b *testing.B, v *views.View, suffix string) {
	b.Helper()
	at, quality := v.Watermark()
	name, version := v.Pipeline()
	meta := arrow.Meta{View: v.Name(), AsOf: at, Watermark: at, Quality: quality,
		Pipeline: name, PipelineVersion: version}
	stop := profile(b)
	start := time.Now()
	rows := exportFile(b, v, meta, filepath.Join(b.TempDir(), "view.arrow"))
	stop()
	b.ReportMetric(float64(rows)/time.Since(start).Seconds(), "arrow-rows/s"+suffix)
	start = time.Now()
	rows = exportFile(b, v, meta, filepath.Join(b.TempDir(), "view.parquet"))
	b.ReportMetric(float64(rows)/time.Since(start).Seconds(), "parquet-rows/s"+suffix)
}

func exportFile(b *testing.B, v *views.View, meta arrow.Meta, path string) int64 {
	b.Helper()
	ctx := context.Background()
	rows, _, err := v.Rows(ctx, views.Range{}, views.AsOf(meta.AsOf))
	if err != nil {
		b.Fatal(err)
	}
	rd := arrow.NewEncodedReader(ctx, memory.DefaultAllocator, v.Schema(), meta, rows, 0)
	defer rd.Release()
	n, err := arrow.WriteFile(ctx, path, rd, nil)
	if err != nil {
		b.Fatal(err)
	}
	return n
}
