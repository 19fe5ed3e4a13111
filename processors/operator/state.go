package operator

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/timeline/wire"
)

// The state under a key is one slot a lane, in lane order. A slot is the byte 0 if
// the lane has no row, else the byte 1, the event time as 8 bytes big endian if the
// lane has Time, the length of the row as a uvarint, and the encoded kept columns.
// If no lane has a row the state is empty.
const (
	slotAbsent  = 0
	slotPresent = 1
)

var errState = errors.New("decoding state: the bytes are damaged; rebuild the view")

// slot is a lane's part of the state.
type slot struct {
	on  bool
	at  timeline.Time
	row []byte
}

func (s slot) same(o slot) bool {
	return s.on == o.on && s.at == o.at && string(s.row) == string(o.row)
}

// load reads the slots of the previous version. A single lane keeps no state.
func (j *KeyJoin) load(s *scratch, prev wire.Version) error {
	for i := range s.slots {
		s.slots[i] = slot{}
	}
	b := prev.State
	if len(b) == 0 || len(j.Lanes) == 1 {
		return nil
	}
	for i := range s.slots {
		if len(b) == 0 {
			return errState
		}
		tag := b[0]
		b = b[1:]
		if tag == slotAbsent {
			continue
		}
		sl := &s.slots[i]
		sl.on = true
		if j.Lanes[i].Time {
			if len(b) < 8 {
				return errState
			}
			sl.at = timeline.Time(binary.BigEndian.Uint64(b))
			b = b[8:]
		}
		n, w := binary.Uvarint(b)
		if tag != slotPresent || w <= 0 || n > uint64(len(b)-w) {
			return errState
		}
		sl.row, b = b[w:w+int(n)], b[w+int(n):]
	}
	if len(b) != 0 {
		return errState
	}
	return nil
}

// put replaces a lane's slot by what the change makes of it.
func (j *KeyJoin) put(s *scratch, lane int, op wire.Op, at timeline.Time, b []byte) (err error) {
	l := &j.Lanes[lane]
	switch op {
	case wire.Delete:
		s.slots[lane] = slot{}
		return nil
	case wire.Upsert:
	default:
		return fmt.Errorf("operation %d has no meaning for a keyed input", op)
	}
	if !l.Time {
		at = 0
	}
	if len(l.Keep) == len(l.Columns) {
		s.slots[lane] = slot{on: true, at: at, row: b}
		return nil
	}
	s.in, err = row.DecodeRowInto(s.in, b)
	if err != nil {
		return err
	}
	if len(s.in) != len(l.Columns) {
		return fmt.Errorf("decoding row: it has %d columns instead of %d",
			len(s.in), len(l.Columns))
	}
	s.keep = s.keep[:0]
	for _, k := range l.Keep {
		s.keep = append(s.keep, s.in[k])
	}
	s.slots[lane] = slot{on: true, at: at, row: row.AppendRow(nil, s.keep)}
	return nil
}

func (j *KeyJoin) appendState(dst []byte, s *scratch) []byte {
	some := false
	for i := range s.slots {
		some = some || s.slots[i].on
	}
	if !some {
		return dst
	}
	for i := range s.slots {
		sl := &s.slots[i]
		if !sl.on {
			dst = append(dst, slotAbsent)
			continue
		}
		dst = append(dst, slotPresent)
		if j.Lanes[i].Time {
			dst = binary.BigEndian.AppendUint64(dst, uint64(sl.at))
		}
		dst = binary.AppendUvarint(dst, uint64(len(sl.row)))
		dst = append(dst, sl.row...)
	}
	return dst
}

// decode makes a lane's row ready for expressions.
func (j *KeyJoin) decode(s *scratch, i int) (err error) {
	sl, lr := &s.slots[i], &s.env.Lanes[i]
	lr.On, lr.At = sl.on, sl.at
	if !sl.on {
		return nil
	}
	if lr.Vals, err = row.DecodeRowInto(lr.Vals, sl.row); err != nil {
		return fmt.Errorf("decoding row of %s: %w", j.Lanes[i].Name, err)
	}
	if want := len(j.Lanes[i].Keep); len(lr.Vals) != want {
		return fmt.Errorf("decoding row of %s: it has %d columns instead of %d",
			j.Lanes[i].Name, len(lr.Vals), want)
	}
	return nil
}
