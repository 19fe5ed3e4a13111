package feed

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/align"
	"github.com/tideline/tideline/timeline/wire"
)

// batch is what one fetch brought for one input of a partition.
type batch struct {
	input   int
	records []*kgo.Record
	high    int64 // high water mark
}

// snapshot is a cut ready to be committed.
type snapshot struct {
	offsets  []int64  // by input
	metadata []string // by input
	seals    [][]seal // by input
	cut      timeline.Stamp
	text     string // tells snapshots apart
}

// lane is what a worker keeps per input.
type lane struct {
	decoder Decoder
	next    int64 // offset after the last record seen
	end     int64 // bounded replay: read to here; -1: unbounded
	ended   bool
	final   timeline.Time // what the merge was promised at the end
	paused  bool
	seals   []seal // the first passed of them are known to the merge, or will be by End
	passed  int

	// waiting holds a clocked stream's records whose lateness the clock topic has not
	// settled yet, in offset order: known is the offset up to which it has.
	waiting []*kgo.Record
	known   int64
}

// worker merges and delivers one partition number. Its run goroutine owns everything but
// the queue of marks and the snapshot.
type worker struct {
	s     *session
	cfg   *Config
	p     int32
	merge *align.Merge
	lanes []lane

	in   chan batch
	out  chan *sarama.ConsumerMessage // the first input's claim
	idle chan *sarama.ConsumerMessage // the other claims: never a message

	deliveries deliveries
	announced  timeline.Time // watermark frames sent, marked or not
	settled    timeline.Time // watermark frames marked
	announceAt time.Time     // when the last one was sent
	commitAt   time.Time     // when the last snapshot was taken
	block      []sarama.ConsumerMessage
	decoded    Decoded
	scratch    []byte

	snapshot atomic.Pointer[snapshot]
	sealing  bool                     // lanes have seals that no snapshot holds yet
	durable  atomic.Pointer[[][]seal] // by input, as committed
	wake     chan struct{}            // a snapshot has been committed

	markMu sync.Mutex
	marks  []int64
	spare  []int64
}

func newWorker(s *session, p int32, resume []committedInput) (*worker, error) {
	cfg := &s.g.cfg
	w := &worker{
		s: s, cfg: cfg, p: p, lanes: make([]lane, len(cfg.Inputs)),
		in:        make(chan batch, 4),
		out:       make(chan *sarama.ConsumerMessage, 64),
		idle:      make(chan *sarama.ConsumerMessage),
		announced: timeline.MinTime,
		wake:      make(chan struct{}, 1),
	}
	progress := make([]align.Progress, len(cfg.Inputs))
	for i, in := range cfg.Inputs {
		c := resume[i]
		progress[i] = c.progress
		w.announced = max(w.announced, c.announced)
		w.lanes[i] = lane{next: c.next, end: -1}
		if in.Senders == 0 && cfg.Ends != nil {
			w.lanes[i].end = cfg.Ends[in.Topic][p]
		}
		if in.NewDecoder != nil {
			d, err := in.NewDecoder()
			if err != nil {
				return nil, fmt.Errorf("preparing to read %s: %w", in.Topic, err)
			}
			w.lanes[i].decoder = d
		}
	}
	w.settled = w.announced
	ac := align.Config{Inputs: cfg.alignInputs(), Memory: cfg.Memory}
	if cfg.Spool != nil {
		ac.Spool = cfg.Spool(p)
	}
	var err error
	if w.merge, err = align.New(ac, progress); err != nil {
		return nil, fmt.Errorf("resuming partition %d: %w", p, err)
	}
	for i := range w.lanes {
		w.merge.Reached(i, w.lanes[i].next) // an empty log may start anywhere
		w.resumeSeals(i, &resume[i])
		w.passSeals(i, w.lanes[i].next)
	}
	return w, nil
}

// run steps the merge until the session ends.
func (w *worker) run() error {
	defer close(w.out)
	clock := w.cfg.Clock.subscribe(w.p)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-w.s.ctx.Done():
			return nil
		case b := <-w.in:
			if err := w.push(b); err != nil {
				return err
			}
			if err := w.drainInput(); err != nil {
				return err
			}
		case <-clock.waiting():
		case <-w.wake:
		case <-timer.C:
		}
		if err := w.settleLate(clock); err != nil {
			return err
		}
		if err := w.deliver(); err != nil {
			return err
		}
		w.flow()
		timer.Reset(w.pace())
	}
}

