package operator

import (
	"fmt"

	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/timeline/wire"
)

// Collect keeps the one row under each key that signed rows leave there: the last stage
// of a view whose rows are made elsewhere. Rows move between senders within an instant,
// so a key may hold none or two rows in between.
//
// The version's row is the row shown. Its state is empty if that row is all there is,
// else the bag of rows.
type Collect struct {
	View    string // for errors
	Columns []row.Column
}

// Rows returns the columns of the rows collected.
func (k *Collect) Rows() []row.Column { return k.Columns }

// Process adds a row to its key or takes it away.
func (k *Collect) Process(st State, c Change, out *Effects) error {
	if err := k.process(st, c, out); err != nil {
		return fmt.Errorf("updating view %s under key %q: %w", k.View, c.Key, err)
	}
	return nil
}

func (k *Collect) process(st State, c Change, out *Effects) error {
	var space [2]signedRow
	changes, prev, err := c.onto(st, space[:0])
	if err != nil {
		return err
	}
	var rows bag
	switch {
	case len(prev.State) > 0:
		if rows, err = decodeBag(prev.State); err != nil {
			return err
		}
	case !prev.Deleted:
		rows = bag{{prev.Row, 1}}
	}
	for _, r := range changes {
		rows = rows.add(r.row, int64(r.sign))
	}
	next := wire.Version{Deleted: true}
	if shown, ok := rows.shown(); ok {
		next.Deleted, next.Row = false, shown
	}
	if len(rows) > 1 || len(rows) == 1 && rows[0].count != 1 {
		next.State = rows.append(nil)
	}
	out.Version, out.Changed = next, true
	return replace(prev, next, out)
}
