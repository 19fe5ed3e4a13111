package plan

import (
	"strings"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"
)

// refuseClauses refuses the clauses of a SELECT that a view cannot have.
func (q *query) refuseClauses(s *ast.Select) error {
	const later = "is not supported in this version; "
	const perKey = "a view keeps one row a key"
	switch {
	case s.With != nil:
		return q.later(`\bwith\b`, "WITH "+later+
			"write the tables and conditions of its queries into this one")
	case len(s.From) == 0, isDual(s.From):
		return q.at(0, "a view reads streams; add FROM and a stream")
	case s.QueryOpts.Distinct:
		return q.later(`\bdistinct\b`, "DISTINCT "+later+perKey+
			": select the key, and leave DISTINCT out")
	case s.QueryOpts.SQLCalcFoundRows:
		return q.near(`\bsql_calc_found_rows\b`, "SQL_CALC_FOUND_ROWS has no meaning "+
			"in a view; leave it out")
	case len(s.GroupBy) > 0:
		return q.later(`\bgroup\s+by\b`, "GROUP BY "+later+
			"select the rows by their key, and aggregate them when reading")
	case s.Having != nil:
		return q.later(`\bhaving\b`, "HAVING "+later+"write conditions on rows as WHERE")
	case len(s.Window) > 0:
		return q.later(`\bwindow\b`, "WINDOW "+later+"compute it when reading")
	case len(s.OrderBy) > 0:
		return q.near(`\border\s+by\b`, "ORDER BY has no meaning in a view, which is read in "+
			"key order; leave it out")
	case s.Limit != nil:
		return q.near(`\b(limit|fetch)\b`, "LIMIT has no meaning in a view, which holds every row; "+
			"write a WHERE, or limit when reading")
	case s.Lock != "":
		return q.near(`\b(for\s+update|for\s+share|lock\s+in)\b`,
			"%s has no meaning in a view; leave it out", strings.ToUpper(strings.TrimSpace(s.Lock)))
	case s.Into != nil:
		return q.near(`\binto\b`, "INTO has no meaning in a view; leave it out")
	}
	return nil
}

func isDual(from ast.TableExprs) bool {
	if t, ok := from[0].(*ast.AliasedTableExpr); ok && len(from) == 1 {
		name, ok := t.Expr.(ast.TableName)
		return ok && strings.EqualFold(name.Name.String(), "dual")
	}
	return false
}

// aggregates and windows need state over several rows.
var aggregates = set(`any_value avg bit_and bit_or bit_xor count group_concat json_arrayagg
	json_objectagg max min std stddev stddev_pop stddev_samp sum var_pop var_samp variance first last`)

var windows = set(`cume_dist dense_rank first_value lag last_value lead nth_value ntile
	percent_rank rank row_number`)

// impure are the functions whose value is not a function of their arguments (L5).
var impure = set(`benchmark connection_id convert_tz curdate current_date current_role current_time
	current_timestamp current_user curtime database found_rows get_lock icu_version
	is_free_lock is_used_lock last_insert_id last_insert_uuid load_file localtime localtimestamp
	master_pos_wait name_const now rand random_bytes release_all_locks release_lock row_count
	schema session_user sleep sysdate system_user user utc_date utc_time utc_timestamp uuid
	uuid_short values version validate_password_strength coercibility collation`)

// foldsCase are functions by which the engine compares text without regard to case (L6),
// with what to write instead.
var foldsCase = map[string]string{
	"field":    "write CASE WHEN x = 'a' THEN 1 WHEN x = 'b' THEN 2 ELSE 0 END",
	"locate":   "write instr(text, part)",
	"position": "write instr(text, part)",
}

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// refuseExprs refuses expressions that cannot stand in a view, by name.
func (q *query) refuseExprs(s *ast.Select) error {
	nodes := []ast.SQLNode{s.SelectExprs}
	if s.Where != nil {
		nodes = append(nodes, s.Where.Expr)
	}
	var ons func(n *treeNode)
	ons = func(n *treeNode) {
		if n.l != nil {
			ons(n.l)
			ons(n.r)
			nodes = append(nodes, n.on)
		}
	}
	ons(q.root)
	return ast.Walk(func(n ast.SQLNode) (bool, error) { return true, q.refuseExpr(n) }, nodes...)
}

