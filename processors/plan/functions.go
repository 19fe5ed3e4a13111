package plan

import (
	"sort"

	"github.com/dolthub/go-mysql-server/sql/expression/function"
)

// functionNames lists the functions a view may call, for suggestions.
func functionNames() []string {
	var out []string
	for _, f := range function.BuiltIns {
		if n := f.FunctionName(); !aggregates[n] && !windows[n] && !impure[n] {
			out = append(out, n)
		}
	}
	sort.Strings(out)
	return out
}
