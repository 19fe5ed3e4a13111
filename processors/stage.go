package processors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/lovoo/goka"
	"github.com/lovoo/goka/storage"

	"github.com/tideline/tideline/processors/feed"
	"github.com/tideline/tideline/processors/operator"
	"github.com/tideline/tideline/processors/plan"
	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/align"
	"github.com/tideline/tideline/timeline/catalog"
	"github.com/tideline/tideline/timeline/kafka"
	"github.com/tideline/tideline/timeline/store"
	"github.com/tideline/tideline/timeline/wire"
)

// stage runs one stage of the plan as a goka processor.
type stage struct {
	r    *Runner
	plan *plan.Stage
	dead goka.Stream

	mu      sync.RWMutex
	senders map[int32]*sender
	stores  map[int32]*store.Store // open partitions of the group table
	floors  map[int32]timeline.Time
}

func newStage(r *Runner, p *plan.Stage) *stage {
	return &stage{
		r: r, plan: p, dead: goka.Stream(catalog.DeadLetterTopic(r.plan.Pipeline.Name)),
		senders: map[int32]*sender{},
		stores:  map[int32]*store.Store{}, floors: map[int32]timeline.Time{},
	}
}

// run runs the stage until ctx ends or it fails.
func (s *stage) run(ctx context.Context) error {
	f := feed.New(s.feedConfig())
	proc, err := goka.NewProcessor(s.r.opts.Kafka.Brokers, s.graph(),
		goka.WithConsumerGroupBuilder(f.Builder()),
		goka.WithConsumerSaramaBuilder(s.r.tables.Builder()),
		goka.WithProducerBuilder(s.r.producer.Builder()),
		goka.WithTopicManagerBuilder(s.r.topics(s.retention()).Builder()),
		goka.WithStorageBuilder(s.openStore),
		goka.WithHasher(kafka.NewHasher),
		goka.WithNilHandling(goka.NilProcess),
		goka.WithPartitionChannelSize(256),
		goka.WithBackoffBuilder(func() (goka.Backoff, error) {
			return goka.NewSimpleBackoff(100*time.Millisecond, 5*time.Second), nil
		}),
		goka.WithLogger(gokaLog{s.r.opts.Log.With("stage", s.plan.Name)}),
	)
	if err != nil {
		return fmt.Errorf("preparing stage %s: %w", s.plan.Name, err)
	}
	if err := proc.Run(ctx); err != nil && ctx.Err() == nil {
		return fmt.Errorf("running stage %s: %w", s.plan.Name, err)
	}
	return nil
}

func (s *stage) graph() *goka.GroupGraph {
	raw := rawCodec{}
	edges := []goka.Edge{goka.Output(s.dead, raw)}
	for _, in := range s.plan.Inputs {
		edges = append(edges, goka.Input(goka.Stream(in.Topic), raw, s.process))
	}
	for _, x := range s.exchanges() {
		edges = append(edges, goka.Output(goka.Stream(x.Topic), raw))
	}
	if s.plan.Op != nil {
		edges = append(edges, goka.Persist(raw))
	}
	return goka.DefineGroup(goka.Group(s.plan.Group), edges...)
}

// process is goka's callback for every frame of the stage.
func (s *stage) process(ctx goka.Context, msg any) {
	b, _ := msg.([]byte)
	f, err := feed.ParseFrame(b)
	if err != nil {
		ctx.Fail(fmt.Errorf("stage %s: %w", s.plan.Name, err))
	}
	switch f.Kind {
	case feed.DataFrame:
		if s.plan.Op != nil {
			err = s.update(ctx, f)
		} else {
			s.rekey(ctx, f)
		}
	case feed.WatermarkFrame:
		err = s.advance(ctx, f)
	case feed.DeadFrame:
		ctx.Emit(s.dead, string(f.Key), f.Row)
	}
	if err != nil {
		ctx.Fail(err)
	}
}

