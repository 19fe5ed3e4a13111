package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tideline/tideline/cmd/internal/exit"
	"github.com/tideline/tideline/cmd/pipelinetest"
	"github.com/tideline/tideline/timeline"
)

// app is one invocation: where it reads and writes, and the flags that commands share.
type app struct {
	in       io.Reader
	out, err io.Writer

	file     string   // -f
	pipeline string   // --pipeline
	brokers  []string // --brokers
	data     string   // --data
	json     bool     // --json
	quiet    bool     // --quiet
}

// execute runs the command line and returns the exit code.
func execute(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	a := &app{in: in, out: out, err: errs}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exit.OK
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	for _, line := range strings.Split(strings.TrimSpace(err.Error()), "\n") {
		fmt.Fprintf(errs, "tideline: %s\n", line)
	}
	if errors.Is(err, pipelinetest.ErrFailed) {
		return exit.Problems
	}
	return exit.Code(err)
}

const rootHelp = `Tideline turns change topics into precomputed views, right at every instant.

Without --brokers, commands use an embedded broker whose data lies under --data. While
"tideline run" is running, other commands find its broker there.

Times are RFC 3339 (2025-06-02T09:30:00Z), a date, milliseconds since 1970, or relative
to now (-5m, -2d).

Exit codes: 0 fine, 1 error, 2 usage, 3 not final yet, 4 no such pipeline, view or row,
5 tests failed or lint problems, 6 before the view's horizon.`

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use: "tideline", Short: "Precomputed views that are right at every instant",
		Long: rootHelp, SilenceErrors: true, SilenceUsage: true,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			hint := "see tideline --help"
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				hint = fmt.Sprintf("did you mean %q?", near[0])
			}
			return exit.Errorf(exit.Usage, "unknown command %q; %s", args[0], hint)
		},
	}
	root.SuggestionsMinimumDistance = 2
	root.CompletionOptions.HiddenDefaultCmd = true
	root.PersistentFlags().BoolVar(&a.json, "json", false,
		"print JSON, one object a line, instead of tables")
	root.PersistentFlags().BoolVarP(&a.quiet, "quiet", "q", false,
		"print only results and errors")
	root.AddCommand(
		a.demoCommand(), a.runCommand(), a.produceCommand(),
		a.getCommand(), a.scanCommand(), a.historyCommand(), a.exportCommand(),
		a.statusCommand(), a.deadLettersCommand(),
		a.explainCommand(), a.lintCommand(), pipelinetest.Command(), a.versionCommand(),
	)
	for _, c := range root.Commands() {
		asUsage(c)
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageOf(cmd, err)
	})
	return root
}

// asUsage makes a command's complaints about its arguments usage errors.
func asUsage(cmd *cobra.Command) {
	check := cmd.Args
	if check == nil {
		check = cobra.NoArgs
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageOf(cmd, err)
		}
		if err := cmd.ValidateFlagGroups(); err != nil {
			return usageOf(cmd, err)
		}
		if err := cmd.ValidateRequiredFlags(); err != nil {
			return usageOf(cmd, err)
		}
		return nil
	}
}

func usageOf(cmd *cobra.Command, err error) error {
	return exit.Errorf(exit.Usage, "%w; see %s --help", err, cmd.CommandPath())
}

// note tells people something that is not the result.
func (a *app) note(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintf(a.err, format+"\n", args...)
	}
}

// time reads an instant from a flag.
func (a *app) time(flag, text string) (timeline.Time, error) {
	t, err := timeline.ParseTime(text, timeline.FromTime(time.Now()))
	if err != nil {
		return 0, exit.Errorf(exit.Usage, "--%s: %w", flag, err)
	}
	return t, nil
}

// isTerminal says whether people are watching what is written to w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
