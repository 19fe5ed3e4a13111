package main

import (
	"encoding/json"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tideline/tideline/cmd/internal/exit"
	"github.com/tideline/tideline/cmd/internal/table"
	"github.com/tideline/tideline/timeline/catalog"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/views"
)

func (a *app) scanCommand() *cobra.Command {
	var at instant
	var prefix string
	var limit int
	cmd := &cobra.Command{
		Use: "scan VIEW", Short: "Read the rows of a view in key order, as of any instant",
		Example: "  tideline scan order_view --as-of 2025-06-02T09:30:00Z --limit 10",
		Args:    cobra.ExactArgs(1),
	}
	a.pipelineFlags(cmd)
	at.flags(cmd)
	cmd.Flags().StringVar(&prefix, "prefix", "", "only keys that begin so: the first key "+
		"column, or a JSON array of the first few; the last one, if text, may be cut short")
	cmd.Flags().IntVar(&limit, "limit", 0, "at most so many rows (default: all)")
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
		bounds, err := prefixRange(r.Schema(), prefix)
		if err != nil {
			return err
		}
		return a.scan(cmd, r, bounds, limit, opts)
	}
	return cmd
}

func (a *app) scan(
	cmd *cobra.Command, r *reader, bounds views.Range, limit int, opts []views.Option,
) error {
	// The instant is part of each JSON line, so it is fixed before the first.
	answer, err := resolve(cmd.Context(), r.View, opts)
	if err != nil {
		return err
	}
	tab := table.New(headings(r.Schema())...)
	n, more := 0, false
	_, err = r.Scan(cmd.Context(), bounds, func(rw row.Row) (bool, error) {
		if more = limit > 0 && n == limit; more {
			return false, nil
		}
		n++
		if a.json {
			return true, a.printJSON(rowJSON{r.key(rw), r.value(rw), answer.AsOf.String()})
		}
		tab.Add(cells(rw)...)
		return true, nil
	}, views.AsOf(answer.AsOf))
	if err != nil || a.json {
		return err
	}
	if err := tab.Print(a.out); err != nil {
		return err
	}
	if more {
		a.note("the first %d rows; there are more", n)
	} else {
		a.note("%s", count(n, "row"))
	}
	a.answered(answer)
	return nil
}

// prefixRange reads --prefix.
func prefixRange(s row.Schema, text string) (views.Range, error) {
	if text == "" {
		return views.Range{}, nil
	}
	types := catalog.KeyTypes(s)
	parts := []string{text}
	if strings.HasPrefix(text, "[") && len(types) > 1 {
		var raw []json.RawMessage
		if err := json.Unmarshal([]byte(text), &raw); err != nil {
			return views.Range{}, exit.Errorf(exit.Usage, "--prefix: want a JSON array: %w", err)
		}
		parts = parts[:0]
		for _, v := range raw {
			var plain string
			if json.Unmarshal(v, &plain) != nil {
				plain = string(v)
			}
			parts = append(parts, plain)
		}
	}
	if len(parts) > len(types) {
		return views.Range{}, exit.Errorf(exit.Usage, "--prefix has %s, the view's key only %d",
			count(len(parts), "column"), len(types))
	}
	var vals []row.Value
	for i, p := range parts {
		v, err := row.ParseKeyText(types[i:i+1], p)
		if err != nil {
			return views.Range{}, exit.Errorf(exit.Usage, "--prefix: %w", err)
		}
		vals = append(vals, v...)
	}
	last, isText := vals[len(vals)-1].(string)
	if !isText {
		return views.Range{Prefix: vals}, nil
	}
	lead := vals[: len(vals)-1 : len(vals)-1]
	end := successor(last)
	if end == "" {
		return views.Range{Prefix: lead}, nil
	}
	return views.Range{From: vals, To: append(lead, end)}, nil
}

// successor is the least text after all that begin with s; empty if there is none.
func successor(s string) string {
	b := []byte(s)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] < 0xFF {
			b[i]++
			return string(b[:i+1])
		}
	}
	return ""
}
