package views

import (
	"testing"
	"time"

	"github.com/lovoo/goka"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/catalog"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/timeline/wire"
)

// updateContext is goka's context of a record of partition p.
type updateContext struct {
	goka.UpdateContext
	p int32
}

func (c updateContext) Partition() int32 { return c.p }

// TestHorizonIsTheViews: a partition that is ahead keeps what the view, held back by
// another, can still be asked for.
func TestHorizonIsTheViews(t *testing.T) {
	cat := catalog.View{
		Name: "v", Table: "v-table", Partitions: 2, Key: []string{"id"},
		Columns: []catalog.Column{{Name: "id", Type: "bigint"}, {Name: "x", Type: "bigint"}},
	}
	schema, err := cat.Schema()
	if err != nil {
		t.Fatal(err)
	}
	const second = timeline.Time(1e6)
	v := newView(&catalog.Catalog{}, cat, schema, t.TempDir())
	v.retention = timeline.Duration(50 * time.Second)
	for p := range int32(2) {
		s, err := v.openStore("", p)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
	}
	put := func(p int32, key string, value []byte) {
		t.Helper()
		if err := v.update(updateContext{p: p}, v.part(p), key, value); err != nil {
			t.Fatal(err)
		}
	}
	watermark := func(p int32, at timeline.Time) {
		put(p, wire.WatermarkKey(p), wire.AppendWatermark(nil, wire.Watermark{At: at, Sender: p}))
	}
	for i := range timeline.Time(10) {
		put(0, "1", wire.AppendVersion(nil, wire.Version{
			Stamp: timeline.Stamp{At: i * 10 * second},
			Row:   row.AppendRow(nil, row.Row{int64(1), int64(i)}),
		}))
	}
	watermark(0, 100*second)
	watermark(1, 10*second)
	watermark(0, 101*second)
	if err := v.part(0).Flush(); err != nil {
		t.Fatal(err)
	}
	if h := v.part(0).Horizon(); h > 10*second-v.retention {
		t.Errorf("partition 0 forgot up to %s; the view is at %s", h, 10*second)
	}
	watermark(1, 90*second)
	watermark(0, 102*second)
	if h := v.part(0).Horizon(); h != 90*second-v.retention {
		t.Errorf("horizon of partition 0 is %s, want %s", h, 90*second-v.retention)
	}
}
