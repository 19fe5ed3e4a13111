package format

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/row"
)

// mustSchema builds a schema from "name type" texts; the first keys of them are the key.
func mustSchema(keys int, cols ...string) row.Schema {
	var s row.Schema
	for i, c := range cols {
		name, text, _ := strings.Cut(c, " ")
		typ, err := row.ParseType(text)
		if err != nil {
			panic(err)
		}
		s.Columns = append(s.Columns, row.Column{Name: name, Type: typ})
		if i < keys {
			s.Key = append(s.Key, i)
		}
	}
	return s
}

// outcome renders a decoded record as one line.
func outcome(s row.Schema, ch Change, err error) string {
	if err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return "no *Error: " + err.Error()
		}
		return fmt.Sprintf("%s [%s] %v", e.Reason, e.Column, e.Err)
	}
	out := ch.Kind.String()
	if ch.Key != nil {
		out += " " + row.KeyText(ch.Key)
	}
	if ch.Row != nil {
		out += " " + string(row.AppendRowJSON(nil, s.Columns, ch.Row, func(int) bool { return false }))
	}
	if ch.Kind != Ignore {
		out += fmt.Sprintf(" @%d", ch.At)
	}
	if ch.HasPosition {
		out += fmt.Sprintf(" #%d", ch.Position)
	}
	if ch.TiesAllowed {
		out += " ties"
	}
	return out
}

func headers(kv ...string) func(string) ([]byte, bool) {
	return func(name string) ([]byte, bool) {
		for i := 0; i+1 < len(kv); i += 2 {
			if kv[i] == name {
				return []byte(kv[i+1]), true
			}
		}
		return nil, false
	}
}

func bytesOf(s string) []byte {
	if s == "NIL" {
		return nil
	}
	return []byte(s)
}

const at = timeline.Time(1_700_000_000_000_000)

var (
	one  = mustSchema(1, "id bigint", "name text", "total decimal(12,2)", "paid timestamp(6)")
	two  = mustSchema(2, "a bigint", "b text", "v double")
	text = mustSchema(1, "id text", "v json")
)

// jsonCases want a prefix of the outcome, or all of it if they end in $.
var jsonCases = []struct {
	what       string
	o          Options
	key, value string
	pos        string
	want       string
}{
	{"all columns", Options{Schema: one}, "7",
		`{"id":7,"name":"x","total":12.5,"paid":"2023-11-14T22:13:20Z"}`, "",
		`upsert 7 {"id":7,"name":"x","total":12.50,"paid":"2023-11-14T22:13:20Z"} @17`},
	{"other order, missing, null, unknown", Options{Schema: one}, "7",
		` { "zz":[{"a":"]"}], "total" : null,"name":"\u00e9" } `, "",
		`upsert 7 {"id":7,"name":"é","total":null,"paid":null} @1700000000000000$`},
	{"no row left over", Options{Schema: one}, "8", `{}`, "",
		`upsert 8 {"id":8,"name":null,"total":null,"paid":null} @`},
	{"names match exactly", Options{Schema: one}, "8", `{"NAME":"x"}`, "",
		`upsert 8 {"id":8,"name":null,`},
	{"last of a repeated field", Options{Schema: one}, "8", `{"name":"x","name":"y"}`, "",
		`upsert 8 {"id":8,"name":"y",`},
	{"delete", Options{Schema: one}, "7", "NIL", "", `delete 7 @1700000000000000$`},
	{"delete with time column", Options{Schema: one, TimeColumn: "paid"}, "7", "NIL", "",
		`delete 7 @1700000000000000$`},
	{"time column", Options{Schema: one, TimeColumn: "paid"}, "7",
		`{"paid":"1970-01-01T00:00:01.000002Z"}`, "", `upsert 7 {"id":7,"name":null,` +
			`"total":null,"paid":"1970-01-01T00:00:01.000002Z"} @1000002$`},
	{"time column of milliseconds", Options{Schema: two, TimeColumn: "a"}, `[1500,"x"]`, `{}`, "",
		`upsert [1500,"x"] {"a":1500,"b":"x","v":null} @1500000$`},
	{"time column too great", Options{Schema: two, TimeColumn: "a"},
		`[9223372036854775807,"x"]`, `{}`, "", `no-event-time [a] is 9223372036854775807`},
	{"time column missing", Options{Schema: one, TimeColumn: "paid"}, "7", `{}`, "",
		`no-event-time [paid] is missing or null`},
	{"time column bad", Options{Schema: one, TimeColumn: "paid"}, "7", `{"paid":"x"}`, "",
		`no-event-time [paid] `},
	{"two key columns", Options{Schema: two}, `[1, "x"]`, `{"v":1.5,"b":"x"}`, "",
		`upsert [1,"x"] {"a":1,"b":"x","v":1.5} @`},
	{"key disagrees", Options{Schema: two}, `[1,"x"]`, `{"b":"y"}`, "",
		`undecodable [b] the value says "y" but the record key "x"`},
	{"key null in the value", Options{Schema: two}, `[1,"x"]`, `{"a":null}`, "",
		`undecodable [a] the value says null but the record key 1`},
	{"null in the key", Options{Schema: two}, `[1,null]`, `{}`, "", `no-key [] `},
	{"bad key", Options{Schema: one}, `x`, `{}`, "", `undecodable [] `},
	{"no key", Options{Schema: one}, "NIL", `{}`, "", `no-key [] the record has no key`},
	{"empty text key", Options{Schema: text}, "", `{"v":[1,{"a":"\u0001"}]}`, "",
		`upsert  {"id":"","v":[1,{"a":"\u0001"}]} @`},
	{"quotes belong to the key", Options{Schema: text}, `"k"`, `{}`, "",
		`upsert "k" {"id":"\"k\"",`},
	{"key not UTF-8", Options{Schema: text}, "\xff", `{}`, "", `undecodable [] the record key`},
	{"value not UTF-8", Options{Schema: text}, "k", "{\"v\":\"\xff\"}", "",
		`undecodable [] the value`},
	{"not an object", Options{Schema: one}, "7", ` [1]`, "",
		`undecodable [] the value is JSON array, wanted an object or null for a delete: "[1]"$`},
	{"JSON null", Options{Schema: one}, "7", `null`, "", `undecodable [] the value is JSON null`},
	{"empty", Options{Schema: one}, "7", ``, "", `undecodable [] `},
	{"cut off", Options{Schema: one}, "7", `{"name":"x`, "", `undecodable [] `},
	{"wrong type", Options{Schema: one}, "7", `{"name":true}`, "", `undecodable [name] `},
	{"does not fit", Options{Schema: one}, "7", `{"total":1.005}`, "", `undecodable [total] `},
	{"position", Options{Schema: one, PositionHeader: "position"}, "7", "NIL", "42",
		`delete 7 @1700000000000000 #42$`},
	{"position absent", Options{Schema: one, PositionHeader: "p"}, "7", "NIL", "42",
		`delete 7 @1700000000000000$`},
	{"position bad", Options{Schema: one, PositionHeader: "position"}, "7", "NIL", "4x",
		`undecodable [] position header "position" is "4x", wanted a decimal integer$`},
	{"heartbeat", Options{Schema: one, PositionHeader: "position", HeartbeatPrefix: "~hb:"},
		"~hb:0:1", `rubbish`, "3", `time only @1700000000000000 #3$`},
}

