package feed

import (
	"errors"
	"fmt"
	"sort"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/align"
	"github.com/tideline/tideline/timeline/wire"
)

// push feeds what was fetched into the merge.
func (w *worker) push(b batch) error {
	l, in := &w.lanes[b.input], &w.cfg.Inputs[b.input]
	for _, r := range b.records {
		if r.Offset < l.next || l.end >= 0 && r.Offset >= l.end {
			continue
		}
		w.passSeals(b.input, r.Offset)
		l.next = r.Offset + 1
		if r.Attrs.IsControl() {
			w.merge.Reached(b.input, l.next)
			continue
		}
		var err error
		if in.Senders > 0 {
			err = w.pushExchange(b.input, r)
		} else {
			err = w.pushStream(b.input, r)
		}
		if err != nil {
			return err
		}
	}
	w.passSeals(b.input, l.next)
	return nil
}

// pushExchange reads a record of an exchange: one of our own, so anything unreadable
// means that the topic is damaged.
func (w *worker) pushExchange(input int, r *kgo.Record) error {
	damaged := func(err error) error {
		return fmt.Errorf("reading exchange %s/%d at offset %d: %w; "+
			"the topic was written by something else: delete it and replay",
			r.Topic, r.Partition, r.Offset, err)
	}
	kind, err := wire.KindOf(r.Value)
	if err != nil {
		return damaged(err)
	}
	switch kind {
	case wire.KindWatermark:
		m, err := wire.DecodeWatermark(r.Value)
		if err != nil {
			return damaged(err)
		}
		w.merge.Promise(input, m.Sender, r.Offset, m.At, m.Quality)
		return nil
	case wire.KindChange:
		c, err := wire.DecodeChange(r.Value)
		if err != nil {
			return damaged(err)
		}
		data := make([]byte, 0, frameHeader+len(r.Key)+len(c.Row))
		data = appendFrame(data, DataFrame, uint8(c.Op), input, r.Key, c.Row)
		_, _, err = w.merge.Push(align.Record{
			Input: input, Sender: c.Sender, Offset: r.Offset,
			At: c.Stamp.At, N: c.Stamp.N, Output: c.Output, Data: data,
		})
		return err
	default:
		return damaged(fmt.Errorf("unexpected record kind %d", kind))
	}
}

// pushStream reads a record of a source topic.
func (w *worker) pushStream(input int, r *kgo.Record) error {
	in, d := &w.cfg.Inputs[input], &w.decoded
	*d = Decoded{Key: d.Key[:0], Row: d.Row[:0]}
	if err := w.lanes[input].decoder.Decode(r, d); err != nil {
		var de *DecodeError
		if !errors.As(err, &de) {
			return fmt.Errorf("reading %s/%d at offset %d: %w", r.Topic, r.Partition, r.Offset, err)
		}
		return w.reject(input, r, de)
	}
	rec := align.Record{Input: input, Offset: r.Offset, At: d.At, Position: d.Position,
		HasPosition: d.HasPosition, TiesAllowed: d.TiesAllowed}
	switch d.Kind {
	case Nothing:
		rec.At, rec.TimeOnly = timeline.MinTime, true
		rec.HasPosition = false
	case Heartbeat:
		rec.TimeOnly = true
	case Change:
		data := make([]byte, 0, frameHeader+len(d.Key)+len(d.Row))
		rec.Data = appendFrame(data, DataFrame, uint8(d.Op), input, d.Key, d.Row)
	}
	if in.MaxAhead > 0 && d.Kind != Nothing && w.future(in, r, d.At) {
		return w.reject(input, r, &DecodeError{
			Reason: wire.Future, At: d.At,
			Err: fmt.Errorf("event time %s is more than max_ahead (%s) past the clock", d.At, in.MaxAhead),
		})
	}
	if w.cfg.Final != nil && rec.At > w.cfg.Final.At() {
		w.cfg.Final.Raise(rec.At)
	}
	verdict, ref, err := w.merge.Push(rec)
	switch {
	case err != nil:
		return err
	case verdict == align.Late:
		return w.late(input, r, d.At, ref)
	case verdict == align.Waiting:
		w.lanes[input].waiting = append(w.lanes[input].waiting, r)
	}
	return nil
}

// settleLate applies what the clock topic says and buries the records that waited for it
// and have proved late.
func (w *worker) settleLate(clock *subscription) error {
	read := clock.caughtUp() // asked before apply, which then has all of it
	clock.apply(w)
	w.endLanes(read)
	for {
		rec, ref, ok := w.merge.NextLate()
		if !ok {
			break
		}
		waiting := w.lanes[rec.Input].waiting
		i := sort.Search(len(waiting), func(i int) bool { return waiting[i].Offset >= rec.Offset })
		if err := w.late(rec.Input, waiting[i], rec.At, ref); err != nil {
			return err
		}
	}
	for i := range w.lanes {
		l := &w.lanes[i]
		if l.ended {
			l.waiting = nil
		}
		for len(l.waiting) > 0 && l.waiting[0].Offset < l.known {
			l.waiting = l.waiting[1:]
		}
	}
	return nil
}

// future says whether a record is implausibly far ahead of the clock.
func (w *worker) future(in *Input, r *kgo.Record, at timeline.Time) bool {
	far := at > timeline.FromTime(w.cfg.Now().Add(in.MaxAhead))
	return w.cfg.Future.judge(r.Topic, r.Partition, r.Offset, far)
}

func (w *worker) late(input int, r *kgo.Record, at timeline.Time, ref align.Ref) error {
	wm := "the watermark of its partition"
	err := fmt.Errorf("event time %s is at or before %s", at, wm)
	if w.cfg.Inputs[input].LateFail {
		return fmt.Errorf("late record in %s/%d at offset %d (late: fail): %w",
			r.Topic, r.Partition, r.Offset, err)
	}
	w.bury(input, r, &DecodeError{Reason: wire.Late, At: at, Err: err}, ref)
	return nil
}

func (w *worker) reject(input int, r *kgo.Record, de *DecodeError) error {
	if w.cfg.Inputs[input].ErrorFail {
		return fmt.Errorf("record in %s/%d at offset %d cannot be applied (on_error: fail): %s: %w",
			r.Topic, r.Partition, r.Offset, de.Reason, de)
	}
	w.bury(input, r, de, w.merge.Reject(input, r.Offset))
	return nil
}

// bury sends a record to the dead letters, through goka, so that the record counts as
// done only when its dead letter is safe.
func (w *worker) bury(input int, r *kgo.Record, de *DecodeError, ref align.Ref) {
	dl := wire.DeadLetter{
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Value: r.Value,
		At: de.At, Reason: de.Reason, Detail: de.Error(),
	}
	if r.Key != nil {
		key := string(r.Key)
		dl.Key = &key
	}
	if len(r.Headers) > 0 {
		dl.Headers = map[string]string{}
		for _, h := range r.Headers {
			if utf8.Valid(h.Value) {
				dl.Headers[h.Key] = string(h.Value)
			}
		}
	}
	w.scratch = wire.AppendDeadLetter(w.scratch[:0], dl)
	key := dl.DeadLetterKey()
	data := make([]byte, 0, frameHeader+len(key)+len(w.scratch))
	data = appendFrame(data, DeadFrame, 0, input, []byte(key), w.scratch)
	stampFrame(data, timeline.Stamp{At: de.At})
	w.send(data, ref, true)
}
