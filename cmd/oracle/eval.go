package oracle

import (
	"fmt"
	"math/big"
	"sort"
	"strings"
)

// Values are nil, string, int64, *big.Rat, bool, and at for instants.
type at int64

// scope is what an expression is evaluated over: a row of FROM, and the rows of its
// group.
type scope struct {
	cols  []column
	row   []any
	group [][]any
}

// table is a set of rows with repeats.
type table struct {
	cols []column
	rows [][]any
}

func (c colRef) eval(s *scope) any {
	for i, x := range s.cols {
		if x.table == c.table && x.name == c.name {
			if s.row == nil {
				return nil
			}
			return s.row[i]
		}
	}
	panic("no column " + c.sql())
}

func (l literal) eval(*scope) any { return l.v }

func (n not) eval(s *scope) any {
	if b, ok := n.x.eval(s).(bool); ok {
		return !b
	}
	return nil
}

func (n isNull) eval(s *scope) any { return n.x.eval(s) == nil }

func (c coalesce) eval(s *scope) any {
	for _, a := range c.args {
		if v := a.eval(s); v != nil {
			return v
		}
	}
	return nil
}

func (b binary) eval(s *scope) any {
	l, r := b.l.eval(s), b.r.eval(s)
	switch b.op {
	case "AND":
		if l == false || r == false {
			return false
		}
		if l == nil || r == nil {
			return nil
		}
		return true
	case "OR":
		if l == true || r == true {
			return true
		}
		if l == nil || r == nil {
			return nil
		}
		return false
	}
	if l == nil || r == nil {
		return nil
	}
	switch b.op {
	case "+", "-", "*":
		return calculate(b.op, l, r)
	}
	c := compare(l, r)
	switch b.op {
	case "=":
		return c == 0
	case "<>":
		return c != 0
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

func calculate(op string, l, r any) any {
	if x, ok := l.(int64); ok {
		if y, ok := r.(int64); ok {
			return map[string]int64{"+": x + y, "-": x - y, "*": x * y}[op]
		}
	}
	x, y, z := rat(l), rat(r), new(big.Rat)
	switch op {
	case "+":
		return z.Add(x, y)
	case "-":
		return z.Sub(x, y)
	}
	return z.Mul(x, y)
}

func rat(v any) *big.Rat {
	switch v := v.(type) {
	case int64:
		return new(big.Rat).SetInt64(v)
	case *big.Rat:
		return v
	}
	panic(fmt.Sprintf("%T is no number", v))
}

// compare orders two values of one type that are not null.
func compare(l, r any) int {
	switch x := l.(type) {
	case string:
		return strings.Compare(x, r.(string))
	case at:
		return int(min(1, max(-1, x-r.(at))))
	case bool:
		return strings.Compare(fmt.Sprint(x), fmt.Sprint(r))
	}
	return rat(l).Cmp(rat(r))
}

func (a aggregate) eval(s *scope) any {
	if a.arg == nil {
		return int64(len(s.group))
	}
	var vals []any
	seen := map[string]bool{}
	for _, r := range s.group {
		v := a.arg.eval(&scope{cols: s.cols, row: r})
		if v == nil || (a.distinct && seen[show(v)]) {
			continue
		}
		seen[show(v)] = true
		vals = append(vals, v)
	}
	if a.fn == "count" {
		return int64(len(vals))
	}
	if len(vals) == 0 {
		return nil
	}
	best, sum := vals[0], any(int64(0))
	for _, v := range vals {
		if c := 0; a.fn == "min" || a.fn == "max" {
			if c = compare(v, best); (c < 0) == (a.fn == "min") && c != 0 {
				best = v
			}
			continue
		}
		sum = calculate("+", sum, v)
	}
	switch a.fn {
	case "sum":
		return sum
	case "avg":
		return rounded(new(big.Rat).Quo(rat(sum), rat(int64(len(vals)))), a.kind.scale+4)
	}
	return best
}

// rounded rounds halves away from zero, which is what FloatString does.
func rounded(r *big.Rat, digits int) any {
	out, _ := new(big.Rat).SetString(r.FloatString(digits))
	return out
}

// show writes a value by its meaning.
func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case *big.Rat:
		if v.IsInt() {
			return v.Num().String()
		}
		return strings.TrimRight(v.FloatString(30), "0")
	case at:
		return fmt.Sprint("@", int64(v))
	}
	return fmt.Sprint(v)
}

// world is what a query reads: streams as they stood at instants, and views.
type world struct {
	rows  func(stream string, t at) (table, bool) // with _time; false: there is no such stream
	views map[string]*query
	work  int // pairs of rows looked at
}

