package main

import (
	"github.com/spf13/cobra"

	"github.com/tideline/tideline/cmd/internal/table"
	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/views"
)

func (a *app) historyCommand() *cobra.Command {
	var at instant
	var from, to string
	cmd := &cobra.Command{
		Use: "history VIEW KEY", Short: "List the versions of one row, oldest first",
		Example: "  tideline history order_view 1001 --from 2025-06-02T09:00:00Z",
		Args:    cobra.ExactArgs(2),
	}
	a.pipelineFlags(cmd)
	at.flags(cmd)
	cmd.Flags().StringVar(&from, "from", "", "versions that hold at this instant or later")
	cmd.Flags().StringVar(&to, "to", "", "versions that began before this instant")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		opts, err := at.options(a)
		if err != nil {
			return err
		}
		t1, t2 := timeline.MinTime, timeline.MaxTime
		if from != "" {
			if t1, err = a.time("from", from); err != nil {
				return err
			}
		}
		if to != "" {
			if t2, err = a.time("to", to); err != nil {
				return err
			}
		}
		r, err := a.open(cmd.Context(), args[0], at.wait)
		if err != nil {
			return err
		}
		defer r.Close()
		versions, answer, err := r.History(cmd.Context(), args[1], t1, t2, opts...)
		if err != nil {
			return err
		}
		if len(versions) == 0 {
			return noRow(r.Name(), args[1], answer)
		}
		return a.printVersions(r, versions, answer)
	}
	return cmd
}

func (a *app) printVersions(r *reader, versions []views.Version, answer views.Answer) error {
	tab := table.New(append([]string{"FROM", "TO"}, headings(r.Schema())...)...)
	for _, v := range versions {
		if a.json {
			line := versionJSON{Key: r.key(v.Row), From: v.From.String(), Value: r.value(v.Row)}
			if v.To != timeline.MaxTime {
				to := v.To.String()
				line.To = &to
			}
			if err := a.printJSON(line); err != nil {
				return err
			}
			continue
		}
		tab.Add(append([]string{v.From.String(), timeText(v.To, "")}, cells(v.Row)...)...)
	}
	if a.json {
		return nil
	}
	if err := tab.Print(a.out); err != nil {
		return err
	}
	a.answered(answer)
	return nil
}
