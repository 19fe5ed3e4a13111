package plan

import (
	"fmt"
	"slices"

	"github.com/tideline/tideline/processors/operator"
	"github.com/tideline/tideline/processors/spec"
	"github.com/tideline/tideline/timeline/row"
)

// keepTables makes what keeps a stream as a table a join of that stream alone, with every
// column in its place, those that nobody reads as nulls.
func (b *builder) keepTables() {
	b.general.nodes = slices.DeleteFunc(b.general.nodes, func(nd *node) bool {
		return nd.table != nil && len(nd.out) == 0
	})
	for _, nd := range b.general.nodes {
		t := nd.table
		if t == nil {
			continue
		}
		st := t.stream
		l := &lane{alias: st.Name, stream: st, needed: t.needed, time: t.time}
		q := &query{source: newSource(&spec.View{Name: nd.name}), lanes: []*lane{l},
			root: &treeNode{}, text: "table"}
		kept := sortedKeys(t.needed)
		c := &compiled{bound: &bound{query: q}, kept: [][]int{kept}}
		c.join = &operator.KeyJoin{View: nd.name, Key: keyTypes(st), Root: operator.Leaf(0)}
		c.schema = st.Schema
		low := newLowerer(c.bound)
		for i, col := range st.Schema.Columns {
			out := operator.Column{Column: col, Expr: operator.Null{}}
			for pos, k := range st.Schema.Key {
				if k == i {
					out.Expr = operator.Key{Position: pos, Name: col.Name}
				}
			}
			if t.needed[i] {
				for at, k := range low.kept[0] {
					if k == i {
						out.Expr = operator.Field{Lane: 0, Column: at, Name: col.Name}
					}
				}
			}
			c.join.Output = append(c.join.Output, out)
		}
		at := operator.Column{Column: row.Column{Name: timeColumn, Type: timestampColumn},
			Expr: operator.Null{}}
		if t.time {
			at.Expr = operator.Time{Lane: 0, Name: timeColumn}
		}
		c.join.Output = append(c.join.Output, at)
		nd.op, nd.query = c.join, c
		b.queries = append(b.queries, c)
	}
}

// widest is the number of partitions of stages that read no stream: the pipeline's, or
// the greatest of its streams.
func (b *builder) widest() int {
	n := b.plan.Pipeline.Partitions
	for _, s := range b.plan.Streams {
		if b.plan.Pipeline.Partitions == 0 {
			n = max(n, s.Partitions)
		}
	}
	return n
}

// operators plans the stages that run operators, each behind those it reads.
func (b *builder) operators() error {
	for _, nd := range b.general.nodes {
		if nd.query == nil {
			nd.stage = &Stage{Name: nd.name, Partitions: b.widest(), Op: nd.op, query: nd.text}
		} else {
			st, err := b.viewStage(nd.query)
			if err != nil {
				return err
			}
			nd.stage, st.Name = st, nd.name
		}
		nd.stage.History, nd.stage.what = nd.history, nd.what
	}
	views := map[string]*View{}
	for _, nd := range b.general.nodes {
		st := nd.stage
		for _, e := range nd.in {
			st.Inputs = append(st.Inputs, Input{Topic: e.exchange.Topic, Exchange: e.exchange})
		}
		for _, e := range nd.out {
			e.exchange = &Exchange{Partitions: e.to.stage.Partitions, Senders: st.Partitions,
				Route: e.route, Names: e.names}
			st.Outputs = append(st.Outputs, e.exchange)
		}
		st.View = nd.view
		b.name(st)
		for i, e := range nd.out {
			e.exchange.Topic = fmt.Sprintf("%s.%d.rekey", st.Group, i+1)
		}
		if v := st.View; v != nil {
			v.Group, v.Table, v.Partitions = st.Group, st.Table(), st.Partitions
			views[v.Name] = v
		}
		b.plan.Stages = append(b.plan.Stages, st)
	}
	for _, v := range b.plan.Pipeline.Views {
		b.plan.Views = append(b.plan.Views, views[v.Name])
	}
	return nil
}
