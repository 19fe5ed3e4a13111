package format

import (
	"fmt"

	"github.com/tideline/tideline/timeline/row"
)

// columns finds the column of a field by name. Producers write fields in one order,
// mostly the schema's, so the column after the last one found is tried first.
type columns struct {
	names  []string
	byName map[string]int
	key    []bool // whether the column belongs to the key
	next   int
}

func newColumns(s row.Schema) (columns, error) {
	c := columns{byName: make(map[string]int, len(s.Columns)), key: make([]bool, len(s.Columns))}
	for i, col := range s.Columns {
		if _, twice := c.byName[col.Name]; twice {
			return c, fmt.Errorf("setting up a decoder: column %q is declared twice", col.Name)
		}
		c.byName[col.Name] = i
		c.names = append(c.names, col.Name)
	}
	for _, k := range s.Key {
		if k < 0 || k >= len(s.Columns) {
			return c, fmt.Errorf("setting up a decoder: key column %d of %d does not exist",
				k, len(s.Columns))
		}
		c.key[k] = true
	}
	return c, nil
}

// find returns the index of the named column, or false.
func (c *columns) find(name []byte) (int, bool) {
	if i := c.next; i < len(c.names) && c.names[i] == string(name) {
		c.next++
		return i, true
	}
	i, ok := c.byName[string(name)]
	if ok {
		c.next = i + 1
	}
	return i, ok
}
