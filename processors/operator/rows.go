package operator

import (
	"encoding/binary"
	"strings"

	"github.com/tideline/tideline/timeline/row"
)

// counted is an encoded row and how many times it is there. Between the messages of one
// instant the count may be negative or above one; at its end it is not.
type counted struct {
	row   []byte
	count int64
}

// bag is a small set of rows with counts, ordered by the rows' bytes, without zeros: the
// state of a slot that signed changes feed.
type bag []counted

// decodeBag reads what bag.append wrote. The rows share b's memory.
func decodeBag(b []byte) (bag, error) {
	var out bag
	for len(b) > 0 {
		count, n := binary.Varint(b)
		if n <= 0 {
			return nil, errState
		}
		size, m := binary.Uvarint(b[n:])
		if m <= 0 || size > uint64(len(b)-n-m) {
			return nil, errState
		}
		b = b[n+m:]
		out = append(out, counted{row: b[:size:size], count: count})
		b = b[size:]
	}
	return out, nil
}

func (g bag) append(dst []byte) []byte {
	for _, c := range g {
		dst = binary.AppendVarint(dst, c.count)
		dst = binary.AppendUvarint(dst, uint64(len(c.row)))
		dst = append(dst, c.row...)
	}
	return dst
}

// add returns the bag with the count of a row changed.
func (g bag) add(r []byte, count int64) bag {
	out := make(bag, 0, len(g)+1)
	done := false
	for _, c := range g {
		switch cmp := strings.Compare(string(c.row), string(r)); {
		case done || cmp < 0:
			out = append(out, c)
			continue
		case cmp == 0:
			count += c.count
			c.count = 0
		}
		done = true
		if count != 0 {
			out = append(out, counted{r, count})
		}
		if c.count != 0 {
			out = append(out, c)
		}
	}
	if !done {
		out = append(out, counted{r, count})
	}
	return out
}

// shown returns the row that the bag stands for: the first with a positive count.
func (g bag) shown() ([]byte, bool) {
	for _, c := range g {
		if c.count > 0 {
			return c.row, true
		}
	}
	return nil, false
}

// The parts of a record key between stages. The bytes do not occur in UTF-8, so no value
// can imitate them.
const (
	keySplit = "\xFE" // ends the part that decides the partition
	keyNull  = "\xFD" // stands for null
	keyNext  = "\xFC" // parts values
	// laneNull is the lane of rows whose join key holds a null: they match nothing.
	laneNull = 'n'
)

// appendParts appends the text of values, which differs where the values differ.
func appendParts(dst []byte, r row.Row, cols []int) []byte {
	for i, c := range cols {
		if i > 0 {
			dst = append(dst, keyNext...)
		}
		switch v := r[c].(type) {
		case nil:
			dst = append(dst, keyNull...)
		case string:
			dst = append(dst, v...)
		default:
			dst = append(dst, row.KeyText([]row.Value{v})...)
		}
	}
	return dst
}

// splitKey parts a composite record key behind its lane byte.
func splitKey(key string) (partition string, lane byte, ok bool) {
	i := strings.IndexByte(key, keySplit[0])
	if i < 0 || i+1 >= len(key) {
		return key, 0, false
	}
	return key[:i], key[i+1], true
}

func lanePrefix(partition string, lane byte) string {
	return partition + keySplit + string(rune(lane))
}
