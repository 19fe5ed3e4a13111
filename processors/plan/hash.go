package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/tideline/tideline/timeline/row"
)

// generation changes whenever the same definition would lead to other contents, as by
// a change of the state's encoding. It is part of every hash.
const generation = "1"

// hash returns 8 hex digits of a definition.
func hash(definition string) string {
	sum := sha256.Sum256([]byte(generation + "\n" + definition))
	return hex.EncodeToString(sum[:4])
}

// define writes all of a stream that decides which changes it yields. What merely
// decides whether the pipeline stops at a bad record is left out.
func (s *Stream) define() string {
	return fmt.Sprintf("stream %q %s %s/%d %s time %q disordered %v %v %v %v by %s pos %q hb %q",
		s.Topic, s.Format, s.Name, s.Partitions, schemaText(s.Schema), s.TimeColumn, s.Disordered,
		s.Lateness, s.Delay, s.MaxAhead, s.Partitioner, s.PositionHeader, s.HeartbeatPrefix)
}

func (x *Exchange) define() string {
	return fmt.Sprintf("exchange %d to %d of %v from %s", x.Senders, x.Partitions, x.Columns,
		x.Stream.define())
}

// define writes all that decides what the stage's table and exchange contain.
func (s *Stage) define() string {
	var b strings.Builder
	fmt.Fprintf(&b, "stage %s %d\n", s.Name, s.Partitions)
	for _, in := range s.Inputs {
		if in.Stream == nil {
			fmt.Fprintf(&b, "%s %d\n", in.Topic, in.Exchange.Senders)
		} else if in.Exchange != nil {
			fmt.Fprintf(&b, "%s %v\n", in.Exchange.define(), in.Columns)
		} else {
			fmt.Fprintf(&b, "%s %v\n", in.Stream.define(), in.Columns)
		}
	}
	if s.Exchange != nil {
		fmt.Fprintf(&b, "to %s\n", s.Exchange.define())
	}
	for _, x := range s.Outputs {
		fmt.Fprintf(&b, "to %d: %s\n", x.Partitions, x.Route)
	}
	if s.query != "" {
		fmt.Fprintf(&b, "%s\n", s.query)
	}
	if s.View != nil {
		fmt.Fprintf(&b, "%s\n", schemaText(s.View.Schema))
	}
	return b.String()
}

// schemaText writes columns with their types, key columns marked by their position.
func schemaText(s row.Schema) string {
	parts := make([]string, len(s.Columns))
	for i, c := range s.Columns {
		parts[i] = c.Name + " " + c.Type.String()
		for pos, k := range s.Key {
			if k == i {
				parts[i] += fmt.Sprintf(" key %d", pos+1)
			}
		}
	}
	return "(" + strings.Join(parts, ", ") + ")"
}
