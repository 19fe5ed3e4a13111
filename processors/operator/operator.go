package operator

import (
	"fmt"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/timeline/wire"
)

// State is what a partition of a stage holds as of just before the stamp of the
// message that is being processed.
type State interface {
	// Get returns the version under a record key; false if there never was one.
	Get(key string) (wire.Version, bool, error)
	// Scan calls fn for every version that holds rows, under the record keys that
	// begin with prefix, in key order. The slices are valid during the call only. fn
	// ends the scan by returning false.
	Scan(prefix string, fn func(key string, v wire.Version) (bool, error)) error
	// AsOf returns the newest version under a record key at or before t, which is not
	// after the message's own instant.
	AsOf(key string, t timeline.Time) (wire.Version, bool, error)
}

// Change is a message: what it does to the row that an input holds under a key.
type Change struct {
	Input int
	Key   string // record key
	At    timeline.Time
	Op    wire.Op
	Row   []byte // encoded row of the input's columns; empty for a delete
}

// Effects is what a message causes: at most one version under its own key, without its
// stamp, and any number of signed rows.
type Effects struct {
	Version wire.Version
	Changed bool // the version is to be written
	// Emit takes a row that joins (+1) or leaves (-1) the operator's output. The row is
	// reused after the call. It is nil if nobody listens.
	Emit func(sign int, r row.Row) error
}

// Operator is what a stage does with its messages. The rows it emits are the exact
// change of its output, as a set with counts: the output is a function of the state, and
// every message emits the output after it minus the output before it. So the order in
// which the messages of one instant arrive does not matter (O6).
type Operator interface {
	// Process takes one message. It must not be called concurrently for one partition.
	Process(st State, c Change, out *Effects) error
	// Rows returns the columns of the rows that Process emits.
	Rows() []row.Column
}

// signedRow is an encoded row and what a change adds to its count.
type signedRow struct {
	sign int
	row  []byte
}

// onto returns the rows that a signed change takes away and brings, in dst, and the
// version of its key that it comes upon: a deleted one if there is none.
func (c *Change) onto(st State, dst []signedRow) ([]signedRow, wire.Version, error) {
	changes, err := c.signed(dst)
	if err != nil {
		return nil, wire.Version{}, err
	}
	prev, had, err := st.Get(c.Key)
	if !had {
		prev = wire.Version{Deleted: true}
	}
	return changes, prev, err
}

// signed returns the rows that a signed change takes away and brings, in dst.
func (c *Change) signed(dst []signedRow) ([]signedRow, error) {
	switch c.Op {
	case wire.Insert:
		return append(dst, signedRow{1, c.Row}), nil
	case wire.Retract:
		return append(dst, signedRow{-1, c.Row}), nil
	case wire.Replace:
		from, to, err := wire.SplitPair(c.Row)
		return append(dst, signedRow{-1, from}, signedRow{1, to}), err
	default:
		return nil, fmt.Errorf("taking change: operation %s has no meaning for signed rows", c.Op)
	}
}

// replace emits the change from one row of a key to the next: versions hold the rows
// that the operator emits.
func replace(prev, next wire.Version, out *Effects) error {
	if out.Emit == nil || prev.Deleted == next.Deleted && string(prev.Row) == string(next.Row) {
		return nil
	}
	for _, v := range []struct {
		sign int
		wire.Version
	}{{-1, prev}, {1, next}} {
		if v.Deleted {
			continue
		}
		r, err := row.DecodeRow(v.Row)
		if err != nil {
			return fmt.Errorf("decoding row: %w", err)
		}
		if err := out.Emit(v.sign, r); err != nil {
			return err
		}
	}
	return nil
}

// Process applies a change to the row under its key, and emits the row it replaces and
// the one that replaces it.
func (j *KeyJoin) Process(st State, c Change, out *Effects) error {
	prev, had, err := st.Get(c.Key)
	if err != nil {
		return err
	}
	if !had {
		prev = wire.Version{Deleted: true}
	}
	out.Version, out.Changed, err = j.Apply(prev, had, c.Input, c.Op, c.At, c.Key, c.Row)
	if err != nil || !out.Changed {
		return err
	}
	return replace(prev, out.Version, out)
}

// Rows returns the output's columns.
func (j *KeyJoin) Rows() []row.Column {
	cols := make([]row.Column, len(j.Output))
	for i := range j.Output {
		cols[i] = j.Output[i].Column
	}
	return cols
}
