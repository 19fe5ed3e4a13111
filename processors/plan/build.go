package plan

import (
	"errors"
	"fmt"
	"sort"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/tideline/tideline/processors/operator"
	"github.com/tideline/tideline/processors/spec"
	"github.com/tideline/tideline/timeline/row"
)

// Build plans a pipeline. parts returns the number of partitions of an existing
// source topic. All that is wrong is reported together: topics first, then views in
// file order, each as an *Error.
func Build(p *spec.Pipeline, parts func(topic string) (int, error)) (*Plan, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	b := &builder{plan: &Plan{Pipeline: p}, exchanges: map[*Stream]*Exchange{}}
	if err := b.lookUp(parts); err != nil {
		return nil, err
	}
	b.catalog = newCatalog(b.plan.Streams)
	b.general = &general{b: b, tables: map[*Stream]*tableScan{}, views: map[string]*planned{}}
	var errs []error
	for i := range p.Views {
		if err := b.planView(&p.Views[i]); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	b.keepTables()
	b.partitions()
	b.exchange()
	if err := b.stages(); err != nil {
		return nil, err
	}
	return b.plan, nil
}

type builder struct {
	plan      *Plan
	catalog   sql.Catalog
	general   *general
	queries   []*compiled // what reads streams: joins on keys, and tables
	exchanges map[*Stream]*Exchange
}

// lookUp finds each stream's topic.
func (b *builder) lookUp(parts func(topic string) (int, error)) error {
	var errs []error
	for _, s := range b.plan.Pipeline.Streams {
		n, err := parts(s.Topic)
		if err == nil && n < 1 {
			err = errors.New("it has no partitions")
		}
		if err != nil {
			where := ""
			if at := s.Pos.String(); at != "" {
				where = at + ": "
			}
			errs = append(errs, fmt.Errorf("%sstream %s: finding topic %s: %w; "+
				"create the topic, or correct topic: in the pipeline", where, s.Name, s.Topic, err))
		}
		b.plan.Streams = append(b.plan.Streams, &Stream{Stream: s, Partitions: n})
	}
	return errors.Join(errs...)
}

// compiled is a view's query, bound and lowered, before it has a place to run.
type compiled struct {
	*bound
	join       *operator.KeyJoin // lanes without columns yet
	kept       [][]int
	schema     row.Schema
	partitions int
}

// compileView parses, binds and lowers a view that joins streams on their keys.
func compileView(v *spec.View, p *spec.Pipeline, streams []*Stream,
	bind func(*query) (*bound, error)) (*compiled, error) {
	q, err := parse(v, p, streams)
	if err != nil {
		return nil, err
	}
	b, err := bind(q)
	if err != nil {
		return nil, err
	}
	return lower(b)
}

func lower(b *bound) (*compiled, error) {
	l := newLowerer(b)
	c := &compiled{bound: b, kept: l.kept}
	c.join = &operator.KeyJoin{View: b.view.Name, Key: keyTypes(b.lanes[0].stream)}
	root, patterns, err := b.tree(b.root, l)
	if err != nil {
		return nil, err
	}
	c.join.Root = root
	if b.where != nil {
		if c.join.Filter, err = l.cond(b.where); err != nil {
			return nil, b.near(`\bwhere\b`, "%v", err)
		}
	}
	if c.schema.Key, err = b.keyColumns(patterns); err != nil {
		return nil, err
	}
	for i, e := range b.items {
		x, t, err := l.value(e)
		if err != nil {
			return nil, b.at(b.query.items[i].pos, "column %s: %v", b.query.items[i].name, err)
		}
		for pos, k := range c.schema.Key {
			if k == i {
				x = operator.Key{Position: pos, Name: x.String()}
				t = c.join.Key[pos]
			}
		}
		col := row.Column{Name: b.query.items[i].name, Type: t}
		c.schema.Columns = append(c.schema.Columns, col)
		c.join.Output = append(c.join.Output, operator.Column{Column: col, Expr: x})
	}
	return c, c.checkIndexes()
}

func (c *compiled) checkIndexes() error {
	var names []string
	for _, col := range c.schema.Columns {
		names = append(names, col.Name)
	}
	return c.source.checkIndexes(names, c.schema)
}

func (s *source) checkIndexes(names []string, schema row.Schema) error {
	for _, ix := range s.view.Indexes {
		for _, name := range ix {
			if schema.Find(name) < 0 {
				return s.at(-1, "index column %q is not among its columns%s", name,
					spec.Suggest(name, names))
			}
		}
	}
	return nil
}

// direct says whether a view stage can read the stream's own topic: its records must
// be placed by our hash of the key's one text form.
func direct(s *Stream, partitions int) bool {
	if s.Partitioner != "murmur2" || s.Format != "json" || s.Partitions != partitions ||
		len(s.Schema.Key) != 1 {
		return false
	}
	switch s.Schema.Columns[s.Schema.Key[0]].Type.Kind {
	case row.Text, row.Bigint, row.Boolean, row.Date:
		return true
	}
	return false // a number or an instant can be written in more than one way
}

// partitions settles how many partitions each view has: the pipeline's number, or the
// greatest of its inputs. Views that share an exchange share the number.
func (b *builder) partitions() {
	for _, q := range b.queries {
		q.partitions = b.plan.Pipeline.Partitions
		for _, l := range q.lanes {
			if b.plan.Pipeline.Partitions == 0 {
				q.partitions = max(q.partitions, l.stream.Partitions)
			}
		}
	}
	for again := true; again; {
		again = false
		shared := map[*Stream]int{}
		b.exchanged(func(q *compiled, s *Stream) { shared[s] = max(shared[s], q.partitions) })
		b.exchanged(func(q *compiled, s *Stream) {
			if q.partitions < shared[s] {
				q.partitions, again = shared[s], true
			}
		})
	}
}

// exchanged calls f for each stream that a view cannot read directly.
func (b *builder) exchanged(f func(q *compiled, s *Stream)) {
	for _, q := range b.queries {
		for _, l := range q.lanes {
			if !direct(l.stream, q.partitions) {
				f(q, l.stream)
			}
		}
	}
}

// exchange plans one exchange for each stream that some view cannot read directly. It
// carries what those views need.
func (b *builder) exchange() {
	needed := map[*Stream]map[int]bool{}
	for _, q := range b.queries {
		for i, l := range q.lanes {
			if direct(l.stream, q.partitions) {
				continue
			}
			x := b.exchanges[l.stream]
			if x == nil {
				x = &Exchange{Partitions: q.partitions, Senders: l.stream.Partitions, Stream: l.stream}
				b.exchanges[l.stream] = x
				needed[l.stream] = map[int]bool{}
			}
			for _, c := range q.kept[i] {
				needed[l.stream][c] = true
			}
		}
	}
	for s, x := range b.exchanges {
		x.Columns = sortedKeys(needed[s])
		x.Topic = fmt.Sprintf("%s.%s.%s.rekey", b.plan.Pipeline.Name, s.Name, hash(x.define()))
	}
}

// stages plans source stages in the order of streams, then view stages.
func (b *builder) stages() error {
	read := map[*Stream]bool{}
	for _, q := range b.queries {
		for _, l := range q.lanes {
			read[l.stream] = true
		}
	}
	for _, s := range b.plan.Streams {
		if x := b.exchanges[s]; x != nil || !read[s] {
			b.plan.Stages = append(b.plan.Stages, b.sourceStage(s, x))
		}
	}
	if err := b.operators(); err != nil {
		return err
	}
	all := ""
	for _, s := range b.plan.Stages {
		all += s.Group + "\n"
	}
	b.plan.Version = hash(all)
	return nil
}

func (b *builder) sourceStage(s *Stream, x *Exchange) *Stage {
	in := Input{Topic: s.Topic, Stream: s}
	if x != nil {
		in.Columns = x.Columns
	}
	st := &Stage{Name: s.Name, Partitions: s.Partitions, Inputs: []Input{in}, Exchange: x}
	b.name(st)
	return st
}

func (b *builder) viewStage(q *compiled) (*Stage, error) {
	st := &Stage{Name: q.view.Name, Partitions: q.partitions, Join: q.join, Op: q.join}
	for i, l := range q.lanes {
		in := Input{Topic: l.stream.Topic, Stream: l.stream, Columns: q.kept[i]}
		if !direct(l.stream, q.partitions) {
			in.Exchange = b.exchanges[l.stream]
			in.Topic, in.Columns = in.Exchange.Topic, in.Exchange.Columns
		}
		st.Inputs = append(st.Inputs, in)
		lane := operator.Lane{Name: l.alias, Time: l.time}
		for at, c := range in.Columns {
			lane.Columns = append(lane.Columns, l.stream.Schema.Columns[c])
			if k := sort.SearchInts(q.kept[i], c); k < len(q.kept[i]) && q.kept[i][k] == c {
				lane.Keep = append(lane.Keep, at)
			}
		}
		q.join.Lanes = append(q.join.Lanes, lane)
	}
	if err := q.join.Init(); err != nil {
		return nil, q.at(0, "%v", err)
	}
	st.query = q.text
	return st, nil
}

func (b *builder) name(st *Stage) {
	st.Hash = hash(st.define())
	st.Group = fmt.Sprintf("%s.%s.%s", b.plan.Pipeline.Name, st.Name, st.Hash)
}
