package kafka

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ReadAll hands every record that topic holds at the time of the call to fn, each
// partition in order. A topic that does not exist is ErrNoTopic.
func ReadAll(ctx context.Context, c Config, topic string, fn func(*kgo.Record) error) error {
	return ReadFrom(ctx, c, topic, nil, fn)
}

// ReadFrom is ReadAll from the given offset of each partition on; the oldest record where
// from names none.
func ReadFrom(
	ctx context.Context, c Config, topic string, from map[int32]int64,
	fn func(*kgo.Record) error,
) error {
	cl, err := c.NewClient(kgo.KeepControlRecords())
	if err != nil {
		return err
	}
	defer cl.Close()
	if _, err := NewTopics(cl, 0, 0).Count(ctx, topic); err != nil {
		return err
	}
	adm := kadm.NewClient(cl)
	starts, err := adm.ListStartOffsets(ctx, topic)
	if err != nil {
		return fmt.Errorf("listing offsets of %s: %w", topic, err)
	}
	ends, err := adm.ListEndOffsets(ctx, topic)
	if err != nil {
		return fmt.Errorf("listing offsets of %s: %w", topic, err)
	}
	left := map[int32]int64{}
	at := map[int32]kgo.Offset{}
	ends.Each(func(o kadm.ListedOffset) {
		s, ok := starts.Lookup(topic, o.Partition)
		start := max(s.Offset, from[o.Partition])
		if ok && start < o.Offset {
			left[o.Partition] = o.Offset
			at[o.Partition] = kgo.NewOffset().At(start)
		}
	})
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: at})
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("reading %s: %w", topic, err)
		}
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("reading %s: %w", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			end, ok := left[r.Partition]
			if !ok || err != nil || r.Offset >= end {
				return
			}
			if !r.Attrs.IsControl() {
				err = fn(r)
			}
			if r.Offset >= end-1 {
				delete(left, r.Partition)
			}
		})
		if err != nil {
			return fmt.Errorf("reading %s: %w", topic, err)
		}
	}
	return nil
}
