package pipelinetest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/tideline/tideline/cmd/internal/records"
	"github.com/tideline/tideline/processors"
	"github.com/tideline/tideline/processors/plan"
	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/kafka"
	"github.com/tideline/tideline/timeline/kafka/embedded"
)

// Options vary what must not matter. The zero value varies nothing.
type Options struct {
	ShuffleSeed  int64  // interleaving between partitions; 0: as recorded
	Partitions   int    // of internal topics; 0: as the pipeline says
	RestartEvery int    // stop and start the pipeline after so many records; 0: never
	Processes    int    // runners that share the pipeline; 0: one
	Actual       string // folder for what was read; empty: nowhere
	Brokers      []string
	Log          *slog.Logger
	Timeout      time.Duration // of one case; default 10 minutes
}

// Result is the outcome of one folder.
type Result struct {
	Dir         string
	Took        time.Duration
	Rows        int // answers compared
	Differences []*Difference
}

// Passed says whether everything agreed.
func (r *Result) Passed() bool {
	for _, d := range r.Differences {
		if !d.Agrees() {
			return false
		}
	}
	return true
}

// Run runs one folder.
func Run(ctx context.Context, dir string, o Options) (*Result, error) {
	start := time.Now()
	c, err := load(dir)
	if err != nil {
		return nil, err
	}
	if o.Partitions > 0 {
		c.pipeline.Partitions = o.Partitions
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	tmp, err := os.MkdirTemp("", "tideline-test-")
	if err != nil {
		return nil, fmt.Errorf("making a directory for the test: %w", err)
	}
	defer os.RemoveAll(tmp)
	brokers := o.Brokers
	if brokers == nil {
		b, err := embedded.Start("")
		if err != nil {
			return nil, err
		}
		defer b.Close()
		brokers = b.Addrs()
	}
	r := &run{c: c, o: o, tmp: tmp, kafka: kafka.Config{Brokers: brokers}}
	actual, err := r.do(ctx)
	if err != nil {
		return nil, err
	}
	res := &Result{Dir: dir, Took: time.Since(start)}
	res.judge(c, actual)
	if o.Actual != "" {
		err = actual.write(filepath.Join(o.Actual, filepath.Base(dir)))
	}
	return res, err
}

// run is one folder being run.
type run struct {
	c     *testCase
	o     Options
	tmp   string
	kafka kafka.Config
	cl    *kgo.Client
	plan  *plan.Plan
	live  *fleet

	progress string // what was committed when last asked
}

func (r *run) do(ctx context.Context) (*actual, error) {
	var err error
	r.cl, err = r.kafka.NewClient(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return nil, err
	}
	defer r.cl.Close()
	n := partitionsOf(r.c.input)
	if err := r.createTopics(ctx, n); err != nil {
		return nil, err
	}
	if r.plan, err = processors.Build(ctx, r.kafka, r.c.pipeline); err != nil {
		return nil, err
	}
	if err := r.deliver(ctx, shuffle(r.c.input, r.o.ShuffleSeed), n); err != nil {
		return nil, err
	}
	if err := r.start(ctx, true).wait(); err != nil {
		return nil, err
	}
	return r.read(ctx)
}

func (r *run) createTopics(ctx context.Context, n int) error {
	names := map[string]bool{}
	for _, s := range r.c.pipeline.Streams {
		names[s.Topic] = true
	}
	for _, l := range r.c.input {
		if l.WaitWatermark == nil {
			names[l.Topic] = true
		}
	}
	topics := kafka.NewTopics(r.cl, 0, 0)
	for name := range names {
		if err := topics.Ensure(ctx, name, n, kafka.Keep); err != nil {
			return err
		}
	}
	return nil
}

// deliver produces the input. The pipeline runs meanwhile if the input waits for it or
// the options ask for it; otherwise it replays afterwards.
func (r *run) deliver(ctx context.Context, input []records.Line, partitions int) (err error) {
	live := r.o.RestartEvery > 0 || r.o.Processes > 1
	for _, l := range input {
		live = live || l.WaitWatermark != nil
	}
	if live {
		r.live = r.start(ctx, false)
		defer func() { err = errors.Join(err, r.live.stop()) }()
	}
	var batch []*kgo.Record
	flush := func() error {
		err := r.cl.ProduceSync(ctx, batch...).FirstErr()
		batch = batch[:0]
		return err
	}
	for n, l := range input {
		if l.WaitWatermark == nil {
			batch = append(batch, toRecord(l, partitions))
		}
		restart := r.o.RestartEvery > 0 && (n+1)%r.o.RestartEvery == 0
		if l.WaitWatermark != nil || restart || len(batch) == 1000 {
			if err := flush(); err != nil {
				return fmt.Errorf("producing input: %w", err)
			}
		}
		if l.WaitWatermark != nil {
			if err := r.await(ctx, timeline.FromMillis(*l.WaitWatermark)); err != nil {
				return err
			}
		}
		if restart {
			r.awaitProgress(ctx)
			if err := r.live.stop(); err != nil {
				return err
			}
			r.live = r.start(ctx, false)
		}
	}
	if err := flush(); err != nil {
		return fmt.Errorf("producing input: %w", err)
	}
	return nil
}

// await waits for a watermark, or for the pipeline to fail.
func (r *run) await(ctx context.Context, t timeline.Time) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(r.live.ctx, func() { cancel(context.Cause(r.live.ctx)) })()
	return awaitWatermark(ctx, r.cl, r.plan, t)
}

// awaitProgress waits until the pipeline has committed something since the last call, so
// that a restart interrupts work. It gives up after a while: what was delivered may hold
// nothing to commit.
func (r *run) awaitProgress(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_ = poll(ctx, func() (bool, error) {
		now, err := committed(ctx, r.cl, r.plan)
		if err != nil || now == r.progress {
			return false, err
		}
		r.progress = now
		return true, nil
	})
}

// fleet is a number of runners that share the pipeline.
type fleet struct {
	group  *errgroup.Group
	ctx    context.Context //nolint:containedctx // ends with the runners, and says why
	cancel context.CancelFunc
}

func (r *run) start(ctx context.Context, untilEnd bool) *fleet {
	ctx, cancel := context.WithCancel(ctx)
	f := &fleet{cancel: cancel}
	f.group, f.ctx = errgroup.WithContext(ctx)
	for i := range max(1, r.o.Processes) {
		f.group.Go(func() error {
			run, err := processors.New(r.plan, processors.Options{
				Kafka: r.kafka, Dir: filepath.Join(r.tmp, fmt.Sprint("process-", i)),
				UntilEnd: untilEnd, CommitEvery: 50 * time.Millisecond, Log: r.o.Log,
				SessionTimeout: 10 * time.Second, Now: r.clock(),
			})
			if err != nil {
				return err
			}
			return run.Run(f.ctx)
		})
	}
	return f
}

func (f *fleet) wait() error {
	defer f.cancel()
	return f.group.Wait()
}

func (f *fleet) stop() error {
	f.cancel()
	return f.group.Wait()
}

// clock is the wall clock, or the recording's if that was made later.
func (r *run) clock() func() time.Time {
	var last int64
	for _, l := range r.c.input {
		if l.TS != nil {
			last = max(last, *l.TS)
		}
	}
	recorded := time.UnixMilli(last)
	return func() time.Time {
		if now := time.Now(); now.After(recorded) {
			return now
		}
		return recorded
	}
}
