package processors_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tideline/tideline/processors"
	"github.com/tideline/tideline/processors/spec"
	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/kafka"
	"github.com/tideline/tideline/timeline/kafka/embedded"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/views"
)

// Shelf is a row of the view, as the program wants it.
type Shelf struct {
	ID     string
	Name   string
	OnHand *int64 `column:"on_hand"` // null while nobody has counted
}

// pipeline declares what a pipeline file would.
func pipeline() *spec.Pipeline {
	text, bigint := row.Type{Kind: row.Text}, row.Type{Kind: row.Bigint}
	return &spec.Pipeline{
		Name: "store",
		Streams: []spec.Stream{{
			Name: "products",
			Schema: row.Schema{
				Columns: []row.Column{{Name: "id", Type: text}, {Name: "name", Type: text}},
				Key:     []int{0},
			},
		}, {
			Name: "stock",
			Schema: row.Schema{
				Columns: []row.Column{{Name: "id", Type: text}, {Name: "on_hand", Type: bigint}},
				Key:     []int{0},
			},
			Disordered: true, Lateness: 2 * time.Second,
		}},
		Views: []spec.View{{
			Name: "shelf",
			SQL: `SELECT p.id, p.name, s.on_hand
			      FROM products p LEFT JOIN stock s ON s.id = p.id`,
			Forever: true,
		}},
	}
}

// replay runs the pipeline over what the topics hold now. Without UntilEnd it would run
// until ctx ends.
func replay(ctx context.Context, brokers kafka.Config, dir string) error {
	p, err := processors.Build(ctx, brokers, pipeline())
	if err != nil {
		return err
	}
	r, err := processors.New(p, processors.Options{Kafka: brokers, Dir: dir, UntilEnd: true})
	if err != nil {
		return err
	}
	return r.Run(ctx)
}

// read asks for one row at two instants.
func read(ctx context.Context, brokers kafka.Config, first, second timeline.Time) error {
	v, err := views.Open(ctx, views.Config{Kafka: brokers, Pipeline: "store"}, "shelf")
	if err != nil {
		return err
	}
	defer v.Close()
	shelves, err := views.As[Shelf](v)
	if err != nil {
		return err
	}
	for _, at := range []timeline.Time{first, second} {
		s, found, answer, err := shelves.Get(ctx, "p1", views.AsOf(at), views.Wait(time.Second))
		if err != nil {
			return err
		}
		if found && s.OnHand != nil {
			fmt.Printf("as of %s: %d of %s\n", answer.AsOf, *s.OnHand, s.Name)
		}
	}
	return nil
}

// A pipeline built in Go, run over recorded changes and read at two instants.
func Example() {
	ctx := context.Background()
	broker, err := embedded.Start("")
	check(err)
	defer broker.Close()
	brokers := kafka.Config{Brokers: broker.Addrs()}
	dir, err := os.MkdirTemp("", "store-")
	check(err)
	defer os.RemoveAll(dir)

	nine := time.Date(2025, 6, 2, 9, 0, 0, 0, time.UTC)
	ten := nine.Add(time.Hour)
	check(produce(ctx, brokers,
		change("products", "p1", `{"name":"lamp"}`, nine),
		change("stock", "p1", `{"on_hand":5}`, nine),
		change("stock", "p1", `{"on_hand":3}`, ten),
	))
	check(replay(ctx, brokers, dir))
	check(read(ctx, brokers, timeline.FromTime(nine), timeline.FromTime(ten)))
	// Output:
	// as of 2025-06-02T09:00:00Z: 5 of lamp
	// as of 2025-06-02T10:00:00Z: 3 of lamp
}

func change(topic, key, value string, at time.Time) *kgo.Record {
	return &kgo.Record{Topic: topic, Key: []byte(key), Value: []byte(value), Timestamp: at}
}

// produce writes records to topics that it makes.
func produce(ctx context.Context, brokers kafka.Config, records ...*kgo.Record) error {
	cl, err := brokers.NewClient()
	if err != nil {
		return err
	}
	defer cl.Close()
	topics := kafka.NewTopics(cl, 0, 0)
	for _, r := range records {
		if err := topics.Ensure(ctx, r.Topic, 1, kafka.Keep); err != nil {
			return err
		}
	}
	return cl.ProduceSync(ctx, records...).FirstErr()
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
