package faulttest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tideline/tideline/processors"
	"github.com/tideline/tideline/timeline"
)

// export is everything that leaves a pipeline.
type export struct {
	history string
	letters string
	answers string
}

// export reads what the pipeline has to say, and audits it.
func (w *world) export() export {
	w.t.Helper()
	w.audit()
	e := export{history: w.history(), letters: strings.Join(w.letters(), "\n")}
	for _, ms := range []int64{0, 1_000, 60_000, 3_600_000} {
		e.answers += w.answers(timeline.FromMillis(epoch + ms))
	}
	return e
}

func (e export) equals(t *testing.T, want export) {
	t.Helper()
	if want.history == "" {
		t.Error("the undisturbed run has no history")
	}
	same(t, "history", e.history, want.history)
	same(t, "dead letters", e.letters, want.letters)
	same(t, "answers", e.answers, want.answers)
}

// undisturbed runs a pipeline over an input in one process, once, with n partitions.
func undisturbed(t *testing.T, pipeline string, n int, input []*kgo.Record) export {
	t.Helper()
	w := newWorld(t, pipeline, n)
	w.produce(copies(input)...)
	must(t, w.replay(processors.Options{}))
	return w.export()
}

// TestIdentity holds the export to the same bytes for every interleaving and every number
// of processes.
func TestIdentity(t *testing.T) {
	mix, recording := recorded(t, "keyjoin-mix")
	for _, c := range []struct {
		name, pipeline string
		input          []*kgo.Record
	}{
		{"recorded", mix, recording},
		{"generated", mixPipeline, generated(5_000, 1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := undisturbed(t, c.pipeline, 4, c.input)
			for n := 1; n <= 3; n++ {
				t.Run(fmt.Sprint(n, " processes"), func(t *testing.T) {
					w := newWorld(t, c.pipeline, 4)
					w.produce(shuffled(c.input, uint64(n))...)
					var all []*process
					for i := range n {
						all = append(all, spawn(t, fmt.Sprint(i), w.job(i, true)))
					}
					for _, p := range all {
						p.wait(t)
					}
					w.export().equals(t, want)
				})
			}
		})
	}
}
