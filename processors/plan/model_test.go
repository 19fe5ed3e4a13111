package plan

import (
	"fmt"
	"sort"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/timeline/wire"
)

// The model evaluates a query the dumb way: nested loops over whole tables, every ON
// evaluated as written, with no notion of record keys.

// tuple is a joined row: for each table its key and value, or nil.
type tuple [3]*modelRow

type modelRow struct {
	key string
	val int64
}

// modelNode is a node of FROM, with its text and its meaning.
type modelNode struct {
	table int // if l is nil
	kind  string
	l, r  *modelNode
	on    [2][]int // each side of the equality: coalesce of these tables' keys
	extra int      // table whose v must be > 1 in ON, or -1
}

var modelTables = []string{"a", "b", "c"}

func keyExpr(tables []int) string {
	var cols []string
	for _, t := range tables {
		cols = append(cols, modelTables[t]+".k")
	}
	if len(cols) == 1 {
		return cols[0]
	}
	return "coalesce(" + strings.Join(cols, ", ") + ")"
}

func (n *modelNode) sql() string {
	if n.l == nil {
		return modelTables[n.table]
	}
	on := keyExpr(n.on[0]) + " = " + keyExpr(n.on[1])
	if n.extra >= 0 {
		on += fmt.Sprintf(" AND %s.v > 1", modelTables[n.extra])
	}
	return fmt.Sprintf("(%s %s JOIN %s ON %s)", n.l.sql(), n.kind, n.r.sql(), on)
}

func (n *modelNode) tables() []int {
	if n.l == nil {
		return []int{n.table}
	}
	return append(n.l.tables(), n.r.tables()...)
}

func (n *modelNode) eval(data [3]map[string]*modelRow) (out []tuple) {
	if n.l == nil {
		for _, r := range data[n.table] {
			var t tuple
			t[n.table] = r
			out = append(out, t)
		}
		return out
	}
	ls, rs := n.l.eval(data), n.r.eval(data)
	matchedR := make([]bool, len(rs))
	for _, l := range ls {
		matched := false
		for i, r := range rs {
			both := merged(l, r)
			if n.holds(both) {
				out = append(out, both)
				matched, matchedR[i] = true, true
			}
		}
		if !matched && (n.kind == "LEFT" || n.kind == "FULL OUTER") {
			out = append(out, l)
		}
	}
	for i, r := range rs {
		if !matchedR[i] && (n.kind == "RIGHT" || n.kind == "FULL OUTER") {
			out = append(out, r)
		}
	}
	return out
}

func merged(l, r tuple) tuple {
	for i := range l {
		if l[i] == nil {
			l[i] = r[i]
		}
	}
	return l
}

func (n *modelNode) holds(t tuple) bool {
	x, okX := coalesced(t, n.on[0])
	y, okY := coalesced(t, n.on[1])
	if !okX || !okY || x != y {
		return false
	}
	return n.extra < 0 || (t[n.extra] != nil && t[n.extra].val > 1)
}

func coalesced(t tuple, tables []int) (string, bool) {
	for _, i := range tables {
		if t[i] != nil {
			return t[i].key, true
		}
	}
	return "", false
}

func drawNode(t *rapid.T, tables []int) *modelNode {
	if len(tables) == 1 {
		return &modelNode{table: tables[0], extra: -1}
	}
	cut := rapid.IntRange(1, len(tables)-1).Draw(t, "cut")
	n := &modelNode{l: drawNode(t, tables[:cut]), r: drawNode(t, tables[cut:]), extra: -1}
	n.kind = rapid.SampledFrom([]string{"INNER", "LEFT", "RIGHT", "FULL OUTER"}).Draw(t, "kind")
	for i, side := range []*modelNode{n.l, n.r} {
		all := side.tables()
		n.on[i] = all[rapid.IntRange(0, len(all)-1).Draw(t, "from"):]
		if rapid.Bool().Draw(t, "one") {
			n.on[i] = n.on[i][:1]
		}
	}
	if rapid.IntRange(0, 3).Draw(t, "extra") == 0 {
		n.extra = rapid.SampledFrom(tables).Draw(t, "extra table")
	}
	return n
}

