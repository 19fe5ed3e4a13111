package faulttest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tideline/tideline/processors"
	"github.com/tideline/tideline/processors/feed"
	"github.com/tideline/tideline/processors/plan"
	"github.com/tideline/tideline/processors/spec"
	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/catalog"
	"github.com/tideline/tideline/timeline/kafka"
	"github.com/tideline/tideline/timeline/kafka/embedded"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/timeline/wire"
	"github.com/tideline/tideline/views"
)

// patience is how long a condition may take before the test gives up.
var patience = time.Minute + time.Duration(env("TIDELINE_KILLS", 0))*5*time.Second

// world is a broker with a pipeline's topics on it.
type world struct {
	t      *testing.T
	ctx    context.Context
	broker *kfake.Cluster
	k      kafka.Config
	cl     *kgo.Client // places records where they say
	adm    *kadm.Client
	tmp    string
	file   string
	spec   *spec.Pipeline
	failed atomic.Pointer[error] // why a live pipeline ended by itself
}

// newWorld starts a broker for the pipeline in text, with n partitions for each topic
// that it reads.
func newWorld(t *testing.T, text string, n int) *world {
	t.Helper()
	b, err := embedded.Start("")
	must(t, err)
	t.Cleanup(b.Close)
	w := inWorld(t, b.Cluster(), text)
	w.createTopics(n)
	return w
}

// inWorld is newWorld on a broker that runs already, and without topics.
func inWorld(t *testing.T, b *kfake.Cluster, text string) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	w := &world{
		t: t, ctx: ctx, broker: b, tmp: t.TempDir(), k: kafka.Config{Brokers: b.ListenAddrs()},
	}
	w.file = filepath.Join(w.tmp, "pipeline.yaml")
	must(t, os.WriteFile(w.file, []byte(text), 0o644))
	var err error
	w.spec, err = spec.Load(w.file)
	must(t, err)
	w.cl, err = w.k.NewClient(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	must(t, err)
	t.Cleanup(w.cl.Close)
	w.adm = kadm.NewClient(w.cl)
	return w
}

func (w *world) createTopics(n int) {
	w.t.Helper()
	for _, s := range w.spec.Streams {
		must(w.t, kafka.NewTopics(w.cl, 0, 0).Ensure(w.ctx, s.Topic, n, kafka.Keep))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// produce writes records where they say, in order.
func (w *world) produce(rs ...*kgo.Record) {
	w.t.Helper()
	must(w.t, w.cl.ProduceSync(w.ctx, rs...).FirstErr())
}

func (w *world) plan() *plan.Plan {
	w.t.Helper()
	p, err := processors.Build(w.ctx, w.k, w.spec)
	must(w.t, err)
	return p
}

// runner runs the pipeline in this process with options to taste.
func (w *world) runner(o processors.Options) *processors.Runner {
	w.t.Helper()
	o.Kafka = w.k
	if o.Dir == "" {
		o.Dir = filepath.Join(w.tmp, "local")
	}
	if o.CommitEvery == 0 {
		o.CommitEvery = 20 * time.Millisecond
	}
	if o.ClockEvery == 0 {
		o.ClockEvery = 20 * time.Millisecond
	}
	r, err := processors.New(w.plan(), o)
	must(w.t, err)
	return r
}

// replay runs the pipeline to the end of its inputs.
func (w *world) replay(o processors.Options) error {
	w.t.Helper()
	o.UntilEnd = true
	return w.runner(o).Run(w.ctx)
}

// live runs the pipeline until stop is called, which returns how it ended.
func (w *world) live(o processors.Options) (stop func() error) {
	w.t.Helper()
	r := w.runner(o)
	ctx, cancel := context.WithCancel(w.ctx)
	ended := make(chan error, 1)
	go func() {
		err := r.Run(ctx)
		if ctx.Err() == nil {
			w.failed.Store(&err)
		}
		ended <- err
	}()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-ended
	}
	w.t.Cleanup(func() { _ = stop() })
	return stop
}

// until returns when the condition holds.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-w.ctx.Done():
			w.t.Fatalf("waiting until %s: %v", what, w.ctx.Err())
		}
		if err := w.failed.Load(); err != nil {
			w.t.Fatalf("waiting until %s: the pipeline ended: %v", what, *err)
		}
	}
}

// status is what the stages have committed.
func (w *world) status() []feed.Status {
	w.t.Helper()
	var all []feed.Status
	for _, s := range w.plan().Stages {
		st, err := feed.FetchStatus(w.ctx, w.adm, s.Group)
		must(w.t, err)
		all = append(all, st...)
	}
	return all
}