// rekey sends a row of a stream to the partition of its key in the exchange.
func (s *stage) rekey(ctx goka.Context, f feed.Frame) {
	if s.plan.Exchange == nil {
		return
	}
	c := wire.Change{Stamp: f.Stamp, Sender: ctx.Partition(), Op: f.Op, Row: f.Row}
	ctx.Emit(goka.Stream(s.plan.Exchange.Topic), ctx.Key(), wire.AppendChange(nil, c))
}

// update lets the operator take a change: it writes the version under the change's key, and
// sends on the rows that come and go by it.
func (s *stage) update(ctx goka.Context, f feed.Frame) error {
	out := s.sender(ctx.Partition())
	if err := out.begin(ctx, f.Stamp); err != nil {
		return fmt.Errorf("stage %s: %w", s.plan.Name, err)
	}
	c := operator.Change{Input: f.Input, Key: ctx.Key(), At: f.Stamp.At, Op: f.Op, Row: f.Row}
	effects := operator.Effects{}
	if len(s.plan.Outputs) > 0 {
		effects.Emit = out.emit
	}
	st := &stateBefore{store: s.store(ctx.Partition()), stamp: f.Stamp}
	if err := s.plan.Op.Process(st, c, &effects); err != nil {
		return fmt.Errorf("stage %s: %w", s.plan.Name, err)
	}
	out.end()
	if effects.Changed {
		effects.Version.Stamp = f.Stamp
		ctx.SetValue(wire.AppendVersion(nil, effects.Version))
	}
	return nil
}

// exchanges returns where the stage sends rows to.
func (s *stage) exchanges() []*plan.Exchange { return exchangesOf(s.plan) }

func exchangesOf(p *plan.Stage) []*plan.Exchange {
	if p.Exchange != nil {
		return append([]*plan.Exchange{p.Exchange}, p.Outputs...)
	}
	return p.Outputs
}

// advance tells the stage's readers that its watermark has moved.
func (s *stage) advance(ctx goka.Context, f feed.Frame) error {
	p := ctx.Partition()
	if err := s.sender(p).endInstant(); err != nil {
		return fmt.Errorf("stage %s: %w", s.plan.Name, err)
	}
	b := wire.AppendWatermark(nil, wire.Watermark{
		At: f.Stamp.At, Sender: p, Quality: f.Quality,
	})
	for _, x := range s.exchanges() {
		for q := range x.Partitions {
			ctx.Emit(goka.Stream(x.Topic), wire.WatermarkKey(int32(q)), b)
		}
	}
	if s.plan.Op == nil {
		return nil
	}
	ctx.SetValue(b)
	return s.forget(p, f.Stamp.At)
}

// forget lets go of what no read and no re-execution can ask for any more: versions
// behind the horizon that also lie behind the cut last committed.
func (s *stage) forget(p int32, watermark timeline.Time) error {
	if s.plan.History || s.plan.View != nil && s.plan.View.Forever {
		return nil
	}
	s.mu.RLock()
	st, floor, ok := s.stores[p], s.floors[p], s.floors[p] != 0
	s.mu.RUnlock()
	if st == nil || !ok {
		return nil
	}
	horizon := floor - 1
	if s.plan.View != nil {
		horizon = min(watermark-timeline.Duration(s.plan.View.Retention), horizon)
	}
	if err := st.SetHorizon(horizon); err != nil {
		return fmt.Errorf("forgetting history of stage %s: %w", s.plan.Name, err)
	}
	return nil
}

func (s *stage) committed(p int32, cut timeline.Stamp) {
	s.mu.Lock()
	s.floors[p] = cut.At
	s.mu.Unlock()
}

func (s *stage) store(p int32) *store.Store {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.stores[p]
}

func (s *stage) retention() time.Duration {
	if s.plan.View == nil || s.plan.View.Forever {
		return 0
	}
	return s.plan.View.Retention
}

