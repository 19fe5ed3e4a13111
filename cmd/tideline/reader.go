package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tideline/tideline/cmd/internal/datadir"
	"github.com/tideline/tideline/cmd/internal/exit"
	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/kafka"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/views"
)

// instant is what the flags of a reading command say about time.
type instant struct {
	asOf, atLeast string
	wait          time.Duration
}

func (i *instant) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&i.asOf, "as-of", "", "the instant to read (default: the latest)")
	cmd.Flags().StringVar(&i.atLeast, "at-least", "",
		"read the latest instant, once it is this one or later")
	cmd.Flags().DurationVar(&i.wait, "wait", 0,
		"how long to wait for the instant to become final (default: not at all)")
	cmd.MarkFlagsMutuallyExclusive("as-of", "at-least")
}

func (i *instant) options(a *app) ([]views.Option, error) {
	opts := []views.Option{views.Wait(i.wait)}
	if i.asOf != "" {
		t, err := a.time("as-of", i.asOf)
		if err != nil {
			return nil, err
		}
		opts = append(opts, views.AsOf(t))
	}
	if i.atLeast != "" {
		t, err := a.time("at-least", i.atLeast)
		if err != nil {
			return nil, err
		}
		opts = append(opts, views.AtLeast(t))
	}
	return opts, nil
}

// reader is an open view and what has to be closed after it.
type reader struct {
	*views.View
	broker *datadir.Broker
	place  *datadir.Place
}

// open opens the view of that name, caught up. A pipeline that has only just been
// started is waited for as long as the read itself may wait.
func (a *app) open(ctx context.Context, name string, wait time.Duration) (_ *reader, err error) {
	r := &reader{}
	defer func() {
		if err != nil {
			r.Close()
		}
	}()
	if r.broker, err = a.connect(ctx, datadir.Read); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(wait); ; {
		if err = a.openOn(ctx, r, name); err == nil {
			return r, nil
		}
		missing := errors.Is(err, errNoPipelines) || errors.Is(err, views.ErrNoPipeline) ||
			errors.Is(err, kafka.ErrNoTopic)
		if !missing || time.Now().After(deadline) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (a *app) openOn(ctx context.Context, r *reader, name string) (err error) {
	c := views.Config{Kafka: r.broker.Config}
	if c.Pipeline, err = a.pipelineName(ctx, c.Kafka); err != nil {
		return err
	}
	cat, err := views.Load(ctx, c)
	if err != nil {
		return err
	}
	if r.place == nil {
		r.place, err = datadir.Replica(a.data, a.brokers, c.Pipeline, name)
		if err != nil {
			return err
		}
	}
	c.Dir = r.place.Dir
	v, err := views.OpenIn(ctx, c, cat, name)
	if err == nil {
		r.View = v
	}
	return err
}

// Close closes everything in the right order.
func (r *reader) Close() {
	if r.View != nil {
		// The replica is a cache: what is wrong with closing it shows at the next read.
		_ = r.View.Close()
	}
	if r.place != nil {
		r.place.Close()
	}
	if r.broker != nil {
		r.broker.Close()
	}
}

// key returns the record key of a row.
func (r *reader) key(rw row.Row) string {
	s := r.Schema()
	vals := make([]row.Value, len(s.Key))
	for i, k := range s.Key {
		vals[i] = rw[k]
	}
	return row.KeyText(vals)
}

// value returns the columns that are not in the key, as a JSON object.
func (r *reader) value(rw row.Row) json.RawMessage {
	s := r.Schema()
	return row.AppendRowJSON(nil, s.Columns, rw, func(i int) bool {
		for _, k := range s.Key {
			if k == i {
				return true
			}
		}
		return false
	})
}

// answered tells people which instant an answer is true for.
func (a *app) answered(x views.Answer) {
	if !a.json {
		a.note("as of %s, watermark %s (%s)", x.AsOf, x.Watermark, x.Quality)
	}
}

// rowJSON is a row in the output of --json.
type rowJSON struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
	AsOf  string          `json:"as_of"`
}

// versionJSON is a version in the output of --json.
type versionJSON struct {
	Key   string          `json:"key"`
	From  string          `json:"valid_from"`
	To    *string         `json:"valid_to"` // null: it still holds
	Value json.RawMessage `json:"value"`
}

// text shows a value to people.
func text(v row.Value) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return v
	}
	b := row.AppendJSON(nil, v)
	if bytes.HasPrefix(b, []byte{'"'}) {
		var s string
		if json.Unmarshal(b, &s) == nil {
			return s
		}
	}
	return string(b)
}

// headings returns the column names of a view for a table, numbers to the right.
func headings(s row.Schema) []string {
	out := make([]string, len(s.Columns))
	for i, c := range s.Columns {
		out[i] = strings.ToUpper(c.Name)
		switch c.Type.Kind {
		case row.Bigint, row.Double, row.Decimal:
			out[i] = ">" + out[i]
		}
	}
	return out
}

func cells(r row.Row) []string {
	out := make([]string, len(r))
	for i, v := range r {
		out[i] = text(v)
	}
	return out
}

// timeText shows the end of a validity interval.
func timeText(t timeline.Time, open string) string {
	if t == timeline.MaxTime {
		return open
	}
	return t.String()
}

func noRow(view, key string, x views.Answer) error {
	return exit.With(exit.NotFound, fmt.Errorf(
		"view %s has no row under key %s as of %s", view, key, x.AsOf))
}
