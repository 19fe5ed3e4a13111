package operator

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/timeline/wire"
)

// KeyJoin joins any number of inputs, its lanes, on the record key, filters the
// joined row and projects it. With a single lane it is filter and project, and
// keeps no state. Call Init once; then Apply may be called concurrently.
type KeyJoin struct {
	View   string     // for errors
	Lanes  []Lane     // in input order
	Key    []row.Type // types of the record key's columns
	Root   Node       // the join tree; every lane occurs once
	Filter Expr       // nil lets every row through
	Output []Column   // the public columns, key columns included

	pool sync.Pool // of *scratch
}

// Lane is one input of a join.
type Lane struct {
	Name    string       // the table's alias in the query
	Columns []row.Column // of the row bytes that arrive, in order; key columns never travel
	Keep    []int        // indexes into Columns of what the state keeps, ascending
	Time    bool         // the query reads the lane's _time
}

// Column is an output column and how its value is computed.
type Column struct {
	row.Column
	Expr Expr
}

// scratch is the reusable memory of one Apply.
type scratch struct {
	env     Env
	in      row.Row
	out     row.Row
	keep    row.Row
	slots   []slot
	keyText string
}

// Init checks the definition and prepares it for Apply.
func (j *KeyJoin) Init() error {
	if len(j.Lanes) == 0 || j.Root == nil {
		return errors.New("checking join: there is no lane")
	}
	seen := make([]bool, len(j.Lanes))
	if err := j.Root.check(seen); err != nil {
		return err
	}
	for i, ok := range seen {
		if !ok {
			return fmt.Errorf("checking join tree: lane %q is not in it", j.Lanes[i].Name)
		}
	}
	for _, l := range j.Lanes {
		for i, k := range l.Keep {
			if k < 0 || k >= len(l.Columns) || (i > 0 && k <= l.Keep[i-1]) {
				return fmt.Errorf("checking lane %q: kept columns %v do not ascend within %d columns",
					l.Name, l.Keep, len(l.Columns))
			}
		}
	}
	return nil
}

// Apply takes the version of a key as of just before a change, and the change: a
// row put into a lane or deleted from it at an instant. It returns the version that
// is valid from then on, without its stamp, which is the caller's to set. changed
// is false if the version would not differ: nothing is to be written then (O4).
//
// The row bytes hold the lane's Columns. The slices of the result are the caller's.
// An error names view and key; the state is as before.
func (j *KeyJoin) Apply(prev wire.Version, had bool, lane int, op wire.Op, at timeline.Time,
	keyText string, rowBytes []byte) (next wire.Version, changed bool, err error) {
	s, _ := j.pool.Get().(*scratch)
	if s == nil {
		s = j.newScratch()
	}
	next, changed, err = j.apply(s, prev, had, lane, op, at, keyText, rowBytes)
	j.pool.Put(s)
	if err != nil {
		err = fmt.Errorf("updating view %s under key %q: %w", j.View, keyText, err)
	}
	return next, changed, err
}

func (j *KeyJoin) newScratch() *scratch {
	s := &scratch{slots: make([]slot, len(j.Lanes)), out: make(row.Row, len(j.Output))}
	s.env.Lanes = make([]LaneRow, len(j.Lanes))
	return s
}

func (j *KeyJoin) apply(s *scratch, prev wire.Version, had bool, lane int, op wire.Op,
	at timeline.Time, keyText string, rowBytes []byte) (next wire.Version, _ bool, err error) {
	if lane < 0 || lane >= len(j.Lanes) {
		return next, false, fmt.Errorf("taking change: there is no lane %d", lane)
	}
	if !had {
		prev = wire.Version{Deleted: true}
	}
	if err := j.load(s, prev); err != nil {
		return next, false, err
	}
	was := s.slots[lane]
	if err := j.put(s, lane, op, at, rowBytes); err != nil {
		return next, false, fmt.Errorf("taking change of %s: %w", j.Lanes[lane].Name, err)
	}
	if len(j.Lanes) > 1 && was.same(s.slots[lane]) {
		return prev, false, nil
	}
	if err := j.parseKey(s, keyText); err != nil {
		return next, false, err
	}
	buf := make([]byte, 0, len(prev.State)+len(prev.Row)+len(rowBytes)+64)
	if len(j.Lanes) > 1 {
		buf = j.appendState(buf, s)
	}
	state := buf
	buf, on, err := j.appendOutput(buf, s)
	if err != nil {
		return next, false, err
	}
	next.Deleted = !on
	next.State = buf[:len(state):len(state)]
	next.Row = buf[len(state):]
	same := next.Deleted == prev.Deleted && bytes.Equal(next.Row, prev.Row) &&
		bytes.Equal(next.State, prev.State)
	return next, !same, nil
}

// parseKey reads the record key into the scratch, unless it is the one read last.
func (j *KeyJoin) parseKey(s *scratch, keyText string) error {
	if s.env.Key != nil && s.keyText == keyText {
		return nil
	}
	s.env.Key = nil
	key, err := row.ParseKeyText(j.Key, keyText)
	if err != nil {
		return fmt.Errorf("reading key: %w", err)
	}
	s.env.Key, s.keyText = key, keyText
	return nil
}

// appendOutput evaluates tree, filter and columns and appends the encoded row. It
// returns whether there is one.
func (j *KeyJoin) appendOutput(dst []byte, s *scratch) ([]byte, bool, error) {
	for i := range s.slots {
		if err := j.decode(s, i); err != nil {
			return dst, false, err
		}
	}
	on, err := j.Root.eval(&s.env)
	if err == nil && on && j.Filter != nil {
		on, err = holds(j.Filter, &s.env)
	}
	if err != nil || !on {
		return dst, false, wrapExpr(err)
	}
	for i := range j.Output {
		c := &j.Output[i]
		v, err := c.Expr.Eval(&s.env)
		if err != nil {
			return dst, false, fmt.Errorf("evaluating column %s: %s: %w", c.Name, c.Expr, err)
		}
		s.out[i] = v
	}
	return row.AppendRow(dst, s.out), true, nil
}

func wrapExpr(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("evaluating condition %w", err)
}
