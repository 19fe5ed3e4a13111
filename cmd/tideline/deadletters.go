package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tideline/tideline/cmd/internal/datadir"
	"github.com/tideline/tideline/cmd/internal/exit"
	"github.com/tideline/tideline/cmd/internal/table"
	"github.com/tideline/tideline/processors/spec"
	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/catalog"
	"github.com/tideline/tideline/timeline/kafka"
	"github.com/tideline/tideline/timeline/wire"
	"github.com/tideline/tideline/views"
)

var reasons = []string{
	string(wire.Late), string(wire.Undecodable), string(wire.WrongPartition),
	string(wire.NoEventTime), string(wire.NoKey), string(wire.Future), string(wire.Unsupported),
}

func (a *app) deadLettersCommand() *cobra.Command {
	var stream, reason string
	var limit int
	cmd := &cobra.Command{
		Use: "dead-letters", Short: "List the records that were not applied, and why",
		Args: cobra.NoArgs,
	}
	a.pipelineFlags(cmd)
	cmd.Flags().StringVar(&stream, "stream", "", "only those of this stream")
	cmd.Flags().StringVar(&reason, "reason", "", "only those with this reason: "+
		strings.Join(reasons, ", "))
	cmd.Flags().IntVar(&limit, "limit", 0, "at most so many (default: all)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if reason != "" && !slices.Contains(reasons, reason) {
			return exit.Errorf(exit.Usage, "--reason %s is none of %s%s", reason,
				strings.Join(reasons, ", "), spec.Suggest(reason, reasons))
		}
		b, err := a.connect(cmd.Context(), datadir.Read)
		if err != nil {
			return err
		}
		defer b.Close()
		topic, cat, err := a.sourceTopic(cmd.Context(), b.Config, stream)
		if err != nil {
			return err
		}
		all, err := readDeadLetters(cmd.Context(), b.Config, cat.Pipeline)
		if err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(d wire.DeadLetter) bool {
			return topic != "" && d.Topic != topic || reason != "" && string(d.Reason) != reason
		})
		return a.printDeadLetters(all, limit)
	}
	return cmd
}

// sourceTopic returns the topic of a stream, and the pipeline's catalog.
func (a *app) sourceTopic(
	ctx context.Context, k kafka.Config, stream string,
) (string, *catalog.Catalog, error) {
	name, err := a.pipelineName(ctx, k)
	if err != nil {
		return "", nil, err
	}
	cat, err := views.Load(ctx, views.Config{Kafka: k, Pipeline: name})
	if err != nil || stream == "" {
		return "", cat, err
	}
	var names []string
	for _, s := range cat.Streams {
		if s.Name == stream {
			return s.Topic, cat, nil
		}
		names = append(names, s.Name)
	}
	return "", nil, exit.Errorf(exit.NotFound, "unknown stream %q; the pipeline has %s%s", stream,
		strings.Join(names, ", "), spec.Suggest(stream, names))
}

// readDeadLetters returns one dead letter a record, however often it was judged, by
// source topic, partition and offset.
func readDeadLetters(
	ctx context.Context, k kafka.Config, pipeline string,
) ([]wire.DeadLetter, error) {
	byKey := map[string]wire.DeadLetter{}
	err := kafka.ReadAll(ctx, k, catalog.DeadLetterTopic(pipeline), func(r *kgo.Record) error {
		d, err := wire.DecodeDeadLetter(r.Value)
		if err != nil {
			return fmt.Errorf("offset %d: %w", r.Offset, err)
		}
		byKey[d.DeadLetterKey()] = d
		return nil
	})
	if err != nil && !errors.Is(err, kafka.ErrNoTopic) {
		return nil, err
	}
	all := make([]wire.DeadLetter, 0, len(byKey))
	for _, d := range byKey {
		all = append(all, d)
	}
	slices.SortFunc(all, func(x, y wire.DeadLetter) int {
		if c := strings.Compare(x.Topic, y.Topic); c != 0 {
			return c
		}
		if x.Partition != y.Partition {
			return int(x.Partition) - int(y.Partition)
		}
		return int(max(-1, min(1, x.Offset-y.Offset)))
	})
	return all, nil
}

func (a *app) printDeadLetters(all []wire.DeadLetter, limit int) error {
	total := len(all)
	if limit > 0 && total > limit {
		all = all[:limit]
	}
	tab := table.New("REASON", "TOPIC", ">PART", ">OFFSET", "KEY", "EVENT TIME", "DETAIL")
	for _, d := range all {
		if a.json {
			line := append(wire.AppendDeadLetter(nil, d), '\n')
			if _, err := a.out.Write(line); err != nil {
				return fmt.Errorf("printing: %w", err)
			}
			continue
		}
		key, at := "none", "unknown"
		if d.Key != nil {
			key = *d.Key
		}
		if d.At != timeline.MinTime {
			at = d.At.String()
		}
		tab.Add(string(d.Reason), d.Topic, fmt.Sprint(d.Partition), fmt.Sprint(d.Offset),
			key, at, d.Detail)
	}
	if a.json {
		return nil
	}
	if total == 0 {
		a.note("no dead letters")
		return nil
	}
	if err := tab.Print(a.out); err != nil {
		return err
	}
	if len(all) < total {
		a.note("the first %d of %s", len(all), count(total, "dead letter"))
	}
	return nil
}
