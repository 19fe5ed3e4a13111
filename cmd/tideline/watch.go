package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tideline/tideline/cmd/internal/status"
	"github.com/tideline/tideline/cmd/internal/table"
	"github.com/tideline/tideline/timeline/catalog"
)

// watcher shows how a run is getting on: one line that changes on a terminal, a line now
// and then elsewhere, a bar for a bounded replay.
type watcher struct {
	a        *app
	cl       *kgo.Client
	cat      *catalog.Catalog
	untilEnd bool

	before int64 // records read at the last look
	at     time.Time
}

const (
	watchEvery = time.Second
	logEvery   = 10 // looks between two lines where nobody watches
)

func (w *watcher) watch(ctx context.Context) {
	tty := isTerminal(w.a.err) && !w.a.json
	if w.a.quiet || w.untilEnd && !tty {
		return
	}
	b := bar{}
	total := int64(-1)
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for look := 1; ; look++ {
		select {
		case <-ctx.Done():
			b.finish()
			if tty && !w.untilEnd {
				fmt.Fprintln(w.a.err)
			}
			return
		case <-tick.C:
		}
		r, err := status.Collect(ctx, w.cl, w.cat)
		if err != nil {
			continue // the run itself says what is wrong
		}
		sum, lag := r.Total()
		if total < 0 && w.untilEnd {
			total = sum.Read + lag
			b = w.a.progress(total, "replaying", "records")
		}
		line := w.line(r)
		switch {
		case w.untilEnd:
			b.describe("watermark " + orNone(r.Watermark()))
			b.set(min(total, sum.Read))
		case tty:
			fmt.Fprintf(w.a.err, "\r\x1b[K%s", line)
		case look%logEvery == 0:
			fmt.Fprintln(w.a.err, line)
		}
	}
}

func (w *watcher) line(r *status.Report) string {
	sum, lag := r.Total()
	now, rate := time.Now(), 0.0
	if !w.at.IsZero() {
		rate = float64(sum.Read-w.before) / now.Sub(w.at).Seconds()
	}
	w.before, w.at = sum.Read, now
	return fmt.Sprintf("%s read, %s/s, lag %s, %s dead, watermark %s",
		count(int(sum.Read), "record"), digits(int64(rate)), digits(lag),
		digits(sum.DeadLettered), orNone(r.Watermark()))
}

// summary says what a bounded replay has done.
func (w *watcher) summary(ctx context.Context) error {
	r, err := status.Collect(ctx, w.cl, w.cat)
	if err != nil {
		return fmt.Errorf("summing up: %w", err)
	}
	if w.a.json {
		return w.a.printJSON(statusJSON(r))
	}
	if w.a.quiet {
		return nil
	}
	tab := table.New("STREAM", ">READ", ">APPLIED", ">DUPLICATE", ">DEAD", ">BEATS")
	for _, s := range r.Streams {
		var c status.Counters
		for _, in := range s.Partitions {
			c.Add(in.Counters)
		}
		tab.Add(s.Name, digits(c.Read), digits(c.Applied), digits(c.Duplicates),
			digits(c.DeadLettered), digits(c.Heartbeats))
	}
	if err := tab.Print(w.a.out); err != nil {
		return err
	}
	w.a.note("final up to %s", orNone(r.Watermark()))
	return nil
}
