package feed

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/align"
)

// model is deliveries the dumb way.
type model struct {
	all     []delivery
	settled int // watermarks up to here have been settled
}

func (m *model) done(n int64) (released []delivery, settled []timeline.Time) {
	if n < 0 || n >= int64(len(m.all)) || m.all[n].marked {
		return nil, nil
	}
	m.all[n].marked = true
	for ; m.settled < len(m.all) && m.all[m.settled].marked; m.settled++ {
		if v := m.all[m.settled]; v.isWatermark {
			settled = append(settled, v.watermark)
		}
	}
	return []delivery{m.all[n]}, settled
}

// Marks in any order, twice, and of what was never delivered: a watermark settles once
// everything before it is marked, and not before.
func TestDeliveriesAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var d deliveries
		var m model
		mark := func(n int64) {
			var released []delivery
			var settled []timeline.Time
			d.done(n, func(v delivery) { released = append(released, v) },
				func(at timeline.Time) { settled = append(settled, at) })
			wantReleased, wantSettled := m.done(n)
			if !slices.Equal(released, wantReleased) || !slices.Equal(settled, wantSettled) {
				t.Fatalf("mark of %d: released %v, settled %v, want %v, %v",
					n, released, settled, wantReleased, wantSettled)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"deliver": func(t *rapid.T) {
				for range rapid.IntRange(1, 600).Draw(t, "count") {
					n := int64(len(m.all))
					v := delivery{ref: align.Ref(n), hasRef: true}
					if n%7 == 0 {
						v = delivery{isWatermark: true, watermark: timeline.Time(n)}
					}
					if got := d.add(v); got != n {
						t.Fatalf("delivery %d has number %d", n, got)
					}
					m.all = append(m.all, v)
				}
			},
			"mark some": func(t *rapid.T) {
				for range 20 {
					mark(rapid.Int64Range(-2, int64(len(m.all))+2).Draw(t, "number"))
				}
			},
			"mark a run": func(t *rapid.T) {
				from := rapid.Int64Range(0, int64(len(m.all))).Draw(t, "from")
				to := min(int64(len(m.all)), from+rapid.Int64Range(0, 3000).Draw(t, "length"))
				for n := from; n < to; n++ {
					mark(n)
				}
			},
			"mark from the front": func(t *rapid.T) {
				to := rapid.Int64Range(0, int64(len(m.all))).Draw(t, "to")
				for n := int64(m.settled); n < to; n++ {
					mark(n)
				}
			},
		})
	})
}

// What is settled does not stay in memory.
func TestDeliveriesForgetWhatIsDone(t *testing.T) {
	var d deliveries
	ignore, never := func(delivery) {}, func(timeline.Time) {}
	for range 100_000 {
		d.done(d.add(delivery{}), ignore, never)
	}
	if len(d.ring) > 4096 {
		t.Errorf("%d deliveries are kept, none is open", len(d.ring))
	}
}
