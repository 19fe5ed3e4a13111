package views_test

import (
	"context"
	"fmt"
	"time"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/kafka"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/views"
)

// Reading one row, as it stood at an instant.
func ExampleView_Get() {
	get := func(ctx context.Context, brokers []string, t timeline.Time) error {
		v, err := views.Open(ctx, views.Config{
			Kafka: kafka.Config{Brokers: brokers}, Pipeline: "till", Dir: "replica",
		}, "bills")
		if err != nil {
			return err
		}
		defer v.Close()
		row, found, answer, err := v.Get(ctx, "1", views.AsOf(t), views.Wait(time.Second))
		fmt.Println(row, found, answer.Watermark)
		return err
	}
	_ = get
}

// Several keys at one instant: the first read fixes it.
func ExampleAsOf() {
	both := func(ctx context.Context, v *views.View) error {
		first, _, answer, err := v.Get(ctx, "1")
		if err != nil {
			return err
		}
		second, _, _, err := v.Get(ctx, "2", views.AsOf(answer.AsOf))
		fmt.Println(first, second)
		return err
	}
	_ = both
}

// Reading one's own write: wait until the view has passed its event time.
func ExampleAtLeast() {
	after := func(ctx context.Context, v *views.View, written timeline.Time) error {
		row, found, _, err := v.Get(ctx, "1", views.AtLeast(written), views.Wait(5*time.Second))
		fmt.Println(row, found)
		return err
	}
	_ = after
}

// All rows in key order, and all versions of one row.
func ExampleView_Scan() {
	list := func(ctx context.Context, v *views.View) error {
		_, err := v.Scan(ctx, views.Range{}, func(r row.Row) (bool, error) {
			fmt.Println(r)
			return true, nil // false ends the scan
		})
		if err != nil {
			return err
		}
		versions, _, err := v.History(ctx, "1", timeline.MinTime, timeline.MaxTime)
		for _, ver := range versions {
			fmt.Println(ver.From, ver.To, ver.Row)
		}
		return err
	}
	_ = list
}
