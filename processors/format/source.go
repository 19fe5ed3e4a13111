package format

import (
	"math"
	"strconv"
	"strings"

	"github.com/valyala/fastjson"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/wire"
)

// commitTime returns the instant at which the source committed the change, from the
// finest clock the envelope has.
func commitTime(source *fastjson.Value) (timeline.Time, *Error) {
	if us, ok := integer(source, "ts_us"); ok {
		return timeline.Time(us), nil
	}
	if ns, ok := integer(source, "ts_ns"); ok {
		return timeline.Time(floorDiv(ns, 1000)), nil
	}
	if ms, ok := integer(source, "ts_ms"); ok && ms == ms*1000/1000 {
		return timeline.FromMillis(ms), nil
	}
	return 0, fail(wire.NoEventTime, "", "the envelope has no source.ts_us, ts_ns or ts_ms; keep the "+
		"source block or declare time: {column: ...}")
}

// logPosition returns the place in the source's log, in an order that never falls
// along the log (F6): see the package doc for why it is not simply the LSN.
func logPosition(v, source *fastjson.Value) (int64, bool) {
	if string(v.GetStringBytes("op")) == "r" {
		return 0, false
	}
	if s := source.Get("snapshot"); s != nil && !notSnapshot(s) {
		return 0, false
	}
	if seq := source.GetStringBytes("sequence"); seq != nil && source.Exists("lsn") {
		return postgresPosition(string(seq), source)
	}
	if file := source.GetStringBytes("file"); file != nil {
		return binlogPosition(string(file), source)
	}
	return 0, false
}

func notSnapshot(s *fastjson.Value) bool {
	switch s.Type() {
	case fastjson.TypeFalse, fastjson.TypeNull:
		return true
	}
	return string(s.GetStringBytes()) == "false"
}

// postgresPosition reads source.sequence, the text ["end of the last commit","lsn"].
// The first is null until the connector has seen a commit; that transaction's own
// changes then stand in, which all lie before the end of its commit.
func postgresPosition(seq string, source *fastjson.Value) (int64, bool) {
	commit, _, ok := strings.Cut(strings.TrimPrefix(seq, "["), ",")
	if !ok {
		return 0, false
	}
	if commit = strings.TrimSpace(commit); commit == "null" {
		return integer(source, "lsn")
	}
	p, err := strconv.ParseInt(strings.Trim(commit, `"`), 10, 64)
	return p, err == nil && p >= 0
}

// binlogPosition is the number in the file's name, above 32 bits of offset. The rows of
// one binlog event share it.
func binlogPosition(file string, source *fastjson.Value) (int64, bool) {
	n, err := strconv.ParseInt(file[strings.LastIndexByte(file, '.')+1:], 10, 32)
	pos, ok := integer(source, "pos")
	if err != nil || !ok || n < 0 || pos < 0 || pos > math.MaxUint32 {
		return 0, false
	}
	return n<<32 | pos, true
}

// integer returns an integral field; false if it is missing, null or anything else.
func integer(v *fastjson.Value, name string) (int64, bool) {
	f := v.Get(name)
	if f == nil || f.Type() != fastjson.TypeNumber {
		return 0, false
	}
	n, err := f.Int64()
	return n, err == nil
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