// drainInput takes what else has been fetched, so that one round of delivery serves it all.
func (w *worker) drainInput() error {
	for range cap(w.in) {
		select {
		case b := <-w.in:
			if err := w.push(b); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return nil
}

// pace is how long the worker may sleep if nothing arrives: until the next watermark
// frame or snapshot is due.
func (w *worker) pace() time.Duration {
	if at, _ := w.merge.Watermark(); at > w.announced {
		return max(time.Millisecond, w.cfg.WatermarkEvery-time.Since(w.announceAt))
	}
	return w.cfg.CommitEvery / 2
}

// deliver hands out everything that is due, then the watermark.
func (w *worker) deliver() error {
	for i := 0; ; i++ {
		if i&255 == 0 {
			w.applyMarks()
			w.snap(false)
			if err := w.announce(false); err != nil {
				return err
			}
		}
		d, ok, err := w.merge.Next()
		if err != nil {
			return fmt.Errorf("merging partition %d: %w", w.p, err)
		}
		if !ok {
			break
		}
		stampFrame(d.Record.Data, d.Stamp)
		if !w.send(d.Record.Data, d.Ref, true) {
			return nil
		}
	}
	return w.announce(true)
}

// announce sends a watermark frame if the watermark has moved and enough time has passed.
// All that orders before it has been sent already.
func (w *worker) announce(drained bool) error {
	at, quality := w.merge.Watermark()
	if at <= w.announced {
		return nil
	}
	every := w.cfg.WatermarkEvery
	if !drained {
		every *= 8 // in a backlog the data itself carries time to most receivers
	}
	if time.Since(w.announceAt) < every {
		return nil
	}
	w.announced, w.announceAt = at, time.Now()
	key := wire.WatermarkKey(w.p)
	b := appendFrame(make([]byte, 0, frameHeader+len(key)), WatermarkFrame,
		uint8(quality), 0, []byte(key), nil)
	stampFrame(b, timeline.Stamp{At: at})
	w.sendWatermark(b, at)
	return nil
}

// send gives a frame to goka; false when the session has ended.
func (w *worker) send(data []byte, ref align.Ref, hasRef bool) bool {
	return w.sendMessage(data, delivery{ref: ref, hasRef: hasRef})
}

func (w *worker) sendWatermark(data []byte, at timeline.Time) bool {
	return w.sendMessage(data, delivery{watermark: at, isWatermark: true})
}

func (w *worker) sendMessage(data []byte, d delivery) bool {
	if len(w.block) == 0 {
		w.block = make([]sarama.ConsumerMessage, 256)
	}
	m := &w.block[0]
	w.block = w.block[1:]
	m.Topic, m.Partition = w.cfg.Inputs[0].Topic, w.p
	m.Key, m.Value = frameKey(data), data
	m.Offset = w.deliveries.add(d)
	select {
	case w.out <- m:
		return true
	default:
	}
	for {
		select {
		case w.out <- m:
			return true
		case <-w.s.ctx.Done():
			return false
		case <-time.After(w.cfg.CommitEvery):
			w.applyMarks() // goka is slow: keep the cut moving
			w.snap(false)
		}
	}
}

// mark is called by goka when everything that a delivery caused is safe.
func (w *worker) mark(n int64) {
	w.markMu.Lock()
	w.marks = append(w.marks, n)
	w.markMu.Unlock()
}

func (w *worker) applyMarks() {
	w.markMu.Lock()
	marks := w.marks
	w.marks = w.spare[:0]
	w.markMu.Unlock()
	for _, n := range marks {
		w.deliveries.done(n, func(d delivery) {
			if d.hasRef {
				w.merge.Mark(d.ref)
			}
		}, func(at timeline.Time) { w.settled = max(w.settled, at) })
	}
	w.spare = marks
}

// snap takes a snapshot of the cut if one is due.
func (w *worker) snap(now bool) {
	if !now && time.Since(w.commitAt) < w.cfg.CommitEvery {
		return
	}
	w.commitAt = time.Now()
	snap := &snapshot{}
	for i, p := range w.merge.Progress() {
		snap.offsets = append(snap.offsets, p.Offset)
		snap.seals = append(snap.seals, slices.Clone(w.lanes[i].seals))
		snap.metadata = append(snap.metadata, formatMetadata(w.settled, w.lanes[i].seals, p))
		snap.text += snap.metadata[i] + "\n"
		if i == 0 {
			snap.cut = timeline.Stamp{At: p.Cut.At, N: p.Cut.N}
		}
	}
	w.snapshot.Store(snap)
}

// settle takes the last snapshot, after run has returned.
func (w *worker) settle() {
	w.applyMarks()
	w.snap(true)
}

func (w *worker) close() error { return w.merge.Close() }

// flow pauses the inputs that run ahead and resumes those that are wanted.
func (w *worker) flow() {
	for i := range w.lanes {
		wants := w.merge.Wants(i)
		if wants == !w.lanes[i].paused {
			continue
		}
		w.lanes[i].paused = !wants
		parts := map[string][]int32{w.cfg.Inputs[i].Topic: {w.p}}
		if wants {
			w.s.g.cl.ResumeFetchPartitions(parts)
		} else {
			w.s.g.cl.PauseFetchPartitions(parts)
		}
	}
}

// endLanes tells the merge which inputs a bounded replay has read to their end: what
// the clock topic said by then has been applied before, so that every replay judges alike.
func (w *worker) endLanes(clockRead bool) {
	for i := range w.lanes {
		l := &w.lanes[i]
		if l.end < 0 || l.next < l.end {
			continue
		}
		final := w.cfg.Final.At()
		if l.ended && final <= l.final {
			continue
		}
		if w.cfg.Inputs[i].Clocked && !clockRead {
			continue
		}
		if !w.sealed(i, final) {
			continue
		}
		l.ended, l.final = true, final
		w.merge.End(i, final)
	}
	w.commitSeals()
}
