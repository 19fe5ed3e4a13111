package operator

import (
	"fmt"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/timeline/wire"
)

// TemporalJoin joins each row of the left side with the right side's row under the join
// key as it stood at an instant that the left row names. Input 0 is the right side: its
// changes of an instant come before the left side's, which then see all of it. The right
// side keeps its history; what it held at an instant never changes any more, so a left
// row that goes takes exactly the pair with it that it brought.
//
// It emits the left row's columns, then the right row's.
type TemporalJoin struct {
	Name        string   // for errors
	Kind        JoinKind // Inner or Left
	Left, Right []row.Column
	At          int  // the left column that holds the instant; null matches nothing
	Cond        Expr // beyond the join key, over lanes 0 (left) and 1; nil for nothing
}

// Rows returns the columns of both sides.
func (j *TemporalJoin) Rows() []row.Column {
	return append(append([]row.Column{}, j.Left...), j.Right...)
}

// Process keeps a row of the right side, or joins one of the left.
func (j *TemporalJoin) Process(st State, c Change, out *Effects) error {
	err := error(nil)
	if c.Input == 0 {
		err = j.keep(st, c, out)
	} else {
		err = j.join(st, c, out)
	}
	if err != nil {
		return fmt.Errorf("joining %s under key %q: %w", j.Name, c.Key, err)
	}
	return nil
}

func (j *TemporalJoin) keep(st State, c Change, out *Effects) error {
	var space [2]signedRow
	changes, err := c.signed(space[:0])
	if err != nil {
		return err
	}
	prev, _, err := st.Get(c.Key)
	if err != nil {
		return err
	}
	rows, err := decodeBag(prev.Row)
	if err != nil {
		return err
	}
	for _, r := range changes {
		rows = rows.add(r.row, int64(r.sign))
	}
	out.Version, out.Changed = wire.Version{Deleted: len(rows) == 0, Row: rows.append(nil)}, true
	return nil
}

func (j *TemporalJoin) join(st State, c Change, out *Effects) error {
	var space [2]signedRow
	changes, err := c.signed(space[:0])
	if err != nil || out.Emit == nil {
		return err
	}
	for _, r := range changes {
		if err := j.joinRow(st, c, r, out); err != nil {
			return err
		}
	}
	return nil
}

func (j *TemporalJoin) joinRow(st State, c Change, r signedRow, out *Effects) error {
	left, err := row.DecodeRow(r.row)
	if err == nil && len(left) != len(j.Left) {
		err = fmt.Errorf("it has %d columns instead of %d", len(left), len(j.Left))
	}
	if err != nil {
		return fmt.Errorf("decoding row: %w", err)
	}
	right, err := j.lookUp(st, c, left)
	if err != nil {
		return err
	}
	if right != nil && j.Cond != nil {
		env := Env{Lanes: []LaneRow{{On: true, Vals: left}, {On: true, Vals: right}}}
		ok, err := holds(j.Cond, &env)
		if err != nil {
			return wrapExpr(err)
		}
		if !ok {
			right = nil
		}
	}
	if right == nil && j.Kind == Inner {
		return nil
	}
	return out.Emit(r.sign, appendSide(left, right, len(j.Right)))
}

// lookUp returns the right side's row as of the left row's instant, or nil.
func (j *TemporalJoin) lookUp(st State, c Change, left row.Row) (row.Row, error) {
	part, lane, ok := splitKey(c.Key)
	at, isTime := left[j.At].(timeline.Time)
	if !ok || lane == laneNull || !isTime {
		return nil, nil
	}
	if at > c.At {
		return nil, fmt.Errorf("the row is joined as of %s, which is after its own time %s; "+
			"join it as of its _time", at, c.At)
	}
	v, ok, err := st.AsOf(lanePrefix(part, '0'), at)
	if err != nil || !ok || v.Deleted {
		return nil, err
	}
	rows, err := decodeBag(v.Row)
	if err != nil {
		return nil, err
	}
	b, ok := rows.shown()
	if !ok {
		return nil, nil
	}
	r, err := row.DecodeRow(b)
	if err == nil && len(r) != len(j.Right) {
		err = fmt.Errorf("it has %d columns instead of %d", len(r), len(j.Right))
	}
	if err != nil {
		return nil, fmt.Errorf("decoding row as of %s: %w", at, err)
	}
	return r, nil
}
