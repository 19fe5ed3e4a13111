package plan

import (
	"context"
	"regexp"
	"strconv"
	"strings"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/tideline/tideline/processors/operator"
	"github.com/tideline/tideline/processors/spec"
	"github.com/tideline/tideline/timeline/row"
)

// query is a view's SELECT, taken apart, before names are bound.
type query struct {
	*source
	text  string // normalised: equal queries, equal text
	lanes []*lane
	root  *treeNode
	where ast.Expr // nil if there is none
	items []item
}

// lane is one table of FROM.
type lane struct {
	alias  string
	stream *Stream
	needed map[int]bool // the stream's non-key columns that are read
	time   bool         // _time is read
}

// treeNode is a node of the FROM clause: a lane, or a join of two nodes.
type treeNode struct {
	lane int // if left is nil
	kind operator.JoinKind
	l, r *treeNode
	on   ast.Expr
}

// lanes returns the lanes below the node, as a bit mask.
func (n *treeNode) lanes() uint64 {
	if n.l == nil {
		return 1 << n.lane
	}
	return n.l.lanes() | n.r.lanes()
}

// item is one entry of the select list.
type item struct {
	name string
	expr ast.Expr
	pos  int // offset in the SQL, -1 if not known
}

// maxLanes bounds the tables of one view; which of them can be present together is
// worked out case by case.
const maxLanes = 12

// parse reads a view's SQL and refuses what cannot be a view.
func parse(v *spec.View, p *spec.Pipeline, streams []*Stream) (*query, error) {
	q := &query{source: newSource(v)}
	stmt, err := q.statement()
	if err != nil {
		return nil, err
	}
	sel, err := q.selectOnly(stmt)
	if err != nil {
		return nil, err
	}
	if err := q.refuseClauses(sel); err != nil {
		return nil, err
	}
	if len(sel.From) > 1 {
		return nil, q.near(`,`, "tables separated by commas in FROM are a cross join, "+
			"which is not supported; write JOIN ... ON with the keys")
	}
	if q.root, err = q.from(sel.From[0], p, streams); err != nil {
		return nil, err
	}
	if err := q.refuseExprs(sel); err != nil {
		return nil, err
	}
	if sel.Where != nil {
		q.where = sel.Where.Expr
	}
	if err := q.selectList(sel.SelectExprs); err != nil {
		return nil, err
	}
	q.text = ast.String(sel)
	return q, nil
}

var syntaxAt = regexp.MustCompile(`^syntax error at position (\d+)(.*)$`)

// statement parses the SQL, of which there must be one statement.
func (q *query) statement() (ast.Statement, error) {
	text := q.view.SQL
	if i := strings.IndexByte(q.masked, ';'); i >= 0 {
		if strings.Trim(q.masked[i:], "; \t\r\n") != "" {
			return nil, q.at(i, "there is more than one statement; "+
				"write one SELECT, and a view of its own for each other")
		}
		text = text[:i]
	}
	stmt, err := ast.ParseWithOptions(context.Background(), text, ast.ParserOptions{})
	if err == nil {
		return stmt, nil
	}
	msg := err.Error()
	if m := syntaxAt.FindStringSubmatch(msg); m != nil {
		// The parser counts what it has consumed, which includes the offending word.
		end, _ := strconv.Atoi(m[1])
		end = min(max(end-1, 0), len(text))
		start := strings.LastIndexFunc(strings.TrimRight(text[:end], " \t\r\n"), func(r rune) bool {
			return r == ' ' || r == '\n' || r == '\t'
		}) + 1
		return nil, q.at(start, "syntax error%s", m[2])
	}
	return nil, q.at(0, "reading SQL: %s", msg)
}

func (q *query) selectOnly(stmt ast.Statement) (*ast.Select, error) {
	switch s := stmt.(type) {
	case *ast.Select:
		return s, nil
	case *ast.ParenSelect:
		return q.selectOnly(s.Select)
	case *ast.SetOp:
		return nil, q.later(`\b(union|intersect|except)\b`, "%s is not supported; "+
			"write one view for each SELECT", strings.ToUpper(strings.TrimSpace(s.Type)))
	}
	word, _, _ := strings.Cut(strings.TrimSpace(q.view.SQL), " ")
	return nil, q.at(0, "a view is one SELECT statement; %s is not", strings.ToUpper(word))
}

