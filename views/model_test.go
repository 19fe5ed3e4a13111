package views_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/views"
)

// change is a version as the model keeps it.
type change struct {
	shop string
	id   int64
	at   timeline.Time
	r    row.Row // nil: deleted
}

var shops = []string{"a", "a\x00b", "aa", "b", ""}

// drawChanges makes changes of few keys at few instants with few values, so that
// neighbours are often equal and instants often shared. Times go up along a key.
func drawChanges(t *rapid.T) []change {
	out := make([]change, rapid.IntRange(100, 300).Draw(t, "changes"))
	for i := range out {
		c := &out[i]
		c.shop = rapid.SampledFrom(shops).Draw(t, "shop")
		c.id = rapid.Int64Range(-2, 4).Draw(t, "id")
		c.at = timeline.Time(rapid.Int64Range(0, 60).Draw(t, "at"))
		total := rapid.SampledFrom([]string{"-", "", "1.00", "2.00"}).Draw(t, "total")
		if total != "-" {
			c.r = bill(c.shop, c.id, total)
		}
	}
	slices.SortStableFunc(out, func(a, b change) int { return cmp.Compare(a.at, b.at) })
	return out
}

// model is a view the dumb way: all changes, in order.
type model struct {
	changes   []change
	watermark timeline.Time
}

// at returns a key's row at an instant.
func (m *model) at(shop string, id int64, at timeline.Time) row.Row {
	var r row.Row
	for _, c := range m.changes {
		if c.shop == shop && c.id == id && c.at <= at {
			r = c.r
		}
	}
	return r
}

// history returns the maximal intervals of a key's constant value, instant by instant.
func (m *model) history(shop string, id int64) []views.Version {
	var out []views.Version
	var last row.Row
	for at := timeline.Time(0); at <= m.watermark; at++ {
		r := m.at(shop, id, at)
		if r == nil == (last == nil) && (r == nil || same(r, last)) {
			continue
		}
		if last != nil {
			out[len(out)-1].To = at
		}
		if r != nil {
			out = append(out, views.Version{Row: r, From: at, To: timeline.MaxTime})
		}
		last = r
	}
	return out
}

// keys returns every key that the range admits, in order.
func (m *model) keys(r views.Range) [][]row.Value {
	compare := func(a, b []row.Value) int { return slices.CompareFunc(a, b, row.Compare) }
	var out [][]row.Value
	for _, shop := range shops {
		for id := int64(-2); id <= 4; id++ {
			k := []row.Value{shop, id}
			in := compare(k[:len(r.Prefix)], r.Prefix) == 0
			if len(r.Prefix) == 0 {
				in = (r.From == nil || compare(k, r.From) >= 0) && (r.To == nil || compare(k, r.To) < 0)
			}
			if in {
				out = append(out, k)
			}
		}
	}
	slices.SortFunc(out, compare)
	return out
}

func drawRange(t *rapid.T) (r views.Range) {
	bound := func(name string, least int) (out []row.Value) {
		n := rapid.IntRange(least, 2).Draw(t, name)
		for i := range n {
			if i == 0 {
				out = append(out, rapid.SampledFrom(append(shops, "zz")).Draw(t, "shop"))
			} else {
				out = append(out, rapid.Int64Range(-3, 5).Draw(t, "id"))
			}
		}
		return out
	}
	switch rapid.IntRange(0, 2).Draw(t, "range") {
	case 0:
		r.Prefix = bound("prefix", 1)
	case 1:
		r.From, r.To = bound("from", 0), bound("to", 0)
	}
	return r
}

func text(vs []views.Version) string {
	s := ""
	for _, v := range vs {
		s += fmt.Sprintf("[%d,%d) %v\n", v.From, v.To, v.Row)
	}
	return s
}

// TestAgainstModel reads a view of random changes, some of them not final yet, by key,
// by range and through time, and compares with the model.
func TestAgainstModel(t *testing.T) {
	for seed := range 3 {
		m := &model{changes: rapid.Custom(drawChanges).Example(seed), watermark: 50}
		w := newTable(t, bills(0))
		var records []*kgo.Record
		for _, c := range m.changes {
			records = append(records, w.version(c.at, key(t, c.shop, c.id), c.r))
		}
		w.write(records...)
		w.watermark(m.watermark, timeline.Exact)
		v := w.open()
		rapid.Check(t, func(t *rapid.T) { checkScan(t, m, v) })
		rapid.Check(t, func(t *rapid.T) { checkHistory(t, m, v) })
		rapid.Check(t, func(t *rapid.T) { checkHistories(t, m, v) })
	}
}

func checkScan(t *rapid.T, m *model, v *views.View) {
	at := timeline.Time(rapid.Int64Range(-1, 50).Draw(t, "as of"))
	r := drawRange(t)
	var want []row.Row
	for _, k := range m.keys(r) {
		shop, id := k[0].(string), k[1].(int64)
		r := m.at(shop, id, at)
		if r != nil {
			want = append(want, r)
		}
		k, err := views.Key(shop, id)
		if err != nil {
			t.Fatal(err)
		}
		got, found, _, err := v.Get(t.Context(), k, views.AsOf(at))
		if err != nil || found != (r != nil) || found && !same(got, r) {
			t.Fatalf("Get(%s) as of %d = %v, %v, %v, want %v", k, at, got, found, err, r)
		}
	}
	limit := rapid.IntRange(1, 40).Draw(t, "limit")
	var got []row.Row
	_, err := v.Scan(t.Context(), r, func(r row.Row) (bool, error) {
		got = append(got, slices.Clone(r))
		return len(got) < limit, nil
	}, views.AsOf(at))
	want = want[:min(limit, len(want))]
	if err != nil || !slices.EqualFunc(got, want, same) {
		t.Fatalf("scan of %+v as of %d: %v, %v\nwant %v", r, at, got, err, want)
	}
}

func checkHistory(t *rapid.T, m *model, v *views.View) {
	times := rapid.Custom(func(t *rapid.T) timeline.Time {
		return rapid.OneOf(
			rapid.Map(rapid.Int64Range(-2, 62), func(n int64) timeline.Time { return timeline.Time(n) }),
			rapid.SampledFrom([]timeline.Time{timeline.MinTime, timeline.MaxTime}),
		).Draw(t, "time")
	})
	shop := rapid.SampledFrom(shops).Draw(t, "shop")
	id := rapid.Int64Range(-2, 4).Draw(t, "id")
	from, to := times.Draw(t, "from"), times.Draw(t, "to")
	var want []views.Version
	for _, h := range m.history(shop, id) {
		if from < to && from <= m.watermark && h.From < to && h.To > from {
			want = append(want, h)
		}
	}
	k, err := views.Key(shop, id)
	if err != nil {
		t.Fatal(err)
	}
	got, a, err := v.History(t.Context(), k, from, to)
	if err != nil || a.AsOf != m.watermark || text(got) != text(want) {
		t.Fatalf("history of %s over [%d,%d): %v\n%swant\n%s", k, from, to, err, text(got), text(want))
	}
}

func checkHistories(t *rapid.T, m *model, v *views.View) {
	r := drawRange(t)
	var want, got string
	for _, k := range m.keys(r) {
		if h := m.history(k[0].(string), k[1].(int64)); len(h) > 0 {
			want += row.KeyText(k) + ":\n" + text(h)
		}
	}
	_, err := v.Histories(t.Context(), r, func(key string, h []views.Version) (bool, error) {
		got += key + ":\n" + text(h)
		return true, nil
	})
	if err != nil || got != want {
		t.Fatalf("histories of %+v: %v\n%swant\n%s", r, err, got, want)
	}
}
