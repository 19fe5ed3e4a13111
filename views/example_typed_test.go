package views_test

import (
	"context"
	"fmt"
	"log"

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

// Bill is a row of the view, as the program wants it.
type Bill struct {
	ID    int64
	Total *decimal.Decimal // null while nothing has been rung up
}

// Opening a view and reading it as values of a type of one's own.
func ExampleAs() {
	ctx := context.Background()
	brokers, stop := runningPipeline(ctx)
	defer stop()

	v, err := views.Open(ctx, views.Config{Kafka: brokers, Pipeline: "till"}, "bills")
	check(err)
	defer v.Close()
	bills, err := views.As[Bill](v)
	check(err)

	k, err := views.Key(2)
	check(err)
	b, found, answer, err := bills.Get(ctx, k)
	check(err)
	fmt.Println("bill", b.ID, found, b.Total, "as of", answer.AsOf)

	// The others at the same instant.
	_, err = bills.Scan(ctx, views.Range{}, func(b Bill) (bool, error) {
		fmt.Println("bill", b.ID, b.Total)
		return true, nil
	}, views.AsOf(answer.AsOf))
	check(err)
	// Output:
	// bill 2 true 7.25 as of 2025-06-02T09:00:00Z
	// bill 1 <nil>
	// bill 2 7.25
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// runningPipeline stands for a pipeline that has filled its view: it writes what one
// would have written.
func runningPipeline(ctx context.Context) (kafka.Config, func()) {
	broker, err := embedded.Start("")
	check(err)
	c := kafka.Config{Brokers: broker.Addrs()}
	cl, err := c.NewClient()
	check(err)
	defer cl.Close()
	topics := kafka.NewTopics(cl, 0, 0)
	check(topics.Ensure(ctx, catalog.Topic("till"), 1, kafka.Compact))
	check(topics.Ensure(ctx, "till.bills-table", 1, kafka.Compact))
	cat := catalog.Catalog{Pipeline: "till", Views: []catalog.View{{
		Name: "bills", Table: "till.bills-table", Partitions: 1, Key: []string{"id"},
		Columns: []catalog.Column{{Name: "id", Type: "bigint"}, {Name: "total", Type: "decimal(8,2)"}},
	}}}
	text, err := cat.Encode()
	check(err)
	nine, err := timeline.ParseTime("2025-06-02T09:00:00Z", 0)
	check(err)
	bill := func(key string, r row.Row) *kgo.Record {
		v := wire.Version{Stamp: timeline.Stamp{At: nine}, Row: row.AppendRow(nil, r)}
		return &kgo.Record{
			Topic: "till.bills-table", Key: []byte(key), Value: wire.AppendVersion(nil, v),
		}
	}
	check(cl.ProduceSync(ctx,
		&kgo.Record{Topic: catalog.Topic("till"), Key: []byte(catalog.Key), Value: text},
		bill("1", row.Row{int64(1), nil}),
		bill("2", row.Row{int64(2), decimal.RequireFromString("7.25")}),
		&kgo.Record{
			Topic: "till.bills-table", Key: []byte(wire.WatermarkKey(0)),
			Value: wire.AppendWatermark(nil, wire.Watermark{At: nine}),
		},
	).FirstErr())
	return c, broker.Close
}
