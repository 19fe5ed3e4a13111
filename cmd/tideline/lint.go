package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/tideline/tideline/cmd/internal/exit"
	"github.com/tideline/tideline/processors/plan"
	"github.com/tideline/tideline/processors/spec"
)

func (a *app) lintCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "lint [FILE...]", Short: "Check pipeline files without running them",
		Long: `Checks names, types and SQL of pipeline files and prints every problem with its place
in the file. Exit code 5 if there are any.`,
		Args: cobra.ArbitraryArgs,
	}
	a.fileFlag(cmd, fileUsage)
	cmd.RunE = func(cmd *cobra.Command, files []string) error {
		if a.file != "" {
			files = append(files, a.file)
		}
		if len(files) == 0 {
			files = []string{defaultFile}
		}
		found := 0
		for _, file := range files {
			problems, err := lint(file)
			if err != nil {
				return err
			}
			found += len(problems)
			if err := a.printProblems(file, problems); err != nil {
				return err
			}
		}
		if found > 0 {
			return exit.Errorf(exit.Problems, "%s found", count(found, "problem"))
		}
		return nil
	}
	return cmd
}

// lint returns what is wrong with a file. The error is about reading it at all.
func lint(file string) ([]error, error) {
	p, err := spec.Load(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, exit.Errorf(exit.Usage, "no pipeline file %s; name one with -f", file)
	}
	if err == nil {
		_, err = plan.Build(p, assumed(p))
	}
	return flatten(err), nil
}

// flatten lists the errors that were joined to one.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var out []error
	for _, e := range joined.Unwrap() {
		out = append(out, flatten(e)...)
	}
	return out
}

func (a *app) printProblems(file string, problems []error) error {
	for _, p := range problems {
		if a.json {
			if err := a.printJSON(map[string]string{"file": file, "problem": p.Error()}); err != nil {
				return err
			}
			continue
		}
		if _, err := fmt.Fprintln(a.out, p); err != nil {
			return err
		}
	}
	if len(problems) == 0 && !a.json && !a.quiet {
		_, err := fmt.Fprintf(a.out, "%s: fine\n", file)
		return err
	}
	return nil
}
