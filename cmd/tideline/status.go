package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tideline/tideline/cmd/internal/datadir"
	"github.com/tideline/tideline/cmd/internal/status"
	"github.com/tideline/tideline/cmd/internal/table"
	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/catalog"
	"github.com/tideline/tideline/views"
)

func (a *app) statusCommand() *cobra.Command {
	var watch bool
	var every time.Duration
	cmd := &cobra.Command{
		Use: "status", Short: "Show position, lag and watermark, and what holds them back",
		Long: `Shows, as last committed: what became of the records of each stream, how far each stage
has come in each partition, and the watermark of each view. READ is the sum of APPLIED,
DUPLICATE and DEAD. LATE is part of DEAD. Part of APPLIED are BEATS, records that carry
only time, and RAISED, whose event time was below their predecessor's in a log that keeps
order.`,
		Args: cobra.NoArgs,
	}
	a.pipelineFlags(cmd)
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "repeat until interrupted")
	cmd.Flags().DurationVar(&every, "every", 2*time.Second, "how often, with --watch")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx := cmd.Context()
		b, err := a.connect(ctx, datadir.Read)
		if err != nil {
			return err
		}
		defer b.Close()
		name, err := a.pipelineName(ctx, b.Config)
		if err != nil {
			return err
		}
		cat, err := views.Load(ctx, views.Config{Kafka: b.Config, Pipeline: name})
		if err != nil {
			return err
		}
		cl, err := b.Config.NewClient()
		if err != nil {
			return err
		}
		defer cl.Close()
		return a.showStatus(ctx, cl, cat, watch, every)
	}
	return cmd
}

func (a *app) showStatus(ctx context.Context, cl *kgo.Client, cat *catalog.Catalog,
	watch bool, every time.Duration,
) error {
	for {
		r, err := status.Collect(ctx, cl, cat)
		if err != nil {
			return err
		}
		if watch && !a.json && isTerminal(a.out) {
			fmt.Fprint(a.out, "\x1b[H\x1b[2J")
		}
		if a.json {
			err = a.printJSON(statusJSON(r))
		} else {
			err = a.printStatus(r, cat)
		}
		if err != nil || !watch {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(max(every, 100*time.Millisecond)):
		}
	}
}

func (a *app) printStatus(r *status.Report, cat *catalog.Catalog) error {
	fmt.Fprintf(a.out, "pipeline %s, plan %s\n\n", r.Pipeline, r.Version)
	streams := table.New("STREAM", ">PART", ">POSITION", ">END", ">LAG", ">READ", ">APPLIED",
		">DUPLICATE", ">DEAD", ">BEATS", ">LATE", ">RAISED", "LATEST EVENT")
	for _, s := range r.Streams {
		for _, in := range s.Partitions {
			streams.Add(s.Name, fmt.Sprint(in.Partition), digits(in.Position), digits(in.End),
				digits(in.Lag()), digits(in.Read), digits(in.Applied), digits(in.Duplicates),
				digits(in.DeadLettered), digits(in.Heartbeats), digits(in.Late),
				digits(in.Raised), orNone(in.Latest))
		}
	}
	stages := table.New("STAGE", ">PART", ">LAG", "WATERMARK", "QUALITY", "HELD BACK BY")
	for _, s := range r.Stages {
		for _, p := range s.Partitions {
			stages.Add(s.Name, fmt.Sprint(p.Partition), digits(p.Lag), orNone(p.Watermark),
				p.Quality.String(), holder(p.HeldBy))
		}
	}
	list := table.New("VIEW", ">PARTS", "WATERMARK", "QUALITY", "BEHIND", "RETENTION", "HELD BACK BY")
	for _, v := range r.Views {
		list.Add(v.Name, fmt.Sprint(v.Partitions), orNone(v.Watermark), v.Quality.String(),
			behind(v.Watermark), retention(cat, v.Name), holder(v.HeldBy))
	}
	for i, t := range []*table.Table{streams, stages, list} {
		if i > 0 {
			fmt.Fprintln(a.out)
		}
		if err := t.Print(a.out); err != nil {
			return err
		}
	}
	return nil
}

func orNone(t timeline.Time) string {
	if t == timeline.MinTime {
		return "none yet"
	}
	return t.String()
}

func holder(h status.Hold) string {
	if h.Topic == "" {
		return ""
	}
	return fmt.Sprintf("%s/%d at %s", h.Topic, h.Partition, orNone(h.At))
}

// behind is how far a watermark is behind the clock.
func behind(t timeline.Time) string {
	if t == timeline.MinTime {
		return "all"
	}
	d := time.Since(t.Time()).Round(time.Millisecond)
	if d <= 0 {
		return "0s"
	}
	if d >= 48*time.Hour {
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	if d > time.Minute {
		d = d.Round(time.Second)
	}
	return d.String()
}

func retention(cat *catalog.Catalog, view string) string {
	v, ok := cat.View(view)
	if !ok || v.Retention == 0 {
		return "forever"
	}
	if d := v.Retention / (24 * time.Hour); d > 0 && v.Retention%(24*time.Hour) == 0 {
		return fmt.Sprintf("%dd", d)
	}
	return strings.TrimSuffix(v.Retention.String(), "0m0s")
}
