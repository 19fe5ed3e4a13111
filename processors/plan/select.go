package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/tideline/tideline/processors/operator"
	"github.com/tideline/tideline/processors/spec"
)

// general plans queries that are more than a join on keys: as a graph of operators
// between which rows are exchanged.
type general struct {
	b      *builder
	nodes  []*node // an operator stands behind those it reads
	tables map[*Stream]*tableScan
	views  map[string]*planned // by lower-case name
}

// tableScan keeps a stream as a table, so that a change says which row it replaces.
type tableScan struct {
	node   *node
	stream *Stream
	needed map[int]bool // columns that some query reads, beside the key
	time   bool         // _time is read
}

// selection is one SELECT being planned.
type selection struct {
	*source
	g     *general
	ctes  map[string]ast.SelectStatement // by lower-case name
	outer map[string]bool                // views and WITH queries being planned
	scope []*relation
}

// add adds an operator for a part of the query.
func (g *general) add(s *selection, what string, op operator.Operator) *node {
	n := 1
	for _, o := range g.nodes {
		if strings.HasPrefix(o.name, s.view.Name+"."+what) {
			n++
		}
	}
	nd := &node{name: fmt.Sprintf("%s.%s%d", s.view.Name, what, n), what: what, op: op,
		text: s.view.SQL}
	g.nodes = append(g.nodes, nd)
	return nd
}

// nested plans a query inside another.
func (s *selection) nested(stmt ast.SelectStatement, names ast.Columns) (*relation, error) {
	in := &selection{source: s.source, g: s.g, ctes: s.ctes, outer: s.outer}
	rel, err := in.statement(stmt)
	if err != nil {
		return nil, err
	}
	if len(names) > 0 {
		visible := 0
		for i := range rel.cols {
			if rel.cols[i].name == "" {
				continue
			}
			if visible < len(names) {
				rel.cols[i].name = names[visible].String()
			}
			visible++
		}
		if visible != len(names) {
			return nil, s.near(`\(\s*select\b`, "a query in FROM has %d columns, %d names are given",
				visible, len(names))
		}
	}
	return rel, nil
}

func (s *selection) statement(stmt ast.SelectStatement) (*relation, error) {
	switch q := stmt.(type) {
	case *ast.Select:
		return s.plan(q)
	case *ast.ParenSelect:
		return s.statement(q.Select)
	case *ast.SetOp:
		return nil, s.near(`\b(union|intersect|except)\b`, "%s is not supported; "+
			"write one view for each SELECT", strings.ToUpper(strings.TrimSpace(q.Type)))
	}
	return nil, s.at(0, "%q is not supported", clip(ast.String(stmt)))
}

// named finds a stream, a view or a query of WITH.
func (s *selection) named(name string) (*relation, error) {
	key := strings.ToLower(name)
	if q, ok := s.ctes[key]; ok {
		if s.outer["with "+key] {
			return nil, s.near(word(name), "query %s of WITH reads itself; recursion is not supported",
				name)
		}
		in := &selection{source: s.source, g: s.g, ctes: s.ctes, outer: with(s.outer, "with "+key)}
		return in.statement(q)
	}
	var names []string
	for _, st := range s.g.b.plan.Streams {
		if strings.EqualFold(st.Name, name) {
			return s.g.scan(st), nil
		}
		names = append(names, st.Name)
	}
	for _, v := range s.g.b.plan.Pipeline.Views {
		if strings.EqualFold(v.Name, name) {
			return s.viewNamed(v.Name)
		}
		names = append(names, v.Name)
	}
	hint := spec.Suggest(name, names)
	if hint == "" {
		hint = "; declared are " + strings.Join(names, ", ")
	}
	return nil, s.near(word(name), "there is no stream or view %q%s", name, hint)
}

func with(set map[string]bool, name string) map[string]bool {
	out := map[string]bool{name: true}
	for k := range set {
		out[k] = true
	}
	return out
}

// scan reads a stream as a table.
func (g *general) scan(st *Stream) *relation {
	t := g.tables[st]
	if t == nil {
		t = &tableScan{stream: st, needed: map[int]bool{}}
		t.node = &node{name: st.Name + ".table", what: "table", table: t}
		g.tables[st] = t
		g.nodes = append(g.nodes, t.node)
	}
	r := &relation{from: t.node, key: slices.Clone(st.Schema.Key)}
	for _, c := range st.Schema.Columns {
		r.cols = append(r.cols, relColumn{table: st.Name, name: c.Name, typ: c.Type})
	}
	r.cols = append(r.cols, relColumn{table: st.Name, name: timeColumn, typ: timestampColumn})
	r.cols = emitted(r.cols)
	return r
}

