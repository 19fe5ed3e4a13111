package table

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// How many characters a cell shows; what is longer ends in "…". The last column has
// nothing to keep in line.
const (
	maxWidth = 60
	maxLast  = 240
)

// Table collects rows and prints them with their columns aligned.
type Table struct {
	rows   [][]string
	widths []int
	right  []bool
}

// New returns a table with the given headings. One that starts with ">" is for a
// column aligned to the right, as numbers are.
func New(headings ...string) *Table {
	t := &Table{widths: make([]int, len(headings)), right: make([]bool, len(headings))}
	for i, h := range headings {
		headings[i], t.right[i] = strings.CutPrefix(h, ">")
	}
	t.Add(headings...)
	return t
}

// Add appends a row. Control characters show as spaces, so that a value cannot break
// the table.
func (t *Table) Add(cells ...string) {
	row := make([]string, len(t.widths))
	for i := range row {
		if i < len(cells) {
			limit := maxWidth
			if i == len(row)-1 {
				limit = maxLast
			}
			row[i] = clean(cells[i], limit)
		}
		t.widths[i] = max(t.widths[i], utf8.RuneCountInString(row[i]))
	}
	t.rows = append(t.rows, row)
}

// Len is the number of rows, without the headings.
func (t *Table) Len() int { return len(t.rows) - 1 }

// Print writes the table.
func (t *Table) Print(w io.Writer) error {
	var b strings.Builder
	for _, row := range t.rows {
		var line strings.Builder
		for i, cell := range row {
			if i > 0 {
				line.WriteString("  ")
			}
			pad := strings.Repeat(" ", t.widths[i]-utf8.RuneCountInString(cell))
			if t.right[i] {
				line.WriteString(pad + cell)
			} else {
				line.WriteString(cell + pad)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " "))
		b.WriteByte('\n')
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("printing table: %w", err)
	}
	return nil
}

func clean(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s)
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	runes := []rune(s)
	return string(runes[:limit-1]) + "…"
}