func (q *query) refuseExpr(n ast.SQLNode) error {
	switch e := n.(type) {
	case *ast.FuncExpr:
		return q.refuseFunc(e)
	case *ast.Subquery, *ast.ExistsExpr:
		return q.later(`\(\s*(select|with)\b`, "a subquery in an expression is not supported (%q); "+
			"join its table on the keys", quote(n))
	case *ast.GroupConcatExpr:
		return q.aggregate("group_concat")
	case *ast.ConvertUsingExpr:
		return q.near(`\busing\b`, "CONVERT ... USING is not supported; text is always UTF-8 and "+
			"compares bytewise, leave the conversion out")
	case *ast.CharExpr:
		if e.Type != "" {
			return q.near(`\busing\b`, "CHAR ... USING is not supported; "+
				"write CAST(CHAR(...) AS CHAR)")
		}
	case *ast.UnaryExpr:
		op := strings.TrimSpace(e.Operator)
		if strings.HasPrefix(op, "_") && op != "_utf8mb4" && op != "_binary" {
			return q.near(word(op), "character set %s is not supported; text is always UTF-8 and "+
				"compares bytewise, leave it out", op)
		}
	case *ast.MatchExpr:
		return q.near(`\bmatch\b`, "MATCH ... AGAINST is not supported; use LIKE or regexp_like")
	case *ast.ValuesFuncExpr:
		return q.near(`\bvalues\b`, "values() has no meaning in a view; leave it out")
	case *ast.Default:
		return q.near(`\bdefault\b`, "DEFAULT has no meaning in a view; write the value")
	case *ast.ColName:
		if strings.HasPrefix(e.Name.String(), "@") || strings.HasPrefix(ast.String(e), "@") {
			return q.near(word(e.Name.String()), "variable %s is not allowed: a view must be a "+
				"function of its streams alone; write the value", e.Name)
		}
	case *ast.SQLVal:
		if e.Type == ast.ValArg {
			return q.near(`[:?]`, "parameter %s has no value in a view; write the value", e.Val)
		}
	case ast.ListArg:
		return q.near(`::`, "parameter %s has no value in a view; write the values", string(e))
	}
	return nil
}

func (q *query) refuseFunc(e *ast.FuncExpr) error {
	name := e.Name.Lowered()
	at := word(name) + `\s*\(`
	switch {
	case e.Over != nil || windows[name]:
		return q.near(at, "window function %s is not supported; compute it when reading", name)
	case aggregates[name]:
		return q.aggregate(name)
	case impure[name], name == "unix_timestamp" && len(e.Exprs) == 0:
		return q.near(word(name), "function %s is not allowed: its value depends on more than the "+
			"row, and a view must be a function of its streams alone%s", name, cure(name))
	case foldsCase[name] != "":
		return q.near(word(name)+`|\bposition\b`, "function %s is not supported: it would not tell "+
			"upper from lower case; %s", name, foldsCase[name])
	case !e.Qualifier.IsEmpty():
		return q.near(at, "function %s.%s names a database; there are only built-in functions",
			e.Qualifier, name)
	}
	return nil
}

func (q *query) aggregate(name string) error {
	if supported[name] {
		return q.later(word(name)+`\s*\(`, "aggregate %s cannot stand here; aggregates belong into "+
			"the select list and HAVING, not into one another", name)
	}
	return q.later(word(name)+`\s*\(`, "aggregate %s is not supported; there are count, sum, avg, "+
		"min and max", name)
}

// supported are the aggregates that views can compute.
var supported = set(`avg count max min sum`)

// cure says what to write instead of an impure function.
func cure(name string) string {
	switch {
	case strings.HasPrefix(name, "cur") && !strings.Contains(name, "user"),
		strings.HasPrefix(name, "utc_"), strings.HasPrefix(name, "local"),
		name == "now", name == "sysdate", name == "unix_timestamp":
		return "; use a stream's _time, the event time of its row"
	case name == "convert_tz":
		return "; add the offset with date_add"
	case strings.HasPrefix(name, "uuid"), strings.HasPrefix(name, "rand"):
		return "; put the value into the stream"
	}
	return ""
}
