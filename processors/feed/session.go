package feed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// errLost ends a session whose partitions another member has taken over: there is
// nothing left to commit.
var errLost = errors.New("partitions were lost to another member")

// session is one generation of the group: from an assignment to its revocation. It is
// goka's sarama.ConsumerGroupSession.
type session struct {
	g       *Group
	parts   []int32
	workers map[int32]*worker
	fail    error // found before the start

	ctx    context.Context //nolint:containedctx // goka asks for it: Context
	cancel context.CancelCauseFunc
	done   chan struct{}
	hurry  chan struct{} // a commit is wanted now

	commitMu  sync.Mutex
	committed map[int32]string // last metadata committed, by partition
}

func newSession(
	g *Group, pending map[int32]struct{}, resume map[int32][]committedInput, fail error,
) *session {
	s := &session{
		g: g, fail: fail, done: make(chan struct{}), hurry: make(chan struct{}, 1),
		workers: map[int32]*worker{}, committed: map[int32]string{},
	}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	for p := range pending {
		s.parts = append(s.parts, p)
	}
	slices.Sort(s.parts)
	for _, in := range g.cfg.Inputs {
		// A pause outlives the assignment it was made under; the new workers know
		// nothing of it.
		g.cl.ResumeFetchPartitions(map[string][]int32{in.Topic: s.parts})
	}
	for _, p := range s.parts {
		w, err := newWorker(s, p, resume[p])
		if err != nil && s.fail == nil {
			s.fail = err
		}
		s.workers[p] = w
	}
	return s
}

func (s *session) stop(cause error) {
	if cause == nil {
		cause = context.Canceled
	}
	s.cancel(cause)
}

// run is the life of the session; it returns when all of its goroutines have.
func (s *session) run(ctx context.Context, handler sarama.ConsumerGroupHandler) error {
	defer close(s.done)
	if s.fail != nil {
		return s.fail
	}
	defer context.AfterFunc(ctx, func() { s.stop(nil) })()
	if err := s.g.cfg.Future.Refresh(s.ctx); err != nil && s.ctx.Err() == nil {
		return fmt.Errorf("reading earlier dead letters: %w", err)
	}
	if err := handler.Setup(s); err != nil {
		return errors.Join(fmt.Errorf("setting up: %w", err), handler.Cleanup(s))
	}
	var wg sync.WaitGroup
	guard := func(what string, fn func() error) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := fn(); err != nil {
				s.cancel(fmt.Errorf("%s: %w", what, err))
			}
		}()
	}
	for _, p := range s.parts {
		w := s.workers[p]
		guard(fmt.Sprintf("feeding partition %d", p), w.run)
		for i, in := range s.g.cfg.Inputs {
			c := &claim{topic: in.Topic, partition: p, messages: w.idle}
			if i == 0 {
				c.messages = w.out
			}
			guard("consuming", func() error { return s.consume(handler, c) })
		}
	}
	guard("polling", s.poll)
	guard("committing", s.commitLoop)
	<-s.ctx.Done()
	wg.Wait()
	err := handler.Cleanup(s) // waits for the writes in flight, so that their marks are in
	cause := context.Cause(s.ctx)
	if !errors.Is(cause, errLost) {
		s.finalCommit()
	}
	for _, w := range s.workers {
		err = errors.Join(err, w.close())
	}
	if errors.Is(cause, context.Canceled) || errors.Is(cause, errLost) {
		cause = nil
	}
	return errors.Join(cause, err)
}

// consume runs goka's loop over a claim. goka returns early when its partition processor
// has failed; the reason comes out of Cleanup.
func (s *session) consume(handler sarama.ConsumerGroupHandler, c *claim) error {
	err := handler.ConsumeClaim(s, c)
	if err == nil && s.ctx.Err() == nil {
		err = errors.New("the partition processor stopped")
	}
	return err
}

func (s *session) poll() error {
	for {
		fetches := s.g.cl.PollRecords(s.ctx, 20_000)
		if s.ctx.Err() != nil || fetches.IsClientClosed() {
			return nil //nolint:nilerr // told to stop
		}
		var err error
		fetches.EachPartition(func(f kgo.FetchTopicPartition) {
			if f.Err != nil {
				if !passing(f.Err) {
					err = errors.Join(err, pollError(s.g.cfg.Group, f))
				}
				return
			}
			w, in := s.workers[f.Partition], s.g.cfg.inputOf(f.Topic)
			if w == nil || in < 0 || len(f.Records) == 0 {
				return
			}
			select {
			case w.in <- batch{input: in, records: f.Records, high: f.HighWatermark}:
			case <-s.ctx.Done():
			}
		})
		if err != nil {
			return err
		}
	}
}

