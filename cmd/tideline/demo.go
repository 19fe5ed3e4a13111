package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tideline/tideline/cmd/internal/datadir"
	"github.com/tideline/tideline/cmd/internal/exit"
	"github.com/tideline/tideline/processors/spec"
	"github.com/tideline/tideline/views"
)

// A shop's day: the pipeline, and its four topics as they were delivered.
var (
	//go:embed demo/pipeline.yaml
	demoPipeline []byte
	//go:embed demo/shop.jsonl.gz
	demoRecords []byte
)

const demoHelp = `Runs a bundled pipeline on the embedded broker: a shop's orders (Debezium
envelopes), payments, products and stock, delivered out of order, with deletes, duplicates
and a few records that are wrong. Shows the watermark moving, asks the same question at three
instants, and exports. Nothing outside its data directory is touched.`

func (a *app) demoCommand() *cobra.Command {
	var keep bool
	var pace time.Duration
	cmd := &cobra.Command{
		Use: "demo", Short: "See it work, in a minute, with nothing installed", Long: demoHelp,
		Args: cobra.NoArgs,
	}
	cmd.Flags().StringVar(&a.data, "data", "", "data directory (default: a new temporary one)")
	cmd.Flags().BoolVar(&keep, "keep", true, "keep the data directory, to try more on it")
	cmd.Flags().DurationVar(&pace, "pace", 500*time.Millisecond, "pause between the hours of the day")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		d := demo{app: a, pace: pace}
		if err := d.prepare(); err != nil {
			return err
		}
		if !keep {
			defer func() { err = errors.Join(err, os.RemoveAll(d.data)) }()
		}
		if err := d.live(cmd.Context()); err != nil {
			return fmt.Errorf("running the demo in %s: %w", d.data, err)
		}
		d.next(keep)
		return nil
	}
	return cmd
}

// demo tells a story, in the order of its methods.
type demo struct {
	*app
	pace time.Duration
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.out, format+"\n", args...) }

func (d *demo) title(n int, text string) { d.say("\n%d. %s\n", n, text) }

// prepare makes the data directory and puts the bundled files there.
func (d *demo) prepare() error {
	if d.data == "" {
		dir, err := os.MkdirTemp("", "tideline-demo-")
		if err != nil {
			return fmt.Errorf("making a data directory: %w", err)
		}
		d.data = dir
	} else if _, err := os.Stat(filepath.Join(d.data, "kafka")); err == nil {
		return exit.Errorf(exit.Usage, "%s holds data already; name a new directory with --data", d.data)
	}
	if err := os.MkdirAll(d.data, 0o755); err != nil {
		return fmt.Errorf("making the data directory: %w", err)
	}
	d.file = filepath.Join(d.data, defaultFile)
	for path, content := range map[string][]byte{
		d.file: demoPipeline, filepath.Join(d.data, "shop.jsonl.gz"): demoRecords,
	} {
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return fmt.Errorf("unpacking the demo: %w", err)
		}
	}
	return nil
}

// live runs the pipeline, feeds it the day hour by hour, and asks.
func (d *demo) live(ctx context.Context) error {
	p, err := spec.Load(d.file)
	if err != nil {
		return err
	}
	b, err := d.connect(ctx, datadir.Serve)
	if err != nil {
		return err
	}
	defer b.Close()
	d.title(1, "A pipeline: four change topics, two views. Broker and data: "+d.data)
	for _, v := range p.Views {
		d.say("   %s\n      %s", v.Name, strings.ReplaceAll(strings.TrimSpace(v.SQL), "\n", "\n      "))
	}
	run, err := d.start(ctx, b, p)
	if err != nil {
		return err
	}
	err = d.day(ctx, b, run)
	if err == nil {
		err = d.questions(ctx, b, p)
	}
	return errors.Join(err, run.stop())
}

// questions shows what one asks of a view.
func (d *demo) questions(ctx context.Context, b *datadir.Broker, p *spec.Pipeline) error {
	d.title(3, "The same question at three instants: what about order 1001?")
	for _, at := range []string{"09:30", "10:00", "15:00"} {
		err := d.ask(ctx, "get", "order_view", "1001", "--as-of", "2025-06-02T"+at+":00Z")
		if err != nil {
			return err
		}
	}
	d.title(4, "Its whole history. A row is true from one instant up to the next.")
	if err := d.ask(ctx, "history", "order_view", "1001"); err != nil {
		return err
	}
	d.title(5, "Records that could not be applied. Nothing is lost in silence.")
	if err := d.ask(ctx, "dead-letters"); err != nil {
		return err
	}
	d.title(6, "What became of every record: read = applied + duplicate + dead.")
	if err := d.counters(ctx, b, p); err != nil {
		return err
	}
	d.title(7, "The view as it stood at noon, for analytics.")
	for _, name := range []string{"noon.arrow", "noon.parquet"} {
		err := d.ask(ctx, "export", "order_view", "--as-of", "2025-06-02T12:00:00Z",
			"-o", filepath.Join(d.data, name))
		if err != nil {
			return err
		}
	}
	return nil
}

// counters shows the end of `run --until-end`, which is shorter than `status`.
func (d *demo) counters(ctx context.Context, b *datadir.Broker, p *spec.Pipeline) error {
	cat, err := views.Load(ctx, views.Config{Kafka: b.Config, Pipeline: p.Name})
	if err != nil {
		return err
	}
	cl, err := b.Config.NewClient()
	if err != nil {
		return err
	}
	defer cl.Close()
	out := &indented{w: d.out, fresh: true}
	w := watcher{a: &app{out: out, err: out}, cl: cl, cat: cat}
	if err := w.summary(ctx); err != nil {
		return err
	}
	d.say("")
	return nil
}

// ask prints a command line and runs it.
func (d *demo) ask(ctx context.Context, args ...string) error {
	d.say("   $ tideline %s", strings.Join(args, " "))
	out := &indented{w: d.out, fresh: true}
	if code := execute(ctx, append(args, "--data", d.data), d.in, out, out); code != exit.OK {
		return exit.Errorf(code, "running tideline %s failed", args[0])
	}
	d.say("")
	return nil
}

// next says what to try.
func (d *demo) next(keep bool) {
	if !keep {
		d.say("Done. Without --keep=false the data stays, to try more on it.")
		return
	}
	do, at := self(), "--data "+d.data
	d.say("Now try, on the data of this demo:\n")
	for _, line := range []string{
		do + " scan order_view --as-of 2025-06-02T12:00:00Z --limit 10 " + at,
		do + " scan offers --prefix p01 " + at,
		do + " history offers p007 " + at,
		do + " export order_view --history -o history.jsonl " + at,
		do + " status " + at,
		do + " explain -f " + d.file,
		do + " run -f " + d.file + " " + at + " --until-end",
	} {
		d.say("   %s", line)
	}
	d.say("\nTo start afresh, remove %s.", d.data)
}
