package processors

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/tideline/tideline/processors/feed"
	"github.com/tideline/tideline/processors/plan"
	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/catalog"
	"github.com/tideline/tideline/timeline/kafka"
)

// Runner runs a pipeline in this process, sharing its partitions with other processes
// that run the same pipeline.
type Runner struct {
	plan *plan.Plan
	opts Options

	producer *kafka.Producer
	tables   *kafka.Tables
	clock    *feed.Clock
	ends     map[string][]int64
	final    *feed.Final // of a bounded replay, else nil
	future   *feed.Future
}

// New prepares a runner; nothing is connected yet.
func New(p *plan.Plan, o Options) (*Runner, error) {
	if o.Dir == "" {
		return nil, errors.New("running pipeline: no directory for local state given")
	}
	o.fill()
	return &Runner{plan: p, opts: o}, nil
}

// Run runs the pipeline until ctx ends, a stage fails, or, in a bounded replay,
// everything is final.
func (r *Runner) Run(ctx context.Context) error {
	if err := r.open(ctx); err != nil {
		if ctx.Err() != nil {
			return r.close() // told to stop before it had begun
		}
		return errors.Join(fmt.Errorf("starting pipeline %s: %w", r.plan.Pipeline.Name, err), r.close())
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	for _, p := range r.plan.Stages {
		s := newStage(r, p)
		group.Go(func() error { return s.run(ctx) })
	}
	r.runClock(ctx, group)
	if r.opts.UntilEnd {
		group.Go(func() error {
			defer cancel()
			return r.waitFinal(ctx)
		})
	}
	return errors.Join(group.Wait(), r.close())
}

// open connects, checks and creates topics, and publishes the catalog.
func (r *Runner) open(ctx context.Context) error {
	var err error
	if r.producer, err = kafka.NewProducer(r.opts.Kafka); err != nil {
		return err
	}
	if r.tables, err = kafka.NewTables(r.opts.Kafka); err != nil {
		return err
	}
	if err := r.createTopics(ctx); err != nil {
		return err
	}
	if err := r.checkOutputs(ctx); err != nil {
		return err
	}
	r.future = feed.NewFuture(r.opts.Kafka, catalog.DeadLetterTopic(r.plan.Pipeline.Name))
	if r.opts.UntilEnd {
		r.final = feed.NewFinal(timeline.FromTime(r.opts.Now()))
		var topics []string
		for _, s := range r.plan.Streams {
			topics = append(topics, s.Topic)
		}
		if r.ends, err = r.topics(0).Ends(ctx, topics...); err != nil {
			return err
		}
	}
	return r.publish(ctx)
}

func (r *Runner) close() error {
	if r.tables != nil {
		r.tables.Shutdown()
	}
	if r.producer == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return r.producer.Close(ctx)
}

func (r *Runner) topics(retention time.Duration) *kafka.Topics {
	return kafka.NewTopics(r.producer.Client(), r.opts.Kafka.Replication, retention)
}

// createTopics makes the internal topics; a table topic is made by its stage.
func (r *Runner) createTopics(ctx context.Context) error {
	name := r.plan.Pipeline.Name
	topics := r.topics(0)
	for _, s := range r.plan.Streams {
		n, err := topics.Count(ctx, s.Topic)
		if err != nil {
			return fmt.Errorf("stream %s: %w", s.Name, err)
		}
		if n != s.Partitions {
			return fmt.Errorf("stream %s: topic %s now has %d partitions, the plan was made for %d; "+
				"start again", s.Name, s.Topic, n, s.Partitions)
		}
	}
	for _, s := range r.plan.Stages {
		for _, x := range exchangesOf(s) {
			if err := topics.Ensure(ctx, x.Topic, x.Partitions, kafka.Keep); err != nil {
				return err
			}
		}
	}
	if err := topics.Ensure(ctx, catalog.DeadLetterTopic(name), 1, kafka.Keep); err != nil {
		return err
	}
	if err := topics.Ensure(ctx, catalog.Topic(name), 1, kafka.Compact); err != nil {
		return err
	}
	if len(r.clocked()) == 0 {
		return nil
	}
	return topics.Ensure(ctx, feed.ClockTopic(name), 1, kafka.Keep)
}

// clocked returns the delay of each topic whose quiet partitions the clock advances.
func (r *Runner) clocked() map[string]time.Duration {
	delays := map[string]time.Duration{}
	for _, s := range r.plan.Streams {
		if s.Delay > 0 {
			delays[s.Topic] = s.Delay
		}
	}
	if len(delays) > 0 && r.clock == nil {
		r.clock = feed.NewClock(delays)
	}
	return delays
}

func (r *Runner) runClock(ctx context.Context, group *errgroup.Group) {
	delays := r.clocked()
	if len(delays) == 0 {
		return
	}
	var topics []string
	for t := range delays {
		topics = append(topics, t)
	}
	name := feed.ClockTopic(r.plan.Pipeline.Name)
	group.Go(func() error { return r.clock.Read(ctx, r.opts.Kafka, name) })
	group.Go(func() error {
		return feed.WriteClock(ctx, r.producer.Client(), name, topics, r.opts.ClockEvery)
	})
}

// checkOutputs refuses to go on where a stage has told its readers something, but the
// topic that it told them in is gone: what it held is not going to be written again.
func (r *Runner) checkOutputs(ctx context.Context) error {
	adm := kadm.NewClient(r.producer.Client())
	for _, s := range r.plan.Stages {
		status, err := feed.FetchStatus(ctx, adm, s.Group)
		if err != nil {
			return err
		}
		told := map[int32]bool{}
		for _, st := range status {
			if st.Announced > timeline.MinTime {
				told[st.Partition] = true
			}
		}
		for p := range told {
			if err := r.checkOutput(ctx, s, p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Runner) checkOutput(ctx context.Context, s *plan.Stage, p int32) error {
	gone := func(topic string) error {
		return fmt.Errorf("topic %s has lost what stage %s wrote to it, and group %s is past "+
			"that: delete the groups and internal topics of the pipeline to rebuild its views",
			topic, s.Name, s.Group)
	}
	if s.Op != nil {
		ends, err := r.existingEnds(ctx, s.Table())
		if err != nil {
			return err
		}
		if int(p) >= len(ends) || ends[p] == 0 {
			return gone(s.Table())
		}
	}
	for _, x := range exchangesOf(s) {
		ends, err := r.existingEnds(ctx, x.Topic)
		if err != nil {
			return err
		}
		if slices.Contains(ends, 0) || len(ends) == 0 {
			return gone(x.Topic)
		}
	}
	return nil
}

// existingEnds is Ends of one topic; nil if there is none.
func (r *Runner) existingEnds(ctx context.Context, topic string) ([]int64, error) {
	topics := r.topics(0)
	if _, err := topics.Count(ctx, topic); err != nil {
		if errors.Is(err, kafka.ErrNoTopic) {
			err = nil
		}
		return nil, err
	}
	ends, err := topics.Ends(ctx, topic)
	return ends[topic], err
}

// publish writes the catalog record.
func (r *Runner) publish(ctx context.Context) error {
	b, err := Describe(r.plan).Encode()
	if err != nil {
		return err
	}
	rec := &kgo.Record{
		Topic: catalog.Topic(r.plan.Pipeline.Name), Key: []byte(catalog.Key), Value: b,
	}
	if err := r.producer.Client().ProduceSync(ctx, rec).FirstErr(); err != nil {
		return fmt.Errorf("publishing catalog: %w", err)
	}
	return nil
}

// slots is how many merges this process may run at most.
func (r *Runner) slots() int {
	n := 0
	for _, s := range r.plan.Stages {
		n += s.Partitions
	}
	return max(1, n)
}

// waitFinal returns when the bounded replay is complete in all processes: every stream
// partition has been read to its end and is final as far as it goes, and every partition
// of every stage has told its readers so.
func (r *Runner) waitFinal(ctx context.Context) error {
	adm := kadm.NewClient(r.producer.Client())
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		done, err := r.complete(ctx, adm)
		if ctx.Err() != nil {
			return nil
		}
		if kafka.Away(err) {
			continue
		}
		if done || err != nil {
			return err
		}
	}
}

func (r *Runner) complete(ctx context.Context, adm *kadm.Client) (bool, error) {
	announced := timeline.MaxTime // least over all partitions of all stages
	read := true
	for _, s := range r.plan.Stages {
		status, err := feed.FetchStatus(ctx, adm, s.Group)
		if err != nil {
			return false, err
		}
		if len(status) < s.Partitions*len(s.Inputs) {
			return false, nil
		}
		for _, st := range status {
			announced = min(announced, st.Announced)
			if ends, ok := r.ends[st.Topic]; ok {
				read = read && st.Offset >= ends[st.Partition]
				// Another process may have read a later event time.
				r.final.Raise(st.Progress.MaxAt)
			}
		}
	}
	return read && announced >= r.final.At(), nil
}