func TestJSON(t *testing.T) {
	for _, c := range jsonCases {
		t.Run(c.what, func(t *testing.T) {
			d, err := NewJSON(c.o)
			if err != nil {
				t.Fatal(err)
			}
			r := Record{Key: bytesOf(c.key), Value: bytesOf(c.value), Timestamp: at}
			if c.pos != "" {
				r.Header = headers("position", c.pos)
			}
			for range 2 { // the second time with used buffers
				ch, err := d.Decode(r)
				expect(t, outcome(c.o.Schema, ch, err), c.want)
			}
		})
	}
}

func expect(t *testing.T, got, want string) {
	t.Helper()
	all, exact := strings.CutSuffix(want, "$")
	if exact && got == all || !exact && strings.HasPrefix(got, want) {
		return
	}
	t.Errorf("got  %s\nwant %s", got, want)
}

func TestNoTimestamp(t *testing.T) {
	s := mustSchema(1, "id bigint")
	d, _ := NewJSON(Options{Schema: s, HeartbeatPrefix: "~"})
	for _, r := range []Record{
		{Key: []byte("1"), Value: []byte("{}"), Timestamp: timeline.FromMillis(-1)},
		{Key: []byte("1"), Timestamp: timeline.MinTime},
		{Key: []byte("~"), Timestamp: timeline.FromMillis(-1)},
	} {
		ch, err := d.Decode(r)
		expect(t, outcome(s, ch, err), "no-event-time [] the record has no timestamp")
	}
}

func TestOptions(t *testing.T) {
	s := mustSchema(1, "id bigint", "at timestamp")
	for _, o := range []Options{
		{Schema: mustSchema(0, "id bigint")},
		{Schema: mustSchema(1, "id bigint", "id text")},
		{Schema: row.Schema{Columns: s.Columns, Key: []int{2}}},
		{Schema: s, TimeColumn: "no"},
		{Schema: mustSchema(1, "id text"), TimeColumn: "id"},
	} {
		if _, err := NewJSON(o); err == nil {
			t.Errorf("%+v: no error", o)
		}
		if _, err := NewDebezium(o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

func TestErrorsStayShort(t *testing.T) {
	d, _ := NewJSON(Options{Schema: mustSchema(1, "id text", "v text")})
	for _, v := range []string{
		strings.Repeat("x", 1e5), `{"v":[` + strings.Repeat("9", 1e5) + `]}`,
		strings.Repeat(`{"v":`, 1e4), `"` + strings.Repeat("x", 1e5) + `"`,
	} {
		_, err := d.Decode(Record{Key: []byte("k"), Value: []byte(v), Timestamp: at})
		if err == nil || len(err.Error()) > 600 {
			t.Errorf("%.20s: error of %d bytes: %.300v", v, len(fmt.Sprint(err)), err)
		}
	}
}
