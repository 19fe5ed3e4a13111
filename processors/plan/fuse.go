package plan

import (
	"slices"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"

	"github.com/tideline/tideline/processors/operator"
	"github.com/tideline/tideline/timeline/row"
)

// sink moves joins of two streams on their whole keys down to the stream they are with,
// where they need no exchange: (a JOIN c ON ...) LEFT JOIN p ON p.id = a.id becomes
// (a LEFT JOIN p ON p.id = a.id) JOIN c ON .... That is the same as long as no join
// between leaves out or repeats a row of a for the sake of p.
func (s *selection) sink(n *fromNode) *fromNode {
	if n.l == nil {
		return n
	}
	n.l, n.r = s.sink(n.l), s.sink(n.r)
	if n.r.l != nil || !s.plainStream(n.r) {
		return n
	}
	if to := s.partner(n, n.l); to != nil && to != n.l {
		leaf := *to
		*to = fromNode{kind: n.kind, l: &leaf, r: n.r, on: n.on, boundOn: n.boundOn}
		return n.l
	}
	return n
}

// partner returns the stream below at that n joins its right side to, key to key.
func (s *selection) partner(n, at *fromNode) *fromNode {
	if at.l == nil {
		if s.plainStream(at) && s.onKeys(n, at.leaf, n.r.leaf) {
			return at
		}
		return nil
	}
	if at.kind == operator.Right || at.kind == operator.Full {
		return nil
	}
	if found := s.partner(n, at.l); found != nil || at.kind == operator.Left {
		return found
	}
	return s.partner(n, at.r)
}

// plainStream says whether a node is a stream, or a subquery that is all rows of one with
// nothing computed.
func (s *selection) plainStream(n *fromNode) bool {
	if n.l != nil || n.asOf != nil {
		return false
	}
	r := s.scope[n.leaf]
	computed := func(c relColumn) bool {
		_, plain := c.expr.(operator.Field)
		return !plain
	}
	return r.from.table != nil && len(r.where) == 0 && !slices.ContainsFunc(r.cols, computed)
}

// onKeys says whether a join is of two streams, inner or left, on their whole keys of the
// same types and on nothing else.
func (s *selection) onKeys(n *fromNode, left, right int) bool {
	l, r := s.scope[left], s.scope[right]
	if l.from == r.from { // a stage reads a topic once
		return false
	}
	if n.kind != operator.Inner && n.kind != operator.Left || len(n.boundOn) != len(l.key) ||
		len(l.key) != len(r.key) {
		return false
	}
	seen := map[int]bool{}
	for _, c := range n.boundOn {
		eq, ok := c.(*expression.Equals)
		if !ok {
			return false
		}
		a, b := s.keyPosition(eq.Left(), left), s.keyPosition(eq.Right(), right)
		if a < 0 {
			a, b = s.keyPosition(eq.Right(), left), s.keyPosition(eq.Left(), right)
		}
		if a < 0 || a != b || seen[a] || l.cols[l.key[a]].typ != r.cols[r.key[a]].typ {
			return false
		}
		seen[a] = true
	}
	return true
}

// keyPosition returns which column of a table's key an expression is, or -1.
func (s *selection) keyPosition(e sql.Expression, leaf int) int {
	if _, ok := e.(*expression.GetField); !ok {
		return -1
	}
	return slices.Index(s.scope[leaf].key, s.scope[leaf].column(e))
}

// keyTree turns joins of streams on their keys into the tree of a key join; lanes are
// the tables of FROM. Every join is with the first of them, which is always there.
func (s *selection) keyTree(n *fromNode, lanes []int) (operator.Node, []int, bool) {
	if n.l == nil {
		return operator.Leaf(len(lanes)), append(lanes, n.leaf), s.plainStream(n)
	}
	if n.r.l != nil || !s.plainStream(n.r) {
		return nil, nil, false
	}
	l, lanes, ok := s.keyTree(n.l, lanes)
	again := func(leaf int) bool { return s.scope[leaf].from == s.scope[n.r.leaf].from }
	if !ok || !s.onKeys(n, lanes[0], n.r.leaf) || slices.ContainsFunc(lanes, again) {
		return nil, nil, false
	}
	r, lanes, ok := s.keyTree(n.r, lanes)
	return &operator.Join{Kind: n.kind, L: l, R: r}, lanes, ok
}

// keyed plans joins of streams on their keys as one operator; nil if n is none.
func (s *selection) keyed(n *fromNode) *relation {
	root, leaves, ok := s.keyTree(n, nil)
	if !ok || n.l == nil {
		return nil
	}
	q := &query{source: s.source, root: &treeNode{}, text: s.view.SQL}
	c := &compiled{bound: &bound{query: q}}
	c.join = &operator.KeyJoin{View: s.view.Name, Root: root}
	out := &relation{}
	for i, leaf := range leaves {
		r := s.scope[leaf]
		l := &lane{alias: r.alias, stream: r.from.table.stream, needed: map[int]bool{}}
		if i == 0 {
			c.join.Key = keyTypes(l.stream)
			out.key = slices.Clone(r.key)
		}
		first := len(out.cols)
		for _, col := range r.cols {
			l.note(col)
			out.cols = append(out.cols, col)
		}
		kept := sortedKeys(l.needed)
		for _, col := range r.cols {
			c.join.Output = append(c.join.Output, operator.Column{
				Column: row.Column{Name: col.name, Type: col.typ}, Expr: l.expr(i, col, kept)})
		}
		for _, d := range r.deps {
			out.deps = append(out.deps, dependency{plus(d.from, first), plus(d.to, first)})
		}
		q.lanes = append(q.lanes, l)
		c.kept = append(c.kept, kept)
	}
	nd := s.g.add(s, "keys", c.join)
	nd.query = c
	s.g.b.queries = append(s.g.b.queries, c)
	out.from = nd
	out.cols = emitted(out.cols)
	return out
}

func plus(in []int, n int) []int {
	out := make([]int, len(in))
	for i, c := range in {
		out[i] = c + n
	}
	return out
}

// place of a scanned column in its stream: an index, or the number of columns for _time.
func place(col relColumn) int { return col.expr.(operator.Field).Column }

// note marks a scanned column as read.
func (l *lane) note(col relColumn) {
	at := place(col)
	switch {
	case at == len(l.stream.Schema.Columns):
		l.time = true
	case !slices.Contains(l.stream.Schema.Key, at):
		l.needed[at] = true
	}
}

// expr reads a scanned column from the lane.
func (l *lane) expr(i int, col relColumn, kept []int) operator.Expr {
	at, name := place(col), l.alias+"."+col.name
	if at == len(l.stream.Schema.Columns) {
		return operator.Time{Lane: i, Name: name}
	}
	if k := slices.Index(l.stream.Schema.Key, at); k >= 0 {
		return operator.KeyField{Lane: i, Position: k, Name: name}
	}
	return operator.Field{Lane: i, Column: slices.Index(kept, at), Name: name}
}