// TestJoinsAgainstModel plans random join trees and puts random changes through them:
// after each change the view must hold what nested loops over the tables yield.
func TestJoinsAgainstModel(t *testing.T) {
	planned := 0
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 3).Draw(t, "tables")
		root := drawNode(t, []int{0, 1, 2}[:n])
		where := rapid.SampledFrom([]string{"", " WHERE a.v > 0", " WHERE a.v IS NULL"}).Draw(t, "where")
		sql := "SELECT " + keyExpr(root.tables()) + " AS k"
		for _, i := range root.tables() {
			sql += fmt.Sprintf(", %s.v AS v%d", modelTables[i], i)
		}
		sql += " FROM " + root.sql() + where
		text := "pipeline: m\nstreams:\n"
		for _, s := range modelTables {
			text += "  " + s + ": {key: [k], columns: {k: text, v: bigint}}\n"
		}
		p, err := buildText(text+"views:\n  v: {sql: \""+sql+"\"}\n", nil)
		if err != nil {
			if !strings.Contains(err.Error(), "lacks the view's key") {
				t.Fatalf("planning %s: %v", sql, err)
			}
			return
		}
		st := p.Stages[len(p.Stages)-1]
		if st.Join == nil {
			return // more than a join on keys: TestQueriesAgainstEngine
		}
		planned++
		runModel(t, st, root, where, sql)
	})
	if planned == 0 {
		t.Fatal("no query could be planned")
	}
}

func runModel(t *rapid.T, st *Stage, root *modelNode, where, sql string) {
	var data [3]map[string]*modelRow
	for i := range data {
		data[i] = map[string]*modelRow{}
	}
	held := map[string]wire.Version{}
	steps := rapid.IntRange(1, 25).Draw(t, "steps")
	for i := range steps {
		lane := rapid.IntRange(0, len(st.Inputs)-1).Draw(t, "lane")
		key := rapid.SampledFrom([]string{"x", "y"}).Draw(t, "key")
		table := strings.Index("abc", st.Inputs[lane].Stream.Name)
		op, bytes := wire.Delete, []byte(nil)
		delete(data[table], key)
		if rapid.IntRange(0, 2).Draw(t, "op") > 0 {
			op = wire.Upsert
			v := rapid.Int64Range(0, 3).Draw(t, "v")
			data[table][key] = &modelRow{key, v}
			bytes = row.AppendRow(nil, row.Row{v})
		}
		prev, had := held[key]
		next, changed, err := st.Join.Apply(prev, had, lane, op, timeline.Time(i), key, bytes)
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		if changed {
			held[key] = next
		}
		if got, want := viewText(t, held), modelText(root, where, data); got != want {
			t.Fatalf("%s\nafter change %d of %s under %s\ngot  %s\nwant %s", sql, i,
				modelTables[table], key, got, want)
		}
	}
}

func viewText(t *rapid.T, held map[string]wire.Version) string {
	var lines []string
	for key, v := range held {
		if v.Deleted {
			continue
		}
		r, err := row.DecodeRow(v.Row)
		if err != nil || r[0] != key {
			t.Fatalf("row %v under key %s: %v", r, key, err)
		}
		lines = append(lines, fmt.Sprint(r...))
	}
	sort.Strings(lines)
	return strings.Join(lines, "; ")
}

func modelText(root *modelNode, where string, data [3]map[string]*modelRow) string {
	var lines []string
	for _, t := range root.eval(data) {
		if (where == " WHERE a.v > 0" && (t[0] == nil || t[0].val <= 0)) ||
			(where == " WHERE a.v IS NULL" && t[0] != nil) {
			continue
		}
		key, _ := coalesced(t, root.tables())
		vals := []any{key}
		for _, i := range root.tables() {
			if t[i] == nil {
				vals = append(vals, nil)
			} else {
				vals = append(vals, t[i].val)
			}
		}
		lines = append(lines, fmt.Sprint(vals...))
	}
	sort.Strings(lines)
	return strings.Join(lines, "; ")
}
