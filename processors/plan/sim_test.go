package plan

import (
	"fmt"
	"hash/fnv"
	"sort"
	"strings"

	"pgregory.net/rapid"

	"github.com/tideline/tideline/processors/operator"
	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/timeline/wire"
)

// simulation runs a plan in memory, one instant after the other: what brokers, feeds and
// stores do, without them. Which sender's messages of an instant come first is drawn.
type simulation struct {
	t      *rapid.T
	plan   *Plan
	tables map[*Stage][]simTable // by partition
	sent   map[string][][]simMessage
	routes map[*Exchange]*operator.Router
}

type simMessage struct {
	sender int
	key    string
	op     wire.Op
	row    []byte
}

// simTable holds the versions of each key, oldest first.
type simTable map[string][]wire.Version

func (s simTable) Get(key string) (wire.Version, bool, error) {
	return s.AsOf(key, timeline.MaxTime)
}

func (s simTable) AsOf(key string, t timeline.Time) (wire.Version, bool, error) {
	for i := len(s[key]) - 1; i >= 0; i-- {
		if v := s[key][i]; v.Stamp.At <= t {
			return v, true, nil
		}
	}
	return wire.Version{}, false, nil
}

func (s simTable) Scan(prefix string, fn func(string, wire.Version) (bool, error)) error {
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

func newSimulation(t *rapid.T, p *Plan) *simulation {
	s := &simulation{t: t, plan: p, tables: map[*Stage][]simTable{},
		routes: map[*Exchange]*operator.Router{}}
	for _, st := range p.Stages {
		for range st.Partitions {
			s.tables[st] = append(s.tables[st], simTable{})
		}
		for _, x := range st.Outputs {
			s.routes[x] = operator.NewRouter(x.Route)
		}
	}
	return s
}

func simPartition(key string, n int) int {
	if i := strings.IndexByte(key, 0xFE); i >= 0 {
		key = key[:i]
	}
	h := fnv.New32a()
	h.Write([]byte(key))
	return int(h.Sum32() % uint32(n))
}

// simChange is a change of a stream's row; a nil row deletes it.
type simChange struct {
	stream string
	key    string
	row    row.Row // all columns of the stream
}

// instant takes all changes of one instant through all stages.
func (s *simulation) instant(at timeline.Time, changes []simChange) {
	s.sent = map[string][][]simMessage{}
	for _, st := range s.plan.Stages {
		if st.Op == nil {
			continue
		}
		in := make([][]simMessage, 0, len(st.Inputs))
		for p := range st.Partitions {
			in = in[:0]
			for _, i := range st.Inputs {
				in = append(in, s.arriving(i, p, st.Partitions, changes))
			}
			s.process(st, p, at, in)
		}
	}
}

func (s *simulation) arriving(in Input, p, n int, changes []simChange) (out []simMessage) {
	if in.Stream == nil {
		if parts := s.sent[in.Topic]; parts != nil {
			out = parts[p]
		}
		return s.interleave(out)
	}
	for _, c := range changes {
		if c.stream != in.Stream.Name || simPartition(c.key, n) != p {
			continue
		}
		m := simMessage{key: c.key, op: wire.Delete}
		if c.row != nil {
			var r row.Row
			for _, i := range in.Columns {
				r = append(r, c.row[i])
			}
			m.op, m.row = wire.Upsert, row.AppendRow(nil, r)
		}
		out = append(out, m)
	}
	return out
}

// interleave draws an order that keeps each sender's.
func (s *simulation) interleave(in []simMessage) []simMessage {
	bySender := map[int][]simMessage{}
	var senders []int
	for _, m := range in {
		if bySender[m.sender] == nil {
			senders = append(senders, m.sender)
		}
		bySender[m.sender] = append(bySender[m.sender], m)
	}
	var out []simMessage
	for len(out) < len(in) {
		i := 0
		if len(senders) > 1 {
			i = rapid.IntRange(0, len(senders)-1).Draw(s.t, "sender")
		}
		q := bySender[senders[i]]
		out, bySender[senders[i]] = append(out, q[0]), q[1:]
		if len(q) == 1 {
			senders = append(senders[:i:i], senders[i+1:]...)
		}
	}
	return out
}

func (s *simulation) process(st *Stage, p int, at timeline.Time, in [][]simMessage) {
	table, n := s.tables[st][p], uint64(0)
	for input, msgs := range in {
		for _, m := range msgs {
			n++
			out := operator.Effects{Emit: func(sign int, r row.Row) error {
				return s.emit(st, p, sign, r)
			}}
			c := operator.Change{Input: input, Key: m.key, At: at, Op: m.op, Row: m.row}
			if err := st.Op.Process(table, c, &out); err != nil {
				s.t.Fatalf("stage %s: %v", st.Name, err)
			}
			if out.Changed {
				v := out.Version
				v.Stamp = timeline.Stamp{At: at, N: n}
				table[m.key] = append(table[m.key], v)
			}
		}
	}
}

func (s *simulation) emit(st *Stage, p, sign int, r row.Row) error {
	for _, x := range st.Outputs {
		key, b, ok, err := s.routes[x].Send(nil, r)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		op := wire.Insert
		if sign < 0 {
			op = wire.Retract
		}
		if s.sent[x.Topic] == nil {
			s.sent[x.Topic] = make([][]simMessage, x.Partitions)
		}
		to := &s.sent[x.Topic][simPartition(key, x.Partitions)]
		if n := len(*to) - 1; n >= 0 && sign > 0 && (*to)[n].sender == p &&
			(*to)[n].key == key && (*to)[n].op == wire.Retract {
			(*to)[n].op, (*to)[n].row = wire.Replace, wire.AppendPair(nil, (*to)[n].row, b)
			continue
		}
		*to = append(*to, simMessage{sender: p, key: key, op: op, row: b})
	}
	return nil
}

// rows returns a view's rows as text, in order.
func (s *simulation) rows(v *View) []string {
	var out []string
	for _, st := range s.plan.Stages {
		if st.View != v {
			continue
		}
		for _, table := range s.tables[st] {
			for key := range table {
				ver, _, _ := table.Get(key)
				if ver.Deleted {
					continue
				}
				r, err := row.DecodeRow(ver.Row)
				if err != nil {
					s.t.Fatalf("view %s, key %s: %v", v.Name, key, err)
				}
				vals := make([]row.Value, len(v.Schema.Key))
				for i, k := range v.Schema.Key {
					vals[i] = r[k]
				}
				if row.KeyText(vals) != key {
					s.t.Fatalf("view %s: row %v stands under key %q", v.Name, r, key)
				}
				out = append(out, simText(r))
			}
		}
	}
	sort.Strings(out)
	return out
}

func simText(r row.Row) string {
	parts := make([]string, len(r))
	for i, v := range r {
		parts[i] = plainText(v)
	}
	return fmt.Sprint(parts)
}
