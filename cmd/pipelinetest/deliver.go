package pipelinetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tideline/tideline/cmd/internal/records"
	"github.com/tideline/tideline/processors/feed"
	"github.com/tideline/tideline/processors/plan"
	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/kafka"
)

// defaultPartitions is how many partitions topics get if the input names none.
const defaultPartitions = 4

// partitionsOf is how many partitions the topics of an input have.
func partitionsOf(input []records.Line) int {
	n := 0
	for _, l := range input {
		if l.Partition != nil {
			n = max(n, int(*l.Partition)+1)
		}
	}
	if n == 0 {
		n = defaultPartitions
	}
	return n
}

// shuffle changes the interleaving between partitions, between one wait and the next,
// and keeps the order within each.
func shuffle(input []records.Line, seed int64) []records.Line {
	if seed == 0 {
		return input
	}
	rnd := rand.New(rand.NewPCG(uint64(seed), 0))
	out := make([]records.Line, 0, len(input))
	for len(input) > 0 {
		end := 0
		for end < len(input) && input[end].WaitWatermark == nil {
			end++
		}
		out = append(out, interleave(input[:end], rnd)...)
		if end < len(input) {
			out = append(out, input[end])
			end++
		}
		input = input[end:]
	}
	return out
}

func interleave(lines []records.Line, rnd *rand.Rand) []records.Line {
	queues := map[string][]records.Line{}
	var names []string
	for _, l := range lines {
		name := l.Topic
		if l.Partition != nil {
			name = fmt.Sprintf("%s/%d", l.Topic, *l.Partition)
		}
		if queues[name] == nil {
			names = append(names, name)
		}
		queues[name] = append(queues[name], l)
	}
	out := make([]records.Line, 0, len(lines))
	for len(names) > 0 {
		i := rnd.IntN(len(names))
		q := queues[names[i]]
		n := 1 + rnd.IntN(min(len(q), 20)) // runs, as fetches bring them
		out = append(out, q[:n]...)
		if queues[names[i]] = q[n:]; len(q) == n {
			names = append(names[:i], names[i+1:]...)
		}
	}
	return out
}

// toRecord is the Kafka record of an input line.
func toRecord(l records.Line, partitions int) *kgo.Record {
	r := &kgo.Record{Topic: l.Topic, Value: l.Value}
	if l.Key != nil {
		r.Key = []byte(*l.Key)
	}
	switch {
	case l.Partition != nil:
		r.Partition = *l.Partition
	case l.Key != nil:
		r.Partition = kafka.PartitionOf(*l.Key, partitions)
	}
	if l.TS != nil {
		r.Timestamp = time.UnixMilli(*l.TS)
	}
	for _, h := range l.Headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
	}
	return r
}

// awaitWatermark returns when the least watermark over all streams has reached t.
func awaitWatermark(
	ctx context.Context, cl *kgo.Client, p *plan.Plan, t timeline.Time,
) error {
	adm := kadm.NewClient(cl)
	least := timeline.MinTime
	err := poll(ctx, func() (bool, error) {
		var err error
		least, err = leastWatermark(ctx, adm, p)
		return least >= t, err
	})
	if err != nil {
		return fmt.Errorf("waiting for watermark %s, it is at %s: %w", t, least, err)
	}
	return nil
}

// poll asks until the answer is yes, there is an error, or ctx ends.
func poll(ctx context.Context, ask func() (bool, error)) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := ask(); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// committed tells apart what the stages have committed at different times.
func committed(ctx context.Context, cl *kgo.Client, p *plan.Plan) (string, error) {
	adm := kadm.NewClient(cl)
	var b strings.Builder
	for _, s := range p.Stages {
		status, err := feed.FetchStatus(ctx, adm, s.Group)
		if err != nil {
			return "", err
		}
		for _, st := range status {
			fmt.Fprintf(&b, "%s/%d %d %d\n", st.Topic, st.Partition, st.Offset, int64(st.Announced))
		}
	}
	return b.String(), nil
}

func leastWatermark(
	ctx context.Context, adm *kadm.Client, p *plan.Plan,
) (timeline.Time, error) {
	least := timeline.MaxTime
	for _, s := range p.Stages {
		raw := false
		for _, in := range s.Inputs {
			raw = raw || in.Exchange == nil
		}
		if !raw {
			continue
		}
		status, err := feed.FetchStatus(ctx, adm, s.Group)
		if err != nil {
			return 0, err
		}
		seen := map[int32]bool{}
		for _, st := range status {
			seen[st.Partition] = true
			least = min(least, st.Progress.Watermark)
		}
		if len(seen) < s.Partitions {
			return timeline.MinTime, nil
		}
	}
	return least, nil
}
