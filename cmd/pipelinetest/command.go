package pipelinetest

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"
)

// ErrFailed says that some pipeline test did not pass.
var ErrFailed = errors.New("pipeline tests failed")

// Command is `tideline test`.
func Command() *cobra.Command {
	var o Options
	var verbose bool
	cmd := &cobra.Command{
		Use:   "test DIR...",
		Short: "Run pipeline tests: folders with a pipeline, its input and the right answers",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, dirs []string) error {
			if verbose {
				o.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
			}
			out := cmd.OutOrStdout()
			failed := 0
			for _, dir := range dirs {
				res, err := Run(cmd.Context(), dir, o)
				if err != nil {
					fmt.Fprintf(out, "FAIL %s: %v\n", dir, err)
					failed++
					continue
				}
				res.print(out)
				if !res.Passed() {
					failed++
				}
			}
			fmt.Fprintf(out, "%d passed, %d failed\n", len(dirs)-failed, failed)
			if failed > 0 {
				return ErrFailed
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.Int64Var(&o.ShuffleSeed, "shuffle-seed", 0,
		"deliver in another interleaving of topics and partitions; each partition keeps its order")
	f.IntVar(&o.Partitions, "partitions", 0,
		"number of internal partitions (default: as the pipeline says)")
	f.IntVar(&o.RestartEvery, "restart-every", 0, "stop and start the pipeline after every N records")
	f.IntVar(&o.Processes, "processes", 1, "how many runners share the pipeline")
	f.StringVar(&o.Actual, "actual", "",
		"write what was read into this folder, in the form of the test's files")
	f.StringSliceVar(&o.Brokers, "brokers", nil,
		"run on this Kafka instead of an embedded broker per folder")
	f.DurationVar(&o.Timeout, "timeout", 0, "limit for one folder (default 10m)")
	f.BoolVarP(&verbose, "verbose", "v", false, "log what the pipeline does to standard error")
	return cmd
}

func (r *Result) print(out io.Writer) {
	verdict := "ok  "
	if !r.Passed() {
		verdict = "FAIL"
	}
	fmt.Fprintf(out, "%s %s (%.1fs, %d answers)\n", verdict, r.Dir, r.Took.Seconds(), r.Rows)
	for _, d := range r.Differences {
		if d.Agrees() {
			continue
		}
		fmt.Fprintf(out, "     %s: %d wrong, %d missing, %d extra, of %d expected\n",
			d.What, d.Wrong, d.Missing, d.Extra, d.Expected)
		for _, e := range d.Examples {
			fmt.Fprintf(out, "       %s\n", e)
		}
	}
}
