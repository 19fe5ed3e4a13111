package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tideline/tideline/cmd/internal/datadir"
	"github.com/tideline/tideline/cmd/internal/exit"
	"github.com/tideline/tideline/processors"
	"github.com/tideline/tideline/processors/plan"
	"github.com/tideline/tideline/processors/spec"
	"github.com/tideline/tideline/timeline/kafka"
)

// runFlags are the flags of `run`.
type runFlags struct {
	untilEnd bool
	instance string
	session  time.Duration
	memory   string
	verbose  bool
}

func (a *app) runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use: "run", Short: "Run a pipeline",
		Long: `Runs the pipeline of a file until interrupted. Without --brokers it starts the embedded
broker and makes the source topics that are missing; other commands with the same --data
find it there. With --until-end it reads every stream to the end it has now, makes all of
that final, and exits.`,
		Args: cobra.NoArgs,
	}
	a.fileFlag(cmd, fileUsage)
	a.brokerFlags(cmd)
	cmd.Flags().BoolVar(&f.untilEnd, "until-end", false,
		"a bounded replay: stop when what is there now has become final")
	cmd.Flags().StringVar(&f.instance, "instance", "",
		"identity that keeps this process's partitions over a restart (default: one kept in --data)")
	cmd.Flags().DurationVar(&f.session, "session-timeout", 45*time.Second,
		"how long a silent process keeps its partitions")
	cmd.Flags().StringVar(&f.memory, "memory", "256MiB",
		"for changes that wait for their turn; what does not fit goes to disk")
	cmd.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "log more")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.run(cmd.Context(), f)
	}
	return cmd
}

func (a *app) run(ctx context.Context, f runFlags) error {
	p, err := a.load()
	if err != nil {
		return err
	}
	memory, err := parseSize(f.memory)
	if err != nil {
		return exit.Errorf(exit.Usage, "--memory: %w", err)
	}
	b, err := a.connect(ctx, datadir.Serve)
	if err != nil {
		return err
	}
	defer b.Close()
	cl, err := b.Config.NewClient()
	if err != nil {
		return err
	}
	defer cl.Close()
	built, err := buildOn(ctx, b, cl, p)
	if err != nil {
		return err
	}
	place, err := datadir.Instance(a.data, f.instance)
	if err != nil {
		return err
	}
	defer place.Close()
	r, err := processors.New(built, processors.Options{
		Kafka: b.Config, Dir: place.Dir, InstanceID: place.ID,
		SessionTimeout: f.session, Memory: memory, UntilEnd: f.untilEnd, Log: a.logger(f.verbose),
	})
	if err != nil {
		return err
	}
	a.announceRun(b, built, f)
	return a.runWatched(ctx, r, &watcher{
		a: a, cl: cl, cat: processors.Describe(built), untilEnd: f.untilEnd,
	})
}

// buildOn plans a pipeline on the topics that are there, after making those that are
// missing on the embedded broker.
func buildOn(
	ctx context.Context, b *datadir.Broker, cl *kgo.Client, p *spec.Pipeline,
) (*plan.Plan, error) {
	if err := ensureSources(ctx, b, cl, p.Partitions, topicsOf(p)...); err != nil {
		return nil, err
	}
	topics := kafka.NewTopics(cl, 0, 0)
	return plan.Build(p, func(topic string) (int, error) { return topics.Count(ctx, topic) })
}

// runWatched runs the pipeline and shows its progress beside it.
func (a *app) runWatched(ctx context.Context, r *processors.Runner, w *watcher) error {
	watching, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.watch(watching)
	}()
	err := r.Run(ctx)
	stop()
	<-done
	if err != nil && !(ctx.Err() != nil && errors.Is(err, context.Canceled)) {
		return err
	}
	if ctx.Err() != nil {
		a.note("stopped; start again to go on from here")
		return nil
	}
	// The run's context may be gone by now; the summary is worth a moment of its own.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return w.summary(last)
}

func (a *app) announceRun(b *datadir.Broker, p *plan.Plan, f runFlags) {
	where := "on " + strings.Join(a.brokers, ",")
	if b.Embedded {
		where = fmt.Sprintf("on the embedded broker of %s (%s)", a.data,
			strings.Join(b.Config.Brokers, ","))
		if !b.Own {
			where += ", run by another process"
		}
	}
	a.note("running pipeline %s, plan %s, %s", p.Pipeline.Name, p.Version, where)
	if f.untilEnd || len(p.Views) == 0 {
		return
	}
	at := "--data " + a.data
	if !b.Embedded {
		at = "--brokers " + strings.Join(a.brokers, ",")
	}
	a.note("read it with: %s scan %s --pipeline %s %s", self(), p.Views[0].Name,
		p.Pipeline.Name, at)
}

// logger logs to standard error: warnings, and with --verbose everything.
func (a *app) logger(verbose bool) *slog.Logger {
	o := &slog.HandlerOptions{Level: slog.LevelWarn}
	if verbose {
		o.Level = slog.LevelDebug
	}
	if a.json {
		return slog.New(slog.NewJSONHandler(a.err, o))
	}
	return slog.New(slog.NewTextHandler(a.err, o))
}
