package processors

import (
	"github.com/tideline/tideline/processors/plan"
	"github.com/tideline/tideline/timeline/catalog"
)

// Describe returns the catalog of a plan: what readers of its views must know.
func Describe(p *plan.Plan) *catalog.Catalog {
	c := &catalog.Catalog{Pipeline: p.Pipeline.Name, Version: p.Version}
	for _, v := range p.Views {
		out := catalog.View{
			Name: v.Name, SQL: v.SQL, Table: v.Table, Partitions: v.Partitions, Indexes: v.Indexes,
		}
		if !v.Forever {
			out.Retention = v.Retention
		}
		for _, col := range v.Schema.Columns {
			out.Columns = append(out.Columns, catalog.Column{Name: col.Name, Type: col.Type.String()})
		}
		for _, k := range v.Schema.Key {
			out.Key = append(out.Key, v.Schema.Columns[k].Name)
		}
		c.Views = append(c.Views, out)
	}
	for _, s := range p.Streams {
		c.Streams = append(c.Streams, catalog.Stream{
			Name: s.Name, Topic: s.Topic, Lateness: s.Lateness,
		})
	}
	for _, s := range p.Stages {
		out := catalog.Stage{Name: s.Name, Group: s.Group, Partitions: s.Partitions}
		for _, in := range s.Inputs {
			out.Inputs = append(out.Inputs, in.Topic)
		}
		if s.View != nil {
			out.View = s.View.Name
		}
		if s.Exchange != nil {
			out.Exchange = s.Exchange.Topic
		}
		for _, x := range s.Outputs {
			out.Exchanges = append(out.Exchanges, x.Topic)
		}
		c.Stages = append(c.Stages, out)
	}
	return c
}
