package processors

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/lovoo/goka"

	"github.com/tideline/tideline/processors/operator"
	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/timeline/store"
	"github.com/tideline/tideline/timeline/wire"
)

// stateBefore is a partition's state as of just before a stamp.
type stateBefore struct {
	store *store.Store
	stamp timeline.Stamp
}

// Get implements operator.State.
func (s *stateBefore) Get(key string) (wire.Version, bool, error) {
	return s.store.Before(key, s.stamp)
}

// AsOf implements operator.State.
func (s *stateBefore) AsOf(key string, t timeline.Time) (wire.Version, bool, error) {
	if t >= s.stamp.At {
		return s.store.Before(key, s.stamp)
	}
	return s.store.AsOf(key, t)
}

// Scan implements operator.State.
func (s *stateBefore) Scan(prefix string, fn func(string, wire.Version) (bool, error)) error {
	return s.store.ScanGroup(prefix, s.stamp, func(order []byte, v wire.Version) (bool, error) {
		return fn(string(order[:len(order)-1]), v)
	})
}

// orderEnd ends the order key of a table that only operators read. It occurs in no record
// key, so that no order key is a prefix of another.
const orderEnd = 0xFF

func internalOrder(key string) ([]byte, error) {
	return append(append(make([]byte, 0, len(key)+1), key...), orderEnd), nil
}

// internalGroup is what Scan asks for: the rows of one lane under a partition key.
func internalGroup(order []byte) int {
	if i := bytes.IndexByte(order, keySplit); i >= 0 && i+1 < len(order) {
		return i + 2
	}
	return 0
}

// keySplit ends the part of a composite record key that decides the partition; the lane
// follows.
const keySplit = 0xFE

func internalText(order []byte) (string, error) {
	return strings.TrimSuffix(string(order), "\xFF"), nil
}

// sender sends the rows that one partition of a stage emits to its exchanges. A row that
// leaves and comes back in the same form, because what changed is not carried, is not
// sent at all; one that another replaces under the same key goes with it in one message.
type sender struct {
	routes  []route
	ctx     goka.Context
	stamp   timeline.Stamp
	outputs uint32 // of the message
	// homeless counts the rows of the instant whose key holds a null: those that came
	// less those that went.
	homeless int
}

type route struct {
	*operator.Router
	topic goka.Stream
	held  bool // a retraction waits for what follows it
	key   string
	row   []byte
	spare []byte
	pair  []byte
}

// sender returns the partition's sender.
func (s *stage) sender(p int32) *sender {
	s.mu.RLock()
	out := s.senders[p]
	s.mu.RUnlock()
	if out != nil {
		return out
	}
	out = &sender{}
	for _, x := range s.plan.Outputs {
		out.routes = append(out.routes,
			route{Router: operator.NewRouter(x.Route), topic: goka.Stream(x.Topic)})
	}
	s.mu.Lock()
	s.senders[p] = out
	s.mu.Unlock()
	return out
}

func (s *sender) begin(ctx goka.Context, st timeline.Stamp) error {
	if st.At != s.stamp.At {
		if err := s.endInstant(); err != nil {
			return err
		}
	}
	s.ctx, s.stamp, s.outputs = ctx, st, 0
	for i := range s.routes {
		s.routes[i].held = false
	}
	return nil
}

// endInstant fails if a row that has no key stays. What a partition emits is the change of
// a set of rows, so it need not look at other partitions.
func (s *sender) endInstant() error {
	n := s.homeless
	s.homeless = 0
	if n > 0 {
		return fmt.Errorf("sending rows at %s: %w", s.stamp.At, operator.ErrNullKey)
	}
	return nil
}

func (s *sender) emit(sign int, r row.Row) error {
	for i := range s.routes {
		t := &s.routes[i]
		key, b, ok, err := t.Send(t.spare[:0], r)
		if errors.Is(err, operator.ErrNullKey) {
			s.homeless += sign
			continue
		}
		if err != nil {
			return err
		}
		t.spare = b
		if !ok {
			continue
		}
		switch {
		case sign > 0 && t.held && key == t.key && bytes.Equal(b, t.row):
			t.held = false
			continue
		case sign > 0 && t.held && key == t.key:
			t.held = false
			t.pair = wire.AppendPair(t.pair[:0], t.row, b)
			s.send(t, wire.Replace, key, t.pair)
			continue
		case t.held:
			s.send(t, wire.Retract, t.key, t.row)
			t.held = false
		}
		if sign > 0 {
			s.send(t, wire.Insert, key, b)
			continue
		}
		t.held, t.key = true, key
		t.row, t.spare = b, t.row
	}
	return nil
}

// end sends what is held back.
func (s *sender) end() {
	for i := range s.routes {
		if t := &s.routes[i]; t.held {
			s.send(t, wire.Retract, t.key, t.row)
			t.held = false
		}
	}
}

func (s *sender) send(t *route, op wire.Op, key string, r []byte) {
	c := wire.Change{
		Stamp: s.stamp, Output: s.outputs, Sender: s.ctx.Partition(), Op: op, Row: r,
	}
	s.outputs++
	s.ctx.Emit(t.topic, key, wire.AppendChange(make([]byte, 0, len(r)+32), c))
}
