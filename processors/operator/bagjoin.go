package operator

import (
	"fmt"

	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/timeline/wire"
)

// BagJoin joins two inputs of signed rows on a join key, under which each may have any
// number of rows. Its record keys are composite: the join key, the lane, and the row's
// identity; under each stands the bag of rows with that identity.
//
// It emits the left row's columns, then the right row's. The output is every pair of
// rows that match, as many times as the product of their counts says, and, for a side
// that is kept, every row of it beside which no row with a positive count matches.
type BagJoin struct {
	Name  string // for errors
	Kind  JoinKind
	Sides [2][]row.Column
	// Unique says that a side has one row at most under a join key: no identity is part
	// of its record keys.
	Unique [2]bool
	Cond   Expr // beyond the join key, over lanes 0 and 1; nil for nothing
}

// side is one row of an input, as often as it is there.
type sideRow struct {
	vals  row.Row
	count int64
}

// signedVals is a row that the message takes away or brings.
type signedVals struct {
	sign    int
	vals    row.Row
	matched bool // by a row with a positive count
}

// Rows returns the columns of both sides.
func (j *BagJoin) Rows() []row.Column {
	return append(append([]row.Column{}, j.Sides[0]...), j.Sides[1]...)
}

// keeps says whether the rows of a side appear without a match.
func (j *BagJoin) keeps(side int) bool {
	return j.Kind == Full || j.Kind == Left && side == 0 || j.Kind == Right && side == 1
}

// Process joins one row of a side with all of the other.
func (j *BagJoin) Process(st State, c Change, out *Effects) error {
	if err := j.process(st, c, out); err != nil {
		return fmt.Errorf("joining %s under key %q: %w", j.Name, c.Key, err)
	}
	return nil
}

func (j *BagJoin) process(st State, c Change, out *Effects) error {
	var space [2]signedRow
	changes, err := c.signed(space[:0])
	if err != nil {
		return err
	}
	mine := make([]signedVals, len(changes))
	for i, r := range changes {
		mine[i].sign = r.sign
		if mine[i].vals, err = j.decode(c.Input, r.row); err != nil {
			return err
		}
	}
	e := &emitter{join: j, side: c.Input, out: out}
	part, lane, ok := splitKey(c.Key)
	if !ok {
		return fmt.Errorf("reading record key: it names no lane")
	}
	if lane == laneNull {
		return e.lone(mine)
	}
	prev, _, err := st.Get(c.Key)
	if err != nil {
		return err
	}
	before, err := decodeBag(prev.Row)
	if err != nil {
		return err
	}
	after := before
	for _, r := range changes {
		after = after.add(r.row, int64(r.sign))
	}
	out.Version, out.Changed = wire.Version{Deleted: len(after) == 0, Row: after.append(nil)}, true
	x := exchange{j: j, st: st, c: c, part: part, mine: mine,
		before: before, after: after, e: e}
	return x.run()
}

func (j *BagJoin) decode(side int, b []byte) (row.Row, error) {
	r, err := row.DecodeRow(b)
	if err == nil && len(r) != len(j.Sides[side]) {
		err = fmt.Errorf("it has %d columns instead of %d", len(r), len(j.Sides[side]))
	}
	if err != nil {
		return nil, fmt.Errorf("decoding row of input %d: %w", side, err)
	}
	return r, nil
}

// exchange is the work of one message.
type exchange struct {
	j             *BagJoin
	st            State
	c             Change
	part          string
	mine          []signedVals
	before, after bag
	e             *emitter
}

func (x *exchange) run() error {
	other := 1 - x.c.Input
	var alone []sideRow // of the other side, which may gain or lose their only match
	err := x.rows(other, "", func(o sideRow) (bool, error) {
		matched := false
		for i := range x.mine {
			m := &x.mine[i]
			ok, err := x.j.match(x.c.Input, m.vals, o.vals)
			if err != nil {
				return false, err
			}
			if !ok {
				continue
			}
			matched = true
			m.matched = m.matched || o.count > 0
			if err := x.e.times(int64(m.sign)*o.count, m.vals, o.vals); err != nil {
				return false, err
			}
		}
		if matched && x.j.keeps(other) {
			alone = append(alone, o)
		}
		return true, nil
	})
	if err == nil && x.j.keeps(x.c.Input) {
		err = x.e.lone(x.mine)
	}
	if err != nil || len(alone) == 0 {
		return err
	}
	return x.widow(alone)
}

