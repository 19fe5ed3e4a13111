package oracle

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"math/big"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/tideline/tideline/processors/operator"
	"github.com/tideline/tideline/processors/plan"
	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/timeline/wire"
)

// memory drives a plan's operators without brokers, one instant after the other. Which
// sender's messages of an instant come first is drawn.
type memory struct {
	rnd    *rand.Rand
	plan   *plan.Plan
	tables map[*plan.Stage][]versions // by partition
	routes map[*plan.Exchange]*operator.Router
	sent   map[string][][]message
	held   map[*plan.Exchange]*message // a retraction waits for what follows it
	// homeless counts a stage partition's rows without a key within an instant.
	homeless int
}

type message struct {
	sender int
	key    string
	op     wire.Op
	row    []byte
}

// versions holds the versions of each record key, oldest first.
type versions map[string][]wire.Version

func (s versions) Get(key string) (wire.Version, bool, error) {
	return s.AsOf(key, timeline.MaxTime)
}

func (s versions) AsOf(key string, t timeline.Time) (wire.Version, bool, error) {
	for i := len(s[key]) - 1; i >= 0; i-- {
		if v := s[key][i]; v.Stamp.At <= t {
			return v, true, nil
		}
	}
	return wire.Version{}, false, nil
}

func (s versions) Scan(prefix string, fn func(string, wire.Version) (bool, error)) error {
	var keys []string
	for k := range s {
		if strings.HasPrefix(k, prefix) {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	for _, k := range keys {
		v, _, _ := s.Get(k)
		if v.Deleted {
			continue
		}
		if more, err := fn(k, v); err != nil || !more {
			return err
		}
	}
	return nil
}

func newMemory(p *plan.Plan, seed uint64) *memory {
	m := &memory{rnd: rand.New(rand.NewPCG(seed, 1)), plan: p,
		tables: map[*plan.Stage][]versions{}, routes: map[*plan.Exchange]*operator.Router{}}
	for _, st := range p.Stages {
		for range st.Partitions {
			m.tables[st] = append(m.tables[st], versions{})
		}
		for _, x := range st.Outputs {
			m.routes[x] = operator.NewRouter(x.Route)
		}
	}
	return m
}

func place(key string, n int) int {
	part, _, _ := strings.Cut(key, "\xFE")
	h := fnv.New32a()
	h.Write([]byte(part))
	return int(h.Sum32() % uint32(n))
}

// instant takes all changes of one instant through all stages.
func (m *memory) instant(c *trial, at timeline.Time, changes []change) error {
	m.sent = map[string][][]message{}
	for _, st := range m.plan.Stages {
		if st.Op == nil {
			continue
		}
		for p := range st.Partitions {
			for i, in := range st.Inputs {
				msgs := m.arriving(c, in, p, st.Partitions, changes)
				if err := m.process(st, p, i, at, msgs); err != nil {
					return fmt.Errorf("stage %s: %w", st.Name, err)
				}
			}
			if m.homeless != 0 {
				return fmt.Errorf("stage %s: %d rows: %w", st.Name, m.homeless, operator.ErrNullKey)
			}
		}
	}
	return nil
}

func (m *memory) arriving(c *trial, in plan.Input, p, n int, changes []change) []message {
	if in.Stream == nil {
		if parts := m.sent[in.Topic]; parts != nil {
			return m.interleave(parts[p])
		}
		return nil
	}
	var out []message
	for _, x := range changes {
		key := x.text()
		if c.streams[x.stream].name != in.Stream.Name || place(key, n) != p {
			continue
		}
		msg := message{key: key, op: wire.Delete}
		if x.row != nil {
			var r row.Row
			for _, i := range in.Columns {
				r = append(r, native(x.row[i], c.streams[x.stream].cols[i].kind))
			}
			msg.op, msg.row = wire.Upsert, row.AppendRow(nil, r)
		}
		out = append(out, msg)
	}
	return out
}

// interleave draws an order that keeps each sender's.
func (m *memory) interleave(in []message) []message {
	bySender := map[int][]message{}
	var senders []int
	for _, x := range in {
		if bySender[x.sender] == nil {
			senders = append(senders, x.sender)
		}
		bySender[x.sender] = append(bySender[x.sender], x)
	}
	out := make([]message, 0, len(in))
	for len(out) < len(in) {
		i := m.rnd.IntN(len(senders))
		q := bySender[senders[i]]
		out, bySender[senders[i]] = append(out, q[0]), q[1:]
		if len(q) == 1 {
			senders = slices.Delete(senders, i, i+1)
		}
	}
	return out
}

func (m *memory) process(st *plan.Stage, p, input int, at timeline.Time, in []message) error {
	table := m.tables[st][p]
	for n, x := range in {
		out := operator.Effects{Emit: func(sign int, r row.Row) error {
			return m.emit(st, p, sign, r)
		}}
		c := operator.Change{Input: input, Key: x.key, At: at, Op: x.op, Row: x.row}
		m.held = map[*plan.Exchange]*message{}
		if err := st.Op.Process(table, c, &out); err != nil {
			return err
		}
		for _, x := range st.Outputs {
			if h := m.held[x]; h != nil {
				m.send(x, *h)
			}
		}
		if out.Changed {
			v := out.Version
			v.Stamp = timeline.Stamp{At: at, N: uint64(input)<<32 + uint64(n)}
			v.Row, v.State = slices.Clone(v.Row), slices.Clone(v.State)
			table[x.key] = append(table[x.key], v)
		}
	}
	return nil
}

// emit sends a row on. One that another replaces under the same key goes with it in one
// message.
func (m *memory) emit(st *plan.Stage, p, sign int, r row.Row) error {
	for _, x := range st.Outputs {
		key, b, ok, err := m.routes[x].Send(nil, r)
		if errors.Is(err, operator.ErrNullKey) {
			m.homeless += sign
			continue
		}
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		msg, h := message{sender: p, key: key, op: wire.Insert, row: b}, m.held[x]
		m.held[x] = nil
		switch {
		case sign > 0 && h != nil && h.key == key && bytes.Equal(h.row, b):
			continue
		case sign > 0 && h != nil && h.key == key:
			msg.op, msg.row = wire.Replace, wire.AppendPair(nil, h.row, b)
		case h != nil:
			m.send(x, *h)
		}
		if sign > 0 {
			m.send(x, msg)
			continue
		}
		msg.op = wire.Retract
		m.held[x] = &msg
	}
	return nil
}

func (m *memory) send(x *plan.Exchange, msg message) {
	if m.sent[x.Topic] == nil {
		m.sent[x.Topic] = make([][]message, x.Partitions)
	}
	to := &m.sent[x.Topic][place(msg.key, x.Partitions)]
	*to = append(*to, msg)
}

// rows returns a view's rows, and checks that each stands under its key.
func (m *memory) rows(v *plan.View) ([][]any, error) {
	var out [][]any
	for _, st := range m.plan.Stages {
		if st.View != v {
			continue
		}
		for _, table := range m.tables[st] {
			for key := range table {
				ver, _, _ := table.Get(key)
				if ver.Deleted {
					continue
				}
				r, err := row.DecodeRow(ver.Row)
				if err != nil {
					return nil, err
				}
				vals := make([]row.Value, len(v.Schema.Key))
				for i, k := range v.Schema.Key {
					vals[i] = r[k]
				}
				if row.KeyText(vals) != key {
					return nil, fmt.Errorf("row %v stands under key %q", r, key)
				}
				out = append(out, foreign(r))
			}
		}
	}
	return out, nil
}

// native and foreign translate values between the evaluator's and the rows of stages.
func native(v any, k kind) row.Value {
	switch v := v.(type) {
	case *big.Rat:
		d, _ := decimal.NewFromString(v.FloatString(k.scale))
		return d
	case at:
		return timeline.FromMillis(int64(v))
	}
	return v
}

func foreign(r row.Row) []any {
	out := make([]any, len(r))
	for i, v := range r {
		switch v := v.(type) {
		case decimal.Decimal:
			out[i] = v.Rat()
		case timeline.Time:
			out[i] = at(v.Millis())
		default:
			out[i] = v
		}
	}
	return out
}
