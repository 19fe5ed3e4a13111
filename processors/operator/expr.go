package operator

import (
	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/row"
)

// Expr computes one value from the rows under a key. An Expr must be safe for
// concurrent use and must depend on the Env alone (O1).
type Expr interface {
	Eval(e *Env) (row.Value, error)
	String() string // SQL-like text, for errors and explain
}

// Env is what an expression sees: the key and one row a lane, as far as the join
// has let it through.
type Env struct {
	Key   []row.Value
	Lanes []LaneRow
}

// LaneRow is the row of one lane under the key. If On is false, every column of the
// lane is null.
type LaneRow struct {
	On   bool
	At   timeline.Time // event time of the row; set only for lanes with Time
	Vals row.Row       // the lane's kept columns
}

// Field reads a kept column of a lane.
type Field struct {
	Lane, Column int
	Name         string // for people
}

// Eval returns the column's value, null if the lane has no row.
func (f Field) Eval(e *Env) (row.Value, error) {
	if l := &e.Lanes[f.Lane]; l.On {
		return l.Vals[f.Column], nil
	}
	return nil, nil
}

func (f Field) String() string { return f.Name }

// KeyField reads a key column of a lane. Its value comes from the record key.
type KeyField struct {
	Lane, Position int
	Name           string // for people
}

// Eval returns the key's value, null if the lane has no row.
func (f KeyField) Eval(e *Env) (row.Value, error) {
	if e.Lanes[f.Lane].On {
		return e.Key[f.Position], nil
	}
	return nil, nil
}

func (f KeyField) String() string { return f.Name }

// Key reads a column of the record key, whichever lanes have a row. It stands for
// every expression that provably equals the key whenever the row exists.
type Key struct {
	Position int
	Name     string // for people
}

// Eval returns the key's value.
func (k Key) Eval(e *Env) (row.Value, error) { return e.Key[k.Position], nil }

func (k Key) String() string { return k.Name }

// Time reads the virtual column _time of a lane: the event time of its row.
type Time struct {
	Lane int
	Name string // for people
}

// Eval returns the row's event time, null if the lane has no row.
func (t Time) Eval(e *Env) (row.Value, error) {
	if l := &e.Lanes[t.Lane]; l.On {
		return l.At, nil
	}
	return nil, nil
}

func (t Time) String() string { return t.Name }
