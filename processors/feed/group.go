package feed

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Group is the time-aligned consumer group of one stage in this process.
type Group struct {
	cfg Config
	cl  *kgo.Client

	ready chan *session // sessions that kgo has assigned and whose offsets are known
	errs  chan error    // Errors() of sarama: errors come out of Consume instead

	mu      sync.Mutex
	pending map[int32]struct{}         // assigned partition numbers, offsets not fetched yet
	resume  map[int32][]committedInput // by partition number, in input order
	current *session
	fatal   error
}

// New returns the group; nothing is connected before goka consumes.
func New(cfg Config) *Group {
	if cfg.SessionTimeout == 0 {
		cfg.SessionTimeout = 45 * time.Second
	}
	if cfg.CommitEvery == 0 {
		cfg.CommitEvery = 500 * time.Millisecond
	}
	if cfg.WatermarkEvery == 0 {
		cfg.WatermarkEvery = 5 * time.Millisecond
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Group{cfg: cfg, ready: make(chan *session, 1), errs: make(chan error)}
}

// Builder is for goka.WithConsumerGroupBuilder.
func (g *Group) Builder() goka.ConsumerGroupBuilder {
	return func([]string, string, string) (sarama.ConsumerGroup, error) { return g, nil }
}

func (g *Group) connect() error {
	heartbeat := min(3*time.Second, g.cfg.SessionTimeout/3)
	opts := []kgo.Opt{
		kgo.ConsumerGroup(g.cfg.Group),
		kgo.ConsumeTopics(g.cfg.topics()...),
		kgo.Balancers(balancer{}),
		kgo.SessionTimeout(g.cfg.SessionTimeout),
		kgo.HeartbeatInterval(heartbeat),
		// How long the others wait for a member to finish and commit its work.
		kgo.RebalanceTimeout(max(5*time.Second, g.cfg.SessionTimeout*4/3)),
		kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.KeepControlRecords(),
		kgo.FetchMaxBytes(8 << 20), kgo.FetchMaxPartitionBytes(1 << 20),
		kgo.FetchMaxWait(100 * time.Millisecond),
		kgo.OnPartitionsAssigned(g.onAssigned),
		kgo.OnPartitionsRevoked(g.onRevoked),
		kgo.OnPartitionsLost(g.onLost),
		kgo.OnOffsetsFetched(g.onOffsets),
		kgo.AdjustFetchOffsetsFn(g.onAdjust),
	}
	if g.cfg.InstanceID != "" {
		opts = append(opts, kgo.InstanceID(g.cfg.InstanceID))
	}
	// The callbacks run as soon as there is a client: they wait here until it is known.
	g.mu.Lock()
	defer g.mu.Unlock()
	cl, err := g.cfg.Kafka.NewClient(opts...)
	if err != nil {
		return err
	}
	g.cl = cl
	return nil
}

func (g *Group) onAssigned(_ context.Context, _ *kgo.Client, added map[string][]int32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pending = map[int32]struct{}{}
	for _, parts := range added {
		for _, p := range parts {
			g.pending[p] = struct{}{}
		}
	}
}

// onOffsets reads the cut out of the commits' metadata.
func (g *Group) onOffsets(_ context.Context, _ *kgo.Client, resp *kmsg.OffsetFetchResponse) error {
	resume, err := parseFetched(&g.cfg, resp)
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil {
		g.fatal = err
	}
	g.resume = resume
	return nil
}

// onAdjust starts partitions without a commit at their oldest record, and publishes the
// session: from here on kgo fetches.
func (g *Group) onAdjust(
	ctx context.Context, offsets map[string]map[int32]kgo.Offset,
) (map[string]map[int32]kgo.Offset, error) {
	g.mu.Lock()
	cl := g.cl
	g.mu.Unlock()
	starts, err := kadm.NewClient(cl).ListStartOffsets(ctx, g.cfg.topics()...)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("listing oldest offsets: %w", err) // kgo tries again
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for topic, parts := range offsets {
		in := g.cfg.inputOf(topic)
		for p := range parts {
			if in < 0 {
				continue
			}
			if g.resume[p] == nil {
				g.resume[p] = g.cfg.fresh()
			}
			c := &g.resume[p][in]
			if c.next = c.progress.Offset; c.next < 0 {
				oldest, _ := starts.Lookup(topic, p)
				c.next = oldest.Offset
			}
			parts[p] = kgo.NewOffset().At(c.next)
		}
	}
	s := newSession(g, g.pending, g.resume, g.fatal)
	g.current = s
	select {
	case <-g.ready: // an older session that Consume has not picked up yet
	default:
	}
	g.ready <- s
	return offsets, nil
}

// onRevoked ends the session, final commit included, before the partitions go.
func (g *Group) onRevoked(context.Context, *kgo.Client, map[string][]int32) { g.endCurrent(nil) }

// onLost ends a session whose partitions already belong to somebody else.
func (g *Group) onLost(context.Context, *kgo.Client, map[string][]int32) {
	g.endCurrent(errLost)
}

func (g *Group) endCurrent(cause error) {
	g.mu.Lock()
	s := g.current
	g.current = nil
	g.mu.Unlock()
	if s == nil {
		return
	}
	s.stop(cause)
	select {
	case <-g.ready: // never started
	case <-s.done:
	}
}

// Consume implements sarama.ConsumerGroup: it runs session after session until ctx ends
// or something fails. (goka would pause five seconds after each return.)
func (g *Group) Consume(
	ctx context.Context, _ []string, handler sarama.ConsumerGroupHandler,
) error {
	if g.cl == nil {
		if err := g.connect(); err != nil {
			return err
		}
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case s := <-g.ready:
			if err := s.run(ctx, handler); err != nil && ctx.Err() == nil {
				return fmt.Errorf("running group %s: %w", g.cfg.Group, err)
			}
		}
	}
}

// Errors implements sarama.ConsumerGroup; errors come out of Consume.
func (g *Group) Errors() <-chan error { return g.errs }

// Close leaves the group, unless the member is static, and disconnects.
func (g *Group) Close() error {
	if g.cl != nil {
		g.cl.Close()
	}
	return nil
}

// Pause implements sarama.ConsumerGroup.
func (g *Group) Pause(parts map[string][]int32) { g.cl.PauseFetchPartitions(parts) }

// Resume implements sarama.ConsumerGroup.
func (g *Group) Resume(parts map[string][]int32) { g.cl.ResumeFetchPartitions(parts) }

// PauseAll implements sarama.ConsumerGroup.
func (g *Group) PauseAll() { g.cl.PauseFetchTopics(g.cfg.topics()...) }

// ResumeAll implements sarama.ConsumerGroup.
func (g *Group) ResumeAll() { g.cl.ResumeFetchTopics(g.cfg.topics()...) }
