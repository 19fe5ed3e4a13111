package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/spf13/cobra"

	"github.com/tideline/tideline/cmd/internal/exit"
	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/views"
	"github.com/tideline/tideline/views/arrow"
)

func (a *app) exportCommand() *cobra.Command {
	var at instant
	var path string
	var history bool
	cmd := &cobra.Command{
		Use: "export VIEW -o FILE", Short: "Write a view at one instant as Arrow or Parquet",
		Long: `Writes the view as of one instant: an Arrow IPC file (.arrow), an Arrow IPC stream
(.arrows) or Parquet (.parquet). With --history it writes every version of every row as
JSON lines (.jsonl), in key order; equal histories are equal bytes.`,
		Example: "  tideline export order_view --as-of 2025-06-02T12:00:00Z -o orders.parquet",
		Args:    cobra.ExactArgs(1),
	}
	a.pipelineFlags(cmd)
	at.flags(cmd)
	cmd.Flags().StringVarP(&path, "output", "o", "",
		"the file to write: .arrow, .arrows or .parquet; .jsonl with --history")
	cmd.Flags().BoolVar(&history, "history", false, "write all versions instead of one instant")
	if err := cmd.MarkFlagRequired("output"); err != nil {
		panic(err) // the flag is defined above
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkOutput(path, history); err != nil {
			return err
		}
		opts, err := at.options(a)
		if err != nil {
			return err
		}
		r, err := a.open(cmd.Context(), args[0], at.wait)
		if err != nil {
			return err
		}
		defer r.Close()
		answer, err := resolve(cmd.Context(), r.View, opts)
		if err != nil {
			return err
		}
		bar := a.progress(-1, "exporting "+r.Name(), "rows")
		write := writeArrow
		if history {
			write = writeHistory
		}
		n, err := write(cmd.Context(), r, path, answer, bar.set)
		bar.finish()
		if err != nil {
			return err
		}
		return a.exported(r.Name(), path, n, history, answer)
	}
	return cmd
}

func checkOutput(path string, history bool) error {
	if history && filepath.Ext(path) != ".jsonl" {
		return exit.Errorf(exit.Usage, "--history writes JSON lines: end %s in .jsonl", path)
	}
	if history {
		return nil
	}
	return exit.With(exit.Usage, arrow.CheckPath(path))
}

// resolve fixes the instant of an answer that takes several reads.
func resolve(ctx context.Context, v *views.View, opts []views.Option) (views.Answer, error) {
	return v.Resolve(ctx, opts...)
}

func (a *app) exported(
	view, path string, n int64, history bool, answer views.Answer,
) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("looking at what was written: %w", err)
	}
	things := "row"
	if history {
		things = "version"
	}
	if a.json {
		return a.printJSON(map[string]any{
			"view": view, "file": path, things + "s": n, "bytes": info.Size(),
			"as_of": answer.AsOf.String(), "watermark": answer.Watermark.String(),
		})
	}
	_, err = fmt.Fprintf(a.out, "%s: %s of %s as of %s, %s\n", path,
		count(int(n), things), view, answer.AsOf, size(info.Size()))
	return err
}

// writeArrow writes the view as of one instant.
func writeArrow(ctx context.Context, r *reader, path string, answer views.Answer,
	progress func(int64),
) (int64, error) {
	pipeline, version := r.Pipeline()
	meta := arrow.Meta{
		View: r.Name(), AsOf: answer.AsOf, Watermark: answer.Watermark,
		Quality: answer.Quality, Pipeline: pipeline, PipelineVersion: version,
	}
	rows, _, err := r.Rows(ctx, views.Range{}, views.AsOf(answer.AsOf))
	if err != nil {
		return 0, err
	}
	rd := arrow.NewEncodedReader(ctx, memory.DefaultAllocator, r.Schema(), meta, rows, 0)
	defer rd.Release()
	return arrow.WriteFile(ctx, path, rd, progress)
}

// writeHistory writes all versions of a view, aside until all is there.
func writeHistory(ctx context.Context, r *reader, path string, answer views.Answer,
	progress func(int64),
) (n int64, err error) {
	partial := path + ".partial"
	f, err := os.Create(partial)
	if err != nil {
		return 0, fmt.Errorf("writing history: %w", err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(partial)
		}
	}()
	w := bufio.NewWriterSize(f, 256<<10)
	var line []byte
	_, err = r.Histories(ctx, views.Range{}, func(key string, h []views.Version) (bool, error) {
		for _, v := range h {
			line = r.appendVersion(line[:0], key, v)
			if _, err := w.Write(line); err != nil {
				return false, err
			}
			n++
		}
		progress(n)
		return true, nil
	}, views.AsOf(answer.AsOf))
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Close()
	}
	if err == nil {
		err = os.Rename(partial, path)
	}
	if err != nil {
		return n, fmt.Errorf("writing history to %s: %w", path, err)
	}
	return n, nil
}

// appendVersion appends the line of a version: the form of a pipeline test's history.
func (r *reader) appendVersion(dst []byte, key string, v views.Version) []byte {
	dst = append(dst, `{"view":`...)
	dst = appendString(dst, r.Name())
	dst = append(dst, `,"key":`...)
	dst = appendString(dst, key)
	dst = append(dst, `,"valid_from":`...)
	dst = appendMillis(dst, v.From)
	dst = append(dst, `,"valid_to":`...)
	if v.To == timeline.MaxTime {
		dst = append(dst, "null"...)
	} else {
		dst = appendMillis(dst, v.To)
	}
	dst = append(dst, `,"value":`...)
	dst = append(dst, r.value(v.Row)...)
	return append(dst, '}', '\n')
}

func appendString(dst []byte, s string) []byte { return row.AppendJSON(dst, s) }

// appendMillis appends t in milliseconds, with a fraction only where it has one.
func appendMillis(dst []byte, t timeline.Time) []byte {
	ms, us := int64(t)/1000, int64(t)%1000
	if us == 0 {
		return strconv.AppendInt(dst, ms, 10)
	}
	if t < 0 {
		dst, ms, us = append(dst, '-'), -ms, -us
	}
	dst = strconv.AppendInt(dst, ms, 10)
	dst = append(dst, '.')
	digits := strconv.FormatInt(1000+us, 10)[1:]
	for digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
	}
	return append(dst, digits...)
}
