package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/tideline/tideline/cmd/internal/datadir"
	"github.com/tideline/tideline/cmd/internal/records"
	"github.com/tideline/tideline/processors"
	"github.com/tideline/tideline/processors/spec"
	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/views"
)

// demoPatience is how long the demo waits for its pipeline before it gives up.
const demoPatience = 2 * time.Minute

// running is the demo's pipeline and its views.
type running struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error // of the pipeline; read it after done
	views  []*views.View
	place  *datadir.Place
}

// start runs the pipeline in the background and opens its views.
func (d *demo) start(ctx context.Context, b *datadir.Broker, p *spec.Pipeline) (*running, error) {
	cl, err := b.Config.NewClient()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	built, err := buildOn(ctx, b, cl, p)
	if err != nil {
		return nil, err
	}
	r := &running{done: make(chan struct{})}
	if r.place, err = datadir.Instance(d.data, ""); err != nil {
		return nil, err
	}
	runner, err := processors.New(built, processors.Options{
		Kafka: b.Config, Dir: r.place.Dir, InstanceID: r.place.ID,
		CommitEvery: 100 * time.Millisecond,
	})
	if err != nil {
		r.place.Close()
		return nil, err
	}
	var background context.Context
	background, r.cancel = context.WithCancel(ctx)
	go func() {
		defer close(r.done)
		r.err = runner.Run(background)
	}()
	for _, v := range p.Views {
		if err := r.open(ctx, views.Config{Kafka: b.Config, Pipeline: p.Name}, v.Name); err != nil {
			return nil, errors.Join(err, r.stop())
		}
	}
	return r, nil
}

// open opens a view as soon as the pipeline has made its topic.
func (r *running) open(ctx context.Context, c views.Config, name string) error {
	ctx, cancel := context.WithTimeout(ctx, demoPatience)
	defer cancel()
	for {
		v, err := views.Open(ctx, c, name)
		if err == nil {
			r.views = append(r.views, v)
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-r.done:
			return r.err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// stop ends the pipeline.
func (r *running) stop() error {
	r.cancel()
	<-r.done
	var errs []error
	if !errors.Is(r.err, context.Canceled) {
		errs = append(errs, r.err)
	}
	for _, v := range r.views {
		errs = append(errs, v.Close())
	}
	r.place.Close()
	return errors.Join(errs...)
}

// watermark waits until every view is final up to t, and returns the least watermark.
func (r *running) watermark(ctx context.Context, t timeline.Time) (timeline.Time, error) {
	least := timeline.MaxTime
	for _, v := range r.views {
		_, _, answer, err := v.Get(ctx, "0", views.AtLeast(t), views.Wait(demoPatience))
		if err != nil {
			return 0, err
		}
		least = min(least, answer.Watermark)
	}
	return least, nil
}

// day delivers the records of the day. The lines that wait for the watermark are the
// full hours.
func (d *demo) day(ctx context.Context, b *datadir.Broker, r *running) error {
	d.title(2, "The day arrives, out of order. Up to its watermark, a view is final.")
	in, err := records.Unzip(bytes.NewReader(demoRecords))
	if err != nil {
		return fmt.Errorf("unpacking the demo: %w", err)
	}
	p, err := newProducer(b, "")
	if err != nil {
		return err
	}
	defer p.cl.Close()
	sum := 0
	return records.Read(in, func(_ int, l records.Line) error {
		if l.WaitWatermark == nil {
			sum++
			return p.one(ctx, l)
		}
		if err := p.cl.Flush(ctx); err != nil {
			return fmt.Errorf("delivering: %w", err)
		}
		at, err := r.watermark(ctx, timeline.FromMillis(*l.WaitWatermark))
		if err != nil {
			return err
		}
		d.say("   %s records delivered, watermark %s", fmt.Sprintf("%5s", digits(int64(sum))), at)
		select {
		case <-time.After(d.pace):
		case <-ctx.Done():
			return ctx.Err()
		}
		return nil
	})
}

// indented writes lines further to the right.
type indented struct {
	w     io.Writer
	fresh bool // at the start of a line
}

func (i *indented) Write(b []byte) (int, error) {
	var out []byte
	for _, c := range b {
		if i.fresh && c != '\n' {
			out = append(out, "   "...)
		}
		out = append(out, c)
		i.fresh = c == '\n'
	}
	if _, err := i.w.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}