// from turns FROM into a tree, numbering the tables as lanes from left to right.
func (q *query) from(te ast.TableExpr, p *spec.Pipeline, streams []*Stream) (*treeNode, error) {
	switch t := te.(type) {
	case *ast.ParenTableExpr:
		if len(t.Exprs) == 1 {
			return q.from(t.Exprs[0], p, streams)
		}
		return nil, q.near(`,`, "tables separated by commas in FROM are a cross join, "+
			"which is not supported; write JOIN ... ON with the keys")
	case *ast.AliasedTableExpr:
		return q.table(t, p, streams)
	case *ast.JoinTableExpr:
		return q.join(t, p, streams)
	}
	return nil, q.near(`\bfrom\b`, "%q in FROM is not supported; "+
		"FROM takes streams, joined on their keys", ast.String(te))
}

// joinKind says how a join keeps rows without a match; false if it is of a kind that
// cannot be planned.
func joinKind(t *ast.JoinTableExpr) (operator.JoinKind, bool) {
	switch strings.ToLower(t.Join) {
	case ast.JoinStr, ast.StraightJoinStr:
		return operator.Inner, true
	case ast.LeftJoinStr:
		return operator.Left, true
	case ast.RightJoinStr:
		return operator.Right, true
	case ast.FullOuterJoinStr:
		return operator.Full, true
	}
	return 0, false
}

func (q *query) join(t *ast.JoinTableExpr, p *spec.Pipeline, streams []*Stream) (
	n *treeNode, err error) {
	n = &treeNode{on: t.Condition.On}
	var ok bool
	if n.kind, ok = joinKind(t); !ok {
		return nil, q.near(`\bnatural\b`, "%s is not supported; write JOIN ... ON with the keys",
			strings.ToUpper(t.Join))
	}
	if len(t.Condition.Using) > 0 {
		return nil, q.near(`\busing\b`, "USING is not supported; write ON with the keys, "+
			"as ON a.id = b.id")
	}
	if n.l, err = q.from(t.LeftExpr, p, streams); err != nil {
		return nil, err
	}
	if n.r, err = q.from(t.RightExpr, p, streams); err != nil {
		return nil, err
	}
	if n.on == nil {
		return nil, q.near(`\b(cross\s+)?join\b`, "a cross join is not supported; "+
			"write JOIN ... ON with the keys")
	}
	return n, nil
}

func (q *query) table(t *ast.AliasedTableExpr, p *spec.Pipeline, streams []*Stream) (
	*treeNode, error) {
	name, ok := t.Expr.(ast.TableName)
	switch {
	case !ok:
		return nil, q.later(`\(\s*(select|values)\b`, "a subquery in FROM is not supported "+
			"(%q); write its tables and conditions into this query", quote(t))
	case t.AsOf != nil:
		return nil, q.later(`\bfor\s+system_time\b`, "FOR SYSTEM_TIME AS OF, the temporal join, "+
			"is not supported in this version; join on the keys without it")
	case t.Hints != nil || len(t.Partitions) > 0 || t.Lateral:
		return nil, q.near(word(name.Name.String()), "hints, PARTITION and LATERAL have no "+
			"meaning in a view (%q); leave them out", ast.String(t))
	}
	pos := word(name.Name.String())
	if !name.DbQualifier.IsEmpty() {
		return nil, q.near(pos, "table %s names a database; write the stream's name alone",
			ast.String(name))
	}
	stream, err := q.lookUp(name.Name.String(), p, streams)
	if err != nil {
		return nil, err
	}
	l := &lane{alias: t.As.String(), stream: stream, needed: map[int]bool{}}
	if l.alias == "" {
		l.alias = name.Name.String()
	}
	for _, o := range q.lanes {
		if strings.EqualFold(o.alias, l.alias) {
			return nil, q.near(pos, "two tables in FROM are called %s; "+
				"give one another alias", l.alias)
		}
		if o.stream == stream {
			return nil, q.later(pos, "stream %s is joined with itself on its key, which pairs each "+
				"row with itself; read its columns through %s", stream.Name, o.alias)
		}
	}
	if len(q.lanes) == maxLanes {
		return nil, q.near(pos, "a view joins at most %d streams", maxLanes)
	}
	q.lanes = append(q.lanes, l)
	return &treeNode{lane: len(q.lanes) - 1}, nil
}

