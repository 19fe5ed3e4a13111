package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/tideline/tideline/processors/operator"
	"github.com/tideline/tideline/processors/spec"
	"github.com/tideline/tideline/timeline/row"
)

// planned is a view: what it is, once that is known.
type planned struct {
	node   *node // nil while it is being planned, or if that failed
	schema row.Schema
	err    error
}

// planView plans a view, unless it has been planned for another that reads it. A panic of
// the SQL engine becomes an error that names the view.
func (b *builder) planView(v *spec.View) (err error) {
	key := strings.ToLower(v.Name)
	if done := b.general.views[key]; done != nil {
		return done.err
	}
	out := &planned{}
	b.general.views[key] = out
	defer func() {
		if r := recover(); r != nil {
			err = &Error{View: v.Name, Pos: v.Pos,
				Msg: fmt.Sprintf("the SQL engine failed on it: %v; write it another way", r)}
		}
		out.err = err
	}()
	c, err := compileView(v, b.plan.Pipeline, b.plan.Streams, func(q *query) (*bound, error) {
		return bind(q, b.catalog)
	})
	if err == nil {
		b.queries = append(b.queries, c)
		out.schema = c.schema
		out.node = &node{name: v.Name, query: c, op: c.join, text: c.text}
		out.node.view = &View{View: *v, Schema: c.schema}
		b.general.nodes = append(b.general.nodes, out.node)
		return nil
	}
	var e *Error
	if !errors.As(err, &e) || !e.general {
		return err
	}
	return b.general.view(v, out)
}

// view plans a view that is more than a join on keys.
func (g *general) view(v *spec.View, out *planned) error {
	q := &query{source: newSource(v)}
	stmt, err := q.statement()
	if err != nil {
		return err
	}
	sel, ok := stmt.(ast.SelectStatement)
	if !ok {
		return q.at(0, "a view is one SELECT statement")
	}
	s := &selection{source: q.source, g: g}
	rel, err := s.statement(sel)
	if err != nil {
		return err
	}
	if out.schema, err = s.schema(rel); err != nil {
		return err
	}
	if err := s.checkIndexes(names(out.schema), out.schema); err != nil {
		return err
	}
	op := &operator.Collect{View: v.Name, Columns: out.schema.Columns}
	nd := &node{name: v.Name, what: "collect", op: op, text: v.SQL}
	nd.view = &View{View: *v, Schema: out.schema}
	g.nodes = append(g.nodes, nd)
	rel.keep(seq(len(out.schema.Columns))).send(nd,
		operator.KeyForm{Plain: true, Partition: out.schema.Key})
	out.node = nd
	return nil
}

func names(s row.Schema) []string {
	var out []string
	for _, c := range s.Columns {
		out = append(out, c.Name)
	}
	return out
}

// schema returns a view's columns and key: the named columns come first.
func (s *selection) schema(rel *relation) (row.Schema, error) {
	var out row.Schema
	for _, c := range rel.cols {
		if c.name != "" {
			out.Columns = append(out.Columns, row.Column{Name: c.name, Type: c.typ})
		}
	}
	var missing []string
	for _, k := range rel.key {
		if rel.cols[k].name == "" {
			missing = append(missing, rel.cols[k].expr.String())
			continue
		}
		if !slices.Contains(out.Key, k) {
			out.Key = append(out.Key, k)
		}
	}
	if len(missing) > 0 {
		return out, s.at(0, "the select list lacks the view's key; add %s",
			strings.Join(missing, ", "))
	}
	return out, s.stateKey(&out)
}

// stateKey puts the key into the order that the file states.
func (s *selection) stateKey(out *row.Schema) error {
	if len(s.view.Key) == 0 {
		return nil
	}
	var derived []string
	for _, k := range out.Key {
		derived = append(derived, out.Columns[k].Name)
	}
	var stated []int
	for _, name := range s.view.Key {
		if i := out.Find(name); slices.Contains(out.Key, i) && !slices.Contains(stated, i) {
			stated = append(stated, i)
		}
	}
	if len(stated) != len(out.Key) || len(stated) != len(s.view.Key) {
		return s.at(-1, "the stated key [%s] is not the key of its query, [%s]; leave key out or "+
			"state that", strings.Join(s.view.Key, ", "), strings.Join(derived, ", "))
	}
	out.Key = stated
	return nil
}

// viewNamed reads a view as a table.
func (s *selection) viewNamed(name string) (*relation, error) {
	for i := range s.g.b.plan.Pipeline.Views {
		v := &s.g.b.plan.Pipeline.Views[i]
		if strings.EqualFold(v.Name, name) {
			if err := s.g.b.planView(v); err != nil {
				return nil, s.near(word(name), "view %s, which it reads, cannot be planned", v.Name)
			}
		}
	}
	p := s.g.views[strings.ToLower(name)]
	if p == nil || p.node == nil {
		return nil, s.near(word(name), "view %s reads itself through other views; a view must be a "+
			"function of streams in the end", name)
	}
	r := &relation{from: p.node, key: slices.Clone(p.schema.Key)}
	for _, c := range p.schema.Columns {
		r.cols = append(r.cols, relColumn{table: name, name: c.Name, typ: c.Type})
	}
	r.cols = emitted(r.cols)
	return r, nil
}