// consumed says whether every stage has committed every record of the streams.
func (w *world) consumed() bool {
	streams := map[string]bool{}
	var names []string
	for _, s := range w.spec.Streams {
		streams[s.Topic] = true
		names = append(names, s.Topic)
	}
	ends, err := kafka.NewTopics(w.cl, 0, 0).Ends(w.ctx, names...)
	must(w.t, err)
	seen := map[string]bool{}
	for _, st := range w.status() {
		if !streams[st.Topic] {
			continue
		}
		seen[fmt.Sprint(st.Topic, st.Partition)] = true
		if st.Offset < ends[st.Topic][st.Partition] {
			return false
		}
	}
	n := 0
	for _, e := range ends {
		n += len(e)
	}
	return len(seen) == n
}

// history exports the history of every view as text: equal texts are equal bytes.
func (w *world) history() string {
	w.t.Helper()
	var b strings.Builder
	for _, pv := range w.spec.Views {
		v, err := views.Open(w.ctx, views.Config{Kafka: w.k, Pipeline: w.spec.Name}, pv.Name)
		must(w.t, err)
		_, err = v.Histories(w.ctx, views.Range{}, func(key string, h []views.Version) (bool, error) {
			for _, x := range h {
				fmt.Fprintf(&b, "%s %q %d %d %x\n", pv.Name, key, x.From, x.To, row.AppendRow(nil, x.Row))
			}
			return true, nil
		})
		must(w.t, errors.Join(err, v.Close()))
	}
	return b.String()
}

// answers reads every view as of an instant.
func (w *world) answers(at timeline.Time) string {
	w.t.Helper()
	var b strings.Builder
	for _, pv := range w.spec.Views {
		v, err := views.Open(w.ctx, views.Config{Kafka: w.k, Pipeline: w.spec.Name}, pv.Name)
		must(w.t, err)
		_, err = v.Scan(w.ctx, views.Range{}, func(r row.Row) (bool, error) {
			fmt.Fprintf(&b, "%s %x\n", pv.Name, row.AppendRow(nil, r))
			return true, nil
		}, views.AsOf(at))
		must(w.t, errors.Join(err, v.Close()))
	}
	return b.String()
}

// watermark is how far a view is final; timeline.MinTime if nobody has said.
func (w *world) watermark(view string) timeline.Time {
	w.t.Helper()
	v, err := views.Open(w.ctx, views.Config{Kafka: w.k, Pipeline: w.spec.Name}, view)
	must(w.t, err)
	at, _ := v.Watermark()
	must(w.t, v.Close())
	return at
}

// letters lists the dead letters, each record once: "topic/partition/offset reason".
func (w *world) letters() []string {
	w.t.Helper()
	seen := map[string]bool{}
	topic := catalog.DeadLetterTopic(w.spec.Name)
	must(w.t, kafka.ReadAll(w.ctx, w.k, topic, func(r *kgo.Record) error {
		d, err := wire.DecodeDeadLetter(r.Value)
		if err == nil {
			seen[fmt.Sprintf("%s %s", d.DeadLetterKey(), d.Reason)] = true
		}
		return err
	}))
	out := make([]string, 0, len(seen))
	for s := range seen {
		out = append(out, s)
	}
	sort.Strings(out)
	return out
}

// audit checks that every record of every source partition is accounted for (X3).
func (w *world) audit() {
	w.t.Helper()
	var names []string
	for _, s := range w.spec.Streams {
		names = append(names, s.Topic)
	}
	ends, err := kafka.NewTopics(w.cl, 0, 0).Ends(w.ctx, names...)
	must(w.t, err)
	for _, st := range w.status() {
		end, ok := ends[st.Topic]
		if !ok {
			continue // an exchange
		}
		p := st.Progress
		sum := p.Applied + p.Duplicates + p.DeadLettered + p.Heartbeats
		if p.Read != sum || p.Read != end[st.Partition] {
			w.t.Errorf("%s/%d: read %d of %d = %d applied + %d duplicates + %d dead + %d heartbeats?",
				st.Topic, st.Partition, p.Read, end[st.Partition],
				p.Applied, p.Duplicates, p.DeadLettered, p.Heartbeats)
		}
	}
}

// same compares two exports and shows where they part.
func same(t *testing.T, what, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	g, x := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(x)) {
		var a, b string
		if i < len(g) {
			a = g[i]
		}
		if i < len(x) {
			b = x[i]
		}
		if a != b {
			t.Errorf("%s: %d lines, want %d; line %d is\n  %s\nwant\n  %s",
				what, len(g), len(x), i+1, a, b)
			return
		}
	}
}
