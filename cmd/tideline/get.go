package main

import (
	"github.com/spf13/cobra"

	"github.com/tideline/tideline/cmd/internal/table"
)

func (a *app) getCommand() *cobra.Command {
	var at instant
	cmd := &cobra.Command{
		Use: "get VIEW KEY", Short: "Read one row of a view, as of any instant",
		Long: `Reads the row under KEY: the plain text of the key column, or a JSON array if the view
has several. A view without key columns has one row, under the key *.`,
		Example: "  tideline get order_view 1001 --as-of 2025-06-02T09:30:00Z",
		Args:    cobra.ExactArgs(2),
	}
	a.pipelineFlags(cmd)
	at.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		opts, err := at.options(a)
		if err != nil {
			return err
		}
		r, err := a.open(cmd.Context(), args[0], at.wait)
		if err != nil {
			return err
		}
		defer r.Close()
		row, ok, answer, err := r.Get(cmd.Context(), args[1], opts...)
		if err != nil {
			return err
		}
		if !ok {
			return noRow(r.Name(), args[1], answer)
		}
		if a.json {
			return a.printJSON(rowJSON{r.key(row), r.value(row), answer.AsOf.String()})
		}
		tab := table.New("COLUMN", "VALUE")
		for i, c := range r.Schema().Columns {
			tab.Add(c.Name, text(row[i]))
		}
		if err := tab.Print(a.out); err != nil {
			return err
		}
		a.answered(answer)
		return nil
	}
	return cmd
}