// commitLoop commits the cuts of all partitions together, in one request.
func (s *session) commitLoop() error {
	tick := time.NewTicker(s.g.cfg.CommitEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return nil
		case <-tick.C:
		case <-s.hurry:
		}
		// A commit that fails is repeated by the next one; losing the session shows
		// up as a lost assignment.
		_ = s.commit(s.ctx)
	}
}

func (s *session) finalCommit() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, w := range s.workers {
		w.settle()
	}
	// If this fails, the next owner resumes at an older cut and repeats some work.
	_ = s.commit(ctx)
}

func (s *session) commit(ctx context.Context) error {
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	offsets := map[string]map[int32]kgo.EpochOffset{}
	metadata := map[string]map[int32]string{}
	snaps := map[int32]*snapshot{}
	for p, w := range s.workers {
		snap := w.snapshot.Load()
		if snap == nil || s.committed[p] == snap.text {
			continue
		}
		snaps[p] = snap
		for i, in := range s.g.cfg.Inputs {
			if offsets[in.Topic] == nil {
				offsets[in.Topic] = map[int32]kgo.EpochOffset{}
				metadata[in.Topic] = map[int32]string{}
			}
			offsets[in.Topic][p] = kgo.EpochOffset{Epoch: -1, Offset: snap.offsets[i]}
			metadata[in.Topic][p] = snap.metadata[i]
		}
	}
	if len(offsets) == 0 {
		return nil
	}
	ctx = kgo.PreCommitFnContext(ctx, func(req *kmsg.OffsetCommitRequest) error {
		for i := range req.Topics {
			t := &req.Topics[i]
			for j := range t.Partitions {
				m := metadata[t.Topic][t.Partitions[j].Partition]
				t.Partitions[j].Metadata = &m
			}
		}
		return nil
	})
	var failed error
	s.g.cl.CommitOffsetsSync(ctx, offsets, func(
		_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error,
	) {
		failed = errors.Join(err, commitErrors(resp))
	})
	if failed != nil {
		return failed
	}
	for p, snap := range snaps {
		s.committed[p] = snap.text
		s.workers[p].committed(snap)
		if s.g.cfg.Committed != nil {
			s.g.cfg.Committed(p, snap.cut)
		}
	}
	return nil
}

// Claims implements sarama.ConsumerGroupSession: every topic with the same partitions.
func (s *session) Claims() map[string][]int32 {
	claims := map[string][]int32{}
	if len(s.parts) == 0 {
		return claims
	}
	for _, in := range s.g.cfg.Inputs {
		claims[in.Topic] = slices.Clone(s.parts)
	}
	return claims
}

// MemberID implements sarama.ConsumerGroupSession.
func (s *session) MemberID() string { id, _ := s.g.cl.GroupMetadata(); return id }

// GenerationID implements sarama.ConsumerGroupSession.
func (s *session) GenerationID() int32 { _, n := s.g.cl.GroupMetadata(); return n }

// MarkOffset implements sarama.ConsumerGroupSession; offset-1 is the delivery's number.
func (s *session) MarkOffset(_ string, partition int32, offset int64, _ string) {
	if w := s.workers[partition]; w != nil {
		w.mark(offset - 1)
	}
}

// MarkMessage implements sarama.ConsumerGroupSession.
func (s *session) MarkMessage(m *sarama.ConsumerMessage, meta string) {
	s.MarkOffset(m.Topic, m.Partition, m.Offset+1, meta)
}

// ResetOffset implements sarama.ConsumerGroupSession; the cut decides, not the caller.
func (s *session) ResetOffset(string, int32, int64, string) {}

// Commit implements sarama.ConsumerGroupSession.
func (s *session) Commit() { _ = s.commit(s.ctx) }

// Context implements sarama.ConsumerGroupSession.
func (s *session) Context() context.Context { return s.ctx }

// claim is one topic partition as goka sees it.
type claim struct {
	topic     string
	partition int32
	messages  <-chan *sarama.ConsumerMessage
}

func (c *claim) Topic() string                            { return c.topic }
func (c *claim) Partition() int32                         { return c.partition }
func (c *claim) InitialOffset() int64                     { return 0 }
func (c *claim) HighWaterMarkOffset() int64               { return 0 }
func (c *claim) Messages() <-chan *sarama.ConsumerMessage { return c.messages }