func (q *query) lookUp(name string, p *spec.Pipeline, streams []*Stream) (*Stream, error) {
	var names []string
	for _, s := range streams {
		if strings.EqualFold(s.Name, name) {
			return s, nil
		}
		names = append(names, s.Name)
	}
	for _, v := range p.Views {
		if strings.EqualFold(v.Name, name) {
			return nil, q.later(word(name), "a view over a view is not supported in this version; "+
				"write the query of %s into this one", v.Name)
		}
	}
	hint := spec.Suggest(name, names)
	if hint == "" {
		hint = "; declared are " + strings.Join(names, ", ")
	}
	return nil, q.near(word(name), "there is no stream %q%s", name, hint)
}

// selectList names the items and expands stars, which leave out _time.
func (q *query) selectList(list ast.SelectExprs) error {
	seen := map[string]bool{}
	add := func(it item) error {
		if seen[strings.ToLower(it.name)] {
			return q.at(it.pos, "two columns of the view are called %s; "+
				"rename one with AS", it.name)
		}
		seen[strings.ToLower(it.name)] = true
		q.items = append(q.items, it)
		return nil
	}
	for i, e := range list {
		var err error
		switch e := e.(type) {
		case *ast.StarExpr:
			err = q.star(e, add)
		case *ast.AliasedExpr:
			var it item
			if it, err = q.named(i, e); err == nil {
				err = add(it)
			}
		default:
			err = q.at(0, "%q in the select list is not supported", ast.String(e))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (q *query) star(e *ast.StarExpr, add func(item) error) error {
	found := false
	for _, l := range q.lanes {
		if t := e.TableName.Name.String(); t != "" && !strings.EqualFold(t, l.alias) {
			continue
		}
		found = true
		for _, c := range l.stream.Schema.Columns {
			col := ast.NewColName(c.Name)
			col.Qualifier.Name = ast.NewTableIdent(l.alias)
			if err := add(item{name: c.Name, expr: col, pos: q.find(`\*`)}); err != nil {
				return err
			}
		}
	}
	if !found {
		return q.near(word(e.TableName.Name.String()), "there is no table %q in FROM%s",
			e.TableName.Name, spec.Suggest(e.TableName.Name.String(), q.aliases()))
	}
	return nil
}

func (q *query) named(i int, e *ast.AliasedExpr) (item, error) {
	it := item{name: e.As.String(), expr: e.Expr, pos: -1}
	if e.StartParsePos < e.EndParsePos && e.EndParsePos <= len(q.view.SQL) {
		it.pos = e.StartParsePos + len(q.view.SQL[e.StartParsePos:e.EndParsePos]) -
			len(strings.TrimLeft(q.view.SQL[e.StartParsePos:e.EndParsePos], " \t\r\n"))
	}
	if col, ok := e.Expr.(*ast.ColName); ok && it.name == "" {
		it.name = col.Name.String()
	}
	switch {
	case it.name == "":
		return it, q.at(it.pos, "column %d, %q, has no name; add AS and a name",
			i+1, quote(e.Expr))
	case strings.EqualFold(it.name, timeColumn):
		return it, q.at(it.pos, "%s is reserved as a column's name; add AS and another name",
			timeColumn)
	case !columnName.MatchString(it.name):
		return it, q.at(it.pos, "column name %q may hold letters, digits, '_' and '-' only; "+
			"add AS and another name", it.name)
	}
	return it, nil
}

var columnName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]*$`)

func (q *query) aliases() []string {
	var out []string
	for _, l := range q.lanes {
		out = append(out, l.alias)
	}
	return out
}

func (q *query) find(pattern string) int {
	if loc := regexp.MustCompile(pattern).FindStringIndex(q.masked); loc != nil {
		return loc[0]
	}
	return -1
}

// quote writes a fragment of the query for a message.
func quote(n ast.SQLNode) string { return clip(strings.ReplaceAll(ast.String(n), "`", "")) }

// clip shortens a quoted fragment.
func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:57]) + "..."
	}
	return s
}

// keyTypes returns the types of a stream's key columns, in key order.
func keyTypes(s *Stream) []row.Type {
	out := make([]row.Type, len(s.Schema.Key))
	for i, k := range s.Schema.Key {
		out[i] = s.Schema.Columns[k].Type
	}
	return out
}
