package oracle

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/tideline/tideline/processors/plan"
	"github.com/tideline/tideline/processors/spec"
)

// stream is a declared stream. Its first columns are its key.
type stream struct {
	name        string
	keys        int
	cols        []column // without _time
	partitions  int
	partitioner string
}

// change puts a row under its key at an instant, or deletes it.
type change struct {
	stream int
	key    []any
	row    []any // all columns; nil: deleted
	ms     int64
	order  int // of delivery within the partition, which is its position
}

// text is the record key.
func (x *change) text() string {
	key := make([]int, len(x.key))
	for i := range key {
		key[i] = i
	}
	return keyText(x.key, key)
}

type view struct {
	name string
	q    *query
}

// trial is a drawn case: what is declared and what happens.
type trial struct {
	seed       uint64
	streams    []stream
	views      []view
	changes    []change // by instant, then stream, then position
	partitions int      // of internal topics
	lateness   int64    // milliseconds
}

// yaml writes the pipeline file.
func (c *trial) yaml() string {
	var b strings.Builder
	fmt.Fprintf(&b, "pipeline: oracle\npartitions: %d\nstreams:\n", c.partitions)
	for _, s := range c.streams {
		var cols, key []string
		for _, x := range s.cols[:s.keys] {
			key = append(key, x.name)
		}
		for _, x := range s.cols {
			cols = append(cols, fmt.Sprintf("%s: %s", x.name, x.kind.yaml()))
		}
		fmt.Fprintf(&b, "  %s:\n    key: [%s]\n    columns: {%s}\n    order: disordered\n"+
			"    lateness: %dms\n    partitioner: %s\n    position: {header: position}\n"+
			"    heartbeats: {key_prefix: \"~hb:\"}\n",
			s.name, strings.Join(key, ", "), strings.Join(cols, ", "), c.lateness, s.partitioner)
	}
	b.WriteString("views:\n")
	for _, v := range c.views {
		fmt.Fprintf(&b, "  %s:\n    retention: forever\n    sql: |\n      %s\n", v.name, v.q.sql())
	}
	return b.String()
}

func (k kind) yaml() string {
	switch k.base {
	case 't':
		return "text"
	case 'i':
		return "bigint"
	}
	return fmt.Sprintf("\"decimal(10,%d)\"", k.scale)
}

// plan plans the case. The error tells that the planner refuses a query.
func (c *trial) plan() (*plan.Plan, error) {
	p, err := spec.Parse("pipeline.yaml", []byte(c.yaml()))
	if err != nil {
		return nil, err
	}
	return plan.Build(p, func(topic string) (int, error) {
		i := slices.IndexFunc(c.streams, func(s stream) bool { return s.name == topic })
		return c.streams[i].partitions, nil
	})
}

// world is what the queries read.
func (c *trial) world() *world {
	w := &world{views: map[string]*query{}}
	for _, v := range c.views {
		w.views[v.name] = v.q
	}
	w.rows = func(name string, t at) (table, bool) {
		i := slices.IndexFunc(c.streams, func(s stream) bool { return s.name == name })
		if i < 0 {
			return table{}, false
		}
		return c.stood(i, t), true
	}
	return w
}

// stood returns a stream's rows at an instant.
func (c *trial) stood(i int, t at) table {
	out := table{cols: slices.Clone(c.streams[i].cols)}
	out.cols = append(out.cols, column{c.streams[i].name, "_time", instant})
	last := map[string]change{}
	for _, x := range c.changes {
		if x.stream == i && at(x.ms) <= t {
			last[x.text()] = x
		}
	}
	keys := make([]string, 0, len(last))
	for k := range last {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		if x := last[k]; x.row != nil {
			out.rows = append(out.rows, append(slices.Clone(x.row), at(x.ms)))
		}
	}
	return out
}

// instants are those at which something happens.
func (c *trial) instants() (out []int64) {
	for _, x := range c.changes {
		if len(out) == 0 || out[len(out)-1] != x.ms {
			out = append(out, x.ms)
		}
	}
	return out
}

// start is when the first change happens.
func (c *trial) start() int64 {
	if len(c.changes) == 0 {
		return epoch
	}
	return c.changes[0].ms
}

// sorted puts the changes into the order of their effect.
func (c *trial) sorted() {
	slices.SortStableFunc(c.changes, func(a, b change) int {
		switch {
		case a.ms != b.ms:
			return int(a.ms - b.ms)
		case a.stream != b.stream:
			return a.stream - b.stream
		}
		return a.order - b.order
	})
}
