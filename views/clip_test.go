package views

import (
	"errors"
	"fmt"
	"testing"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/catalog"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/timeline/wire"
)

// retained is a view of one partition that keeps 50 µs, with versions of key 1 at 10, 20,
// …, 90 and a watermark of 100; key 2 was written at 10 and deleted at 20. Values go up
// by one every 20 µs, so that each comes twice.
func retained(t *testing.T) *View {
	t.Helper()
	cat := catalog.View{
		Name: "v", Table: "v-table", Partitions: 1, Key: []string{"id"}, Retention: 50_000,
		Columns: []catalog.Column{{Name: "id", Type: "bigint"}, {Name: "x", Type: "bigint"}},
	}
	schema, err := cat.Schema()
	if err != nil {
		t.Fatal(err)
	}
	v := newView(&catalog.Catalog{}, cat, schema, t.TempDir())
	s, err := v.openStore("", 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	put := func(key string, value []byte) {
		t.Helper()
		if err := v.part(0).Set(key, value); err != nil {
			t.Fatal(err)
		}
	}
	version := func(id, x int64, at timeline.Time) {
		put(fmt.Sprint(id), wire.AppendVersion(nil, wire.Version{
			Stamp: timeline.Stamp{At: at}, Deleted: x < 0,
			Row: row.AppendRow(nil, row.Row{id, x}),
		}))
	}
	for i := range int64(9) {
		version(1, i/2, timeline.Time(10+10*i))
	}
	version(2, 1, 10)
	version(2, -1, 20)
	mark := wire.AppendWatermark(nil, wire.Watermark{At: 100})
	put(wire.WatermarkKey(0), mark)
	return v
}

// What is read goes back to the horizon and is the same whatever has been pruned.
func TestHistoryBeginsAtTheHorizon(t *testing.T) {
	const want = "[[50,70) [1 2] [70,90) [1 3] [90,+inf) [1 4]]"
	for _, pruned := range []timeline.Time{timeline.MinTime, 30, 45, 50} {
		v := retained(t)
		if err := v.part(0).SetHorizon(pruned); err != nil {
			t.Fatal(err)
		}
		show := func(h []Version) string {
			var out []string
			for _, x := range h {
				out = append(out, fmt.Sprintf("[%d,%d) %v", x.From, x.To, x.Row))
				if x.To == timeline.MaxTime {
					out[len(out)-1] = fmt.Sprintf("[%d,+inf) %v", x.From, x.Row)
				}
			}
			return fmt.Sprint(out)
		}
		h, _, err := v.History(t.Context(), "1", timeline.MinTime, timeline.MaxTime)
		if got := show(h); err != nil || got != want {
			t.Errorf("pruned to %d: history %s, %v, want %s", pruned, got, err, want)
		}
		if h, _, err := v.History(t.Context(), "2", 0, 200); err != nil || len(h) > 0 {
			t.Errorf("pruned to %d: history of what was deleted: %v, %v", pruned, h, err)
		}
		_, err = v.Histories(t.Context(), Range{}, func(key string, h []Version) (bool, error) {
			if got := show(h); key != "1" || got != want {
				t.Errorf("pruned to %d: histories have %s under %s", pruned, got, key)
			}
			return true, nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// The horizon may pass the instant of a read after it has been fixed: the answer is that
// the history is gone, not that there was no row.
func TestReadsTheHorizonOvertakes(t *testing.T) {
	v := retained(t)
	v.retention = 0 // so that the read's instant is thought to be there
	if err := v.part(0).SetHorizon(60); err != nil {
		t.Fatal(err)
	}
	ctx, at := t.Context(), AsOf(55)
	ignore := func(row.Row) (bool, error) { return true, nil }
	ignoreHistory := func(string, []Version) (bool, error) { return true, nil }
	for name, read := range map[string]func() error{
		"get":  func() error { _, _, _, err := v.Get(ctx, "1", at); return err },
		"scan": func() error { _, err := v.Scan(ctx, Range{}, ignore, at); return err },
		"scan of nothing": func() error {
			_, err := v.Scan(ctx, Range{From: []row.Value{int64(7)}}, ignore, at)
			return err
		},
		"history":   func() error { _, _, err := v.History(ctx, "1", 0, 90, at); return err },
		"histories": func() error { _, err := v.Histories(ctx, Range{}, ignoreHistory, at); return err },
	} {
		var gone *GoneError
		if err := read(); !errors.As(err, &gone) || gone.Horizon != 60 || gone.Asked != 55 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
