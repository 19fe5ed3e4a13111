package operator

import (
	"encoding/binary"
	"fmt"

	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/timeline/wire"
)

// AggregateFunc is how the values of a group become one.
type AggregateFunc uint8

// The aggregates. All but CountRows pass over nulls.
const (
	CountRows AggregateFunc = iota
	Count
	CountDistinct
	Sum
	Avg
	Min
	Max
)

var aggregateNames = [...]string{"count(*)", "count", "count(distinct)", "sum", "avg", "min", "max"}

// String returns the function as it is written in SQL.
func (f AggregateFunc) String() string { return aggregateNames[f] }

// Aggregated is one aggregate of an Aggregate.
type Aggregated struct {
	Func AggregateFunc
	Arg  int      // index of the input's column; not for CountRows
	In   row.Type // of the argument
	Out  row.Type // of the result
}

// Aggregate groups signed rows by their record key, which the first Groups columns of
// every row determine, and keeps an accumulator for each aggregate. It emits the group's
// columns, then the results, one row for every group that has a row.
//
// The version's row is the row emitted; the state is the number of rows and each
// accumulator, with its length. Sums are exact, of doubles, too, so that what comes and
// goes again leaves nothing behind and the order does not matter.
type Aggregate struct {
	Name   string // for errors
	Input  []row.Column
	Groups int
	Aggs   []Aggregated
}

// Rows returns the group's columns and the results.
func (a *Aggregate) Rows() []row.Column {
	cols := append([]row.Column{}, a.Input[:a.Groups]...)
	for i, g := range a.Aggs {
		cols = append(cols, row.Column{Name: fmt.Sprintf("%s %d", g.Func, i+1), Type: g.Out})
	}
	return cols
}

// Process adds a row to its group or takes it away.
func (a *Aggregate) Process(st State, c Change, out *Effects) error {
	if err := a.process(st, c, out); err != nil {
		return fmt.Errorf("grouping %s under key %q: %w", a.Name, c.Key, err)
	}
	return nil
}

func (a *Aggregate) process(st State, c Change, out *Effects) error {
	var space [2]signedRow
	changes, prev, err := c.onto(st, space[:0])
	if err != nil {
		return err
	}
	next := prev
	for _, r := range changes {
		in, err := row.DecodeRow(r.row)
		if err == nil && len(in) != len(a.Input) {
			err = fmt.Errorf("it has %d columns instead of %d", len(in), len(a.Input))
		}
		if err != nil {
			return fmt.Errorf("decoding row: %w", err)
		}
		if next, err = a.apply(next, in, int64(r.sign)); err != nil {
			return err
		}
	}
	out.Version, out.Changed = next, true
	return replace(prev, next, out)
}

func (a *Aggregate) apply(prev wire.Version, in row.Row, sign int64) (wire.Version, error) {
	old := prev.State
	rows := sign
	if len(old) > 0 {
		n, w := binary.Varint(old)
		if w <= 0 {
			return prev, errState
		}
		rows, old = rows+n, old[w:]
	}
	result := append(make(row.Row, 0, a.Groups+len(a.Aggs)), in[:a.Groups]...)
	state := binary.AppendVarint(make([]byte, 0, len(prev.State)+16), rows)
	empty := rows == 0
	for i := range a.Aggs {
		g := &a.Aggs[i]
		var acc []byte
		if len(old) > 0 {
			n, w := binary.Uvarint(old)
			if w <= 0 || n > uint64(len(old)-w) {
				return prev, errState
			}
			acc, old = old[w:w+int(n)], old[w+int(n):]
		}
		next, v, err := g.step(acc, in, sign, rows)
		if err != nil {
			return prev, fmt.Errorf("computing %s: %w", g.Func, err)
		}
		empty = empty && len(next) == 0
		state = binary.AppendUvarint(state, uint64(len(next)))
		state = append(state, next...)
		result = append(result, v)
	}
	next := wire.Version{Deleted: rows <= 0}
	if !empty {
		next.State = state
	}
	if !next.Deleted {
		next.Row = row.AppendRow(nil, result)
	}
	return next, nil
}

// Empty returns the row of an aggregate without groups over no rows: counts are 0, the
// rest is null.
func (a *Aggregate) Empty() row.Row {
	out := make(row.Row, len(a.Aggs))
	for i, g := range a.Aggs {
		if g.Func == CountRows || g.Func == Count || g.Func == CountDistinct {
			out[i] = int64(0)
		}
	}
	return out
}