// openStore is goka's storage builder. A damaged store is rebuilt from the table topic.
func (s *stage) openStore(topic string, p int32) (storage.Storage, error) {
	order, text := internalOrder, internalText
	if s.plan.View != nil {
		order, text = catalog.KeyOrder(catalog.KeyTypes(s.plan.View.Schema))
	}
	dir := filepath.Join(s.r.opts.Dir, "state", topic, strconv.Itoa(int(p)))
	o := store.Options{Dir: dir, Key: order, Text: text}
	if s.plan.View == nil {
		o.Group = internalGroup
	}
	st, err := store.Open(o)
	if errors.Is(err, store.ErrCorrupt) {
		s.r.opts.Log.Warn("rebuilding damaged local state from its topic", "dir", dir, "cause", err)
		if err := os.RemoveAll(dir); err != nil {
			return nil, fmt.Errorf("removing damaged state: %w", err)
		}
		st, err = store.Open(o)
	}
	if err != nil {
		return nil, fmt.Errorf("opening state of stage %s, partition %d: %w", s.plan.Name, p, err)
	}
	s.mu.Lock()
	s.stores[p] = st
	delete(s.floors, p)
	delete(s.senders, p) // what it counted is counted again
	s.mu.Unlock()
	return &ownState{Store: st}, nil
}

func (s *stage) feedConfig() feed.Config {
	o := &s.r.opts
	cfg := feed.Config{
		Kafka: o.Kafka, Group: s.plan.Group, Partitions: s.plan.Partitions,
		SessionTimeout: o.SessionTimeout, CommitEvery: o.CommitEvery,
		WatermarkEvery: s.watermarkEvery(), Now: o.Now,
		Memory: o.Memory / int64(s.r.slots()), Spool: s.spool,
		Ends: s.r.ends, Final: s.r.final, Clock: s.r.clock, Future: s.r.future,
		Committed: s.committed,
	}
	if o.InstanceID != "" {
		cfg.InstanceID = s.plan.Group + "." + o.InstanceID
	}
	for _, in := range s.plan.Inputs {
		cfg.Inputs = append(cfg.Inputs, s.feedInput(in))
	}
	return cfg
}

func (s *stage) feedInput(in plan.Input) feed.Input {
	if in.Exchange != nil {
		return feed.Input{Topic: in.Topic, Senders: in.Exchange.Senders}
	}
	st := in.Stream
	return feed.Input{
		Topic: in.Topic, Disordered: st.Disordered, Lateness: st.Lateness,
		Clocked: st.Delay > 0, MaxAhead: st.MaxAhead,
		LateFail: st.LateFail, ErrorFail: st.ErrorFail,
		NewDecoder: func() (feed.Decoder, error) {
			d, err := newDecoder(in)
			if err == nil && s.plan.Op != nil {
				d.(*decoder).partitions = s.plan.Partitions
			}
			return d, err
		},
	}
}

// watermarkEvery spreads the watermarks of wide exchanges: each costs a record per
// receiving partition and sender.
func (s *stage) watermarkEvery() time.Duration {
	n := 0
	for _, x := range s.exchanges() {
		n += x.Partitions * x.Senders
	}
	return s.r.opts.WatermarkEvery * time.Duration(max(1, n/64))
}

func (s *stage) spool(p int32) align.Spool {
	dir := filepath.Join(s.r.opts.Dir, "spool", s.plan.Group, strconv.Itoa(int(p)))
	return spool{dir}
}

// rawCodec passes bytes through: frames and records are encoded where they are made.
type rawCodec struct{}

func (rawCodec) Encode(v any) ([]byte, error) {
	b, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("encoding record: want bytes, have %T", v)
	}
	return b, nil
}

func (rawCodec) Decode(b []byte) (any, error) { return b, nil }

// gokaLog gives goka's messages to slog.
type gokaLog struct{ log *slog.Logger }

func (l gokaLog) Print(v ...any)                 { l.log.Debug(fmt.Sprint(v...)) }
func (l gokaLog) Println(v ...any)               { l.log.Debug(fmt.Sprint(v...)) }
func (l gokaLog) Printf(format string, v ...any) { l.log.Debug(fmt.Sprintf(format, v...)) }