// tooMuch is how many pairs of rows a query may look at; then it panics.
const tooMuch = 20_000

// fresh returns a world that has done no work yet.
func (w *world) fresh() *world { return &world{rows: w.rows, views: w.views} }

// eval evaluates a query over everything at or before an instant.
func (w *world) eval(q *query, t at) table {
	in := w.from(q.from, t)
	if q.where != nil {
		in.rows = keep(in, q.where)
	}
	out := table{}
	for _, it := range q.items {
		out.cols = append(out.cols, column{"", it.name, it.kind})
	}
	for _, s := range q.scopes(in) {
		if q.having != nil && q.having.eval(s) != true {
			continue
		}
		r := make([]any, len(q.items))
		for i, it := range q.items {
			r[i] = it.expr.eval(s)
		}
		out.rows = append(out.rows, r)
	}
	if q.distinct {
		out.rows = distinct(out.rows)
	}
	return out
}

// scopes are what the select list is evaluated over: every row, or every group.
func (q *query) scopes(in table) (out []*scope) {
	if !q.grouped {
		for _, r := range in.rows {
			out = append(out, &scope{cols: in.cols, row: r})
		}
		return out
	}
	groups := map[string]*scope{}
	for _, r := range in.rows {
		s := &scope{cols: in.cols, row: r}
		key := ""
		for _, g := range q.groups {
			v := g.eval(s)
			key += fmt.Sprintf("%T %q,", v, show(v))
		}
		if groups[key] == nil {
			groups[key] = s
			out = append(out, s)
		}
		groups[key].group = append(groups[key].group, r)
	}
	if len(q.groups) == 0 && len(out) == 0 {
		out = append(out, &scope{cols: in.cols})
	}
	return out
}

func keep(in table, cond expr) (out [][]any) {
	for _, r := range in.rows {
		if cond.eval(&scope{cols: in.cols, row: r}) == true {
			out = append(out, r)
		}
	}
	return out
}

func distinct(rows [][]any) (out [][]any) {
	seen := map[string]bool{}
	for _, r := range rows {
		if k := line(r); !seen[k] {
			seen[k] = true
			out = append(out, r)
		}
	}
	return out
}

// line writes a row so that different rows differ.
func line(r []any) string {
	parts := make([]string, len(r))
	for i, v := range r {
		parts[i] = show(v)
		if _, ok := v.(string); ok {
			parts[i] = fmt.Sprintf("%q", v)
		}
	}
	return strings.Join(parts, " ")
}

func lines(rows [][]any) []string {
	out := make([]string, len(rows))
	for i, r := range rows {
		out[i] = line(r)
	}
	sort.Strings(out)
	return out
}

func (w *world) from(f *from, t at) table {
	if f.l != nil {
		return w.join(f, t)
	}
	var out table
	if f.sub != nil {
		out = w.eval(f.sub, t)
	} else if s, ok := w.rows(f.name, t); ok {
		out = s
	} else {
		out = w.eval(w.views[f.name], t)
	}
	cols := make([]column, len(out.cols))
	for i, c := range out.cols {
		cols[i] = column{f.alias, c.name, c.kind}
	}
	return table{cols, out.rows}
}

func (w *world) join(f *from, t at) table {
	l := w.from(f.l, t)
	r := w.from(f.r, t)
	out := table{cols: append(append([]column{}, l.cols...), r.cols...)}
	matched := make([]bool, len(r.rows))
	for _, x := range l.rows {
		right, frozen := r, f.r.asOf != ""
		if frozen {
			right.rows = nil
			time := colRef{table: f.r.asOf, name: "_time"}.eval(&scope{cols: l.cols, row: x})
			if when, ok := time.(at); ok {
				right = w.from(f.r, when)
			}
		}
		if w.work += len(right.rows); w.work > tooMuch {
			panic("the query is too much work")
		}
		alone := true
		for i, y := range right.rows {
			both := append(append([]any{}, x...), y...)
			if f.on.eval(&scope{cols: out.cols, row: both}) != true {
				continue
			}
			alone = false
			if !frozen {
				matched[i] = true
			}
			out.rows = append(out.rows, both)
		}
		if alone && (f.kind == "LEFT" || f.kind == "FULL OUTER") {
			out.rows = append(out.rows, append(append([]any{}, x...), make([]any, len(r.cols))...))
		}
	}
	for i, y := range r.rows {
		if !matched[i] && (f.kind == "RIGHT" || f.kind == "FULL OUTER") {
			out.rows = append(out.rows, append(make([]any, len(l.cols)), y...))
		}
	}
	return out
}
