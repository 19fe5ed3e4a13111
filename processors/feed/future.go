package feed

import (
	"context"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tideline/tideline/timeline/kafka"
	"github.com/tideline/tideline/timeline/wire"
)

// Future knows which records were rejected as implausibly far in the future. Whether one
// is depends on the clock, which moves on between its first reading and a replay, a
// takeover, or the reading of another stage; what was rejected once stays rejected. The
// dead-letter topic is where that is written down.
//
// Two processes that judge one record within the moment in which it becomes plausible may
// still differ, if the second has not seen the first one's dead letter.
type Future struct {
	k     kafka.Config
	topic string

	mu       sync.Mutex
	rejected map[place]struct{}
	next     map[int32]int64 // of the dead-letter topic
}

type place struct {
	topicPartition
	offset int64
}

// NewFuture returns what the dead-letter topic holds once Refresh has read it.
func NewFuture(k kafka.Config, deadLetters string) *Future {
	return &Future{
		k: k, topic: deadLetters,
		rejected: map[place]struct{}{}, next: map[int32]int64{},
	}
}

// Refresh reads what others have rejected since the last call.
func (f *Future) Refresh(ctx context.Context) error {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return kafka.ReadFrom(ctx, f.k, f.topic, f.next, func(r *kgo.Record) error {
		d, err := wire.DecodeDeadLetter(r.Value)
		if err != nil {
			return err
		}
		f.next[r.Partition] = r.Offset + 1
		if d.Reason == wire.Future {
			f.rejected[place{topicPartition{d.Topic, d.Partition}, d.Offset}] = struct{}{}
		}
		return nil
	})
}

// judge says whether a record is rejected, and remembers it if it is: far is what the
// clock says.
func (f *Future) judge(topic string, partition int32, offset int64, far bool) bool {
	if f == nil {
		return far
	}
	p := place{topicPartition{topic, partition}, offset}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.rejected[p]; ok {
		return true
	}
	if far {
		f.rejected[p] = struct{}{}
	}
	return far
}