// plan plans a SELECT. The relation's named columns are the items of the select list.
func (s *selection) plan(sel *ast.Select) (*relation, error) {
	if err := s.refuse(sel); err != nil {
		return nil, err
	}
	if sel.With != nil {
		if err := s.withs(sel.With); err != nil {
			return nil, err
		}
	}
	tree, err := s.from(sel.From[0])
	if err != nil {
		return nil, err
	}
	p := &parts{s: s, sel: sel, tree: tree}
	if err := p.collect(); err != nil {
		return nil, err
	}
	if err := p.bind(); err != nil {
		return nil, err
	}
	s.prune(p)
	rel, err := s.spread(s.sink(tree))
	if err != nil {
		return nil, err
	}
	for _, c := range p.where {
		if err := rel.filter(c); err != nil {
			return nil, s.near(`\bwhere\b`, "%v", err)
		}
	}
	if p.grouped {
		if rel, err = p.group(rel); err != nil {
			return nil, err
		}
	}
	if rel, err = p.project(rel); err != nil {
		return nil, err
	}
	if sel.QueryOpts.Distinct {
		rel = s.distinct(rel)
	}
	return rel, nil
}

// refuse refuses the clauses that no view can have.
func (s *selection) refuse(sel *ast.Select) error {
	plain := *sel
	plain.With, plain.GroupBy, plain.Having, plain.QueryOpts.Distinct = nil, nil, nil, false
	if err := (&query{source: s.source}).refuseClauses(&plain); err != nil {
		return err
	}
	if len(sel.From) > 1 {
		return s.near(`,`, "tables separated by commas in FROM are a cross join, "+
			"which is not supported; write JOIN ... ON with the columns to be equal")
	}
	return nil
}

func (s *selection) withs(w *ast.With) error {
	if w.Recursive {
		return s.near(`\brecursive\b`, "WITH RECURSIVE is not supported")
	}
	ctes := map[string]ast.SelectStatement{}
	for k, v := range s.ctes {
		ctes[k] = v
	}
	for _, c := range w.Ctes {
		sub, ok := c.AliasedTableExpr.Expr.(*ast.Subquery)
		if !ok || len(c.Columns) > 0 {
			return s.near(`\bwith\b`, "WITH takes queries without a list of columns, as "+
				"WITH x AS (SELECT ...); name the columns in the SELECT")
		}
		ctes[strings.ToLower(c.As.String())] = sub.Select
	}
	s.ctes = ctes
	return nil
}

// prune leaves out of the scope what the query does not read.
func (s *selection) prune(p *parts) {
	used := make([]map[int]bool, len(s.scope))
	for i := range used {
		used[i] = map[int]bool{}
	}
	for _, e := range p.all {
		sql.Inspect(e, func(e sql.Expression) bool {
			if f, ok := e.(*expression.GetField); ok {
				for i, r := range s.scope {
					if strings.EqualFold(r.alias, f.Table()) {
						used[i][r.find(f.Table(), f.Name())] = true
					}
				}
			}
			return true
		})
	}
	for i, r := range s.scope {
		var cols []int
		for c := range r.cols {
			if !used[i][c] && !slices.Contains(r.key, c) {
				continue
			}
			cols = append(cols, c)
			if t := r.from.table; t != nil {
				t.need(r.cols[c].expr)
			}
		}
		s.scope[i] = r.keep(cols)
	}
}

// need notes that a column of the table's rows is read.
func (t *tableScan) need(x operator.Expr) {
	f, ok := x.(operator.Field)
	switch {
	case !ok:
	case f.Column == len(t.stream.Schema.Columns):
		t.time = true
	case !slices.Contains(t.stream.Schema.Key, f.Column):
		t.needed[f.Column] = true
	}
}

// distinct leaves one of the rows that are equal in what is selected.
func (s *selection) distinct(rel *relation) *relation {
	var visible []int
	for i, c := range rel.cols {
		if c.name != "" {
			visible = append(visible, i)
		}
	}
	if rel.covers(visible, rel.key) {
		return rel
	}
	key := rel.keep(visible).reduce(seq(len(visible)))
	rel = rel.keep(visible)
	op := &operator.Aggregate{Input: rel.columns(), Groups: len(visible)}
	nd := s.g.add(s, "distinct", op)
	op.Name = nd.name
	rel.send(nd, operator.KeyForm{Partition: seq(len(visible))})
	return &relation{from: nd, cols: emitted(rel.cols), key: key}
}

func seq(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