// widow emits what becomes of rows of the other side that are kept without a match: they
// lose that form when the first match comes, and get it back when the last one goes.
func (x *exchange) widow(alone []sideRow) error {
	elsewhere := false // without a further condition one answer serves all
	for i, o := range alone {
		if i == 0 || x.j.Cond != nil {
			var err error
			if elsewhere, err = x.matchedElsewhere(o.vals); err != nil {
				return err
			}
		}
		if elsewhere {
			continue
		}
		was, err := x.anyMatch(x.before, o.vals)
		if err != nil {
			return err
		}
		is, err := x.anyMatch(x.after, o.vals)
		if err != nil {
			return err
		}
		n := o.count
		if is {
			n = -n
		}
		if was != is {
			if err := x.e.times(n, nil, o.vals); err != nil {
				return err
			}
		}
	}
	return nil
}

// matchedElsewhere says whether a row of the other side has a match on this side under
// another identity than the message's.
func (x *exchange) matchedElsewhere(o row.Row) (found bool, err error) {
	err = x.rows(x.c.Input, x.c.Key, func(m sideRow) (bool, error) {
		if m.count <= 0 {
			return true, nil
		}
		found, err = x.j.match(x.c.Input, m.vals, o)
		return !found && err == nil, err
	})
	return found, err
}

func (x *exchange) anyMatch(rows bag, o row.Row) (bool, error) {
	for _, r := range rows {
		if r.count <= 0 {
			continue
		}
		if x.j.Cond == nil {
			return true, nil
		}
		vals, err := x.j.decode(x.c.Input, r.row)
		if err != nil {
			return false, err
		}
		if ok, err := x.j.match(x.c.Input, vals, o); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// rows calls fn for the rows of a side under the join key, leaving out one record key.
func (x *exchange) rows(side int, but string, fn func(sideRow) (bool, error)) error {
	prefix := lanePrefix(x.part, byte('0'+side))
	each := func(key string, v wire.Version) (bool, error) {
		if key == but {
			return true, nil
		}
		rows, err := decodeBag(v.Row)
		if err != nil {
			return false, err
		}
		for _, r := range rows {
			vals, err := x.j.decode(side, r.row)
			if err != nil {
				return false, err
			}
			if more, err := fn(sideRow{vals, r.count}); err != nil || !more {
				return false, err
			}
		}
		return true, nil
	}
	if !x.j.Unique[side] {
		return x.st.Scan(prefix, each)
	}
	if prefix == but {
		return nil
	}
	v, ok, err := x.st.Get(prefix)
	if err != nil || !ok || v.Deleted {
		return err
	}
	_, err = each(prefix, v)
	return err
}

// match says whether a row of a side and one of the other match beyond the key.
func (j *BagJoin) match(side int, mine, other row.Row) (bool, error) {
	if j.Cond == nil {
		return true, nil
	}
	env := Env{Lanes: make([]LaneRow, 2)}
	env.Lanes[side] = LaneRow{On: true, Vals: mine}
	env.Lanes[1-side] = LaneRow{On: true, Vals: other}
	ok, err := holds(j.Cond, &env)
	return ok, wrapExpr(err)
}

// emitter puts the two sides' rows beside each other; a nil row is all null.
type emitter struct {
	join *BagJoin
	side int // of the message
	out  *Effects
	row  row.Row
}

// lone emits the message's rows that have no match.
func (e *emitter) lone(rows []signedVals) error {
	for _, m := range rows {
		if m.matched {
			continue
		}
		if err := e.emit(m.sign, m.vals, nil); err != nil {
			return err
		}
	}
	return nil
}

func (e *emitter) times(n int64, mine, other row.Row) error {
	sign := 1
	if n < 0 {
		sign, n = -1, -n
	}
	for ; n > 0; n-- {
		if err := e.emit(sign, mine, other); err != nil {
			return err
		}
	}
	return nil
}

func (e *emitter) emit(sign int, mine, other row.Row) error {
	if e.out.Emit == nil || mine == nil && other == nil {
		return nil
	}
	if e.side == 1 {
		mine, other = other, mine
	}
	e.row = appendSide(e.row[:0], mine, len(e.join.Sides[0]))
	e.row = appendSide(e.row, other, len(e.join.Sides[1]))
	if lone := mine == nil || other == nil; lone {
		side := 0
		if mine == nil {
			side = 1
		}
		if !e.join.keeps(side) {
			return nil
		}
	}
	return e.out.Emit(sign, e.row)
}

func appendSide(dst, r row.Row, n int) row.Row {
	if r != nil {
		return append(dst, r...)
	}
	for range n {
		dst = append(dst, nil)
	}
	return dst
}
