package format

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tideline/tideline/timeline/row"
)

const (
	pgSource  = `{"ts_us":1000,"ts_ms":1,"lsn":77,"snapshot":"false","sequence":"[\"70\",\"77\"]"}`
	snapshot  = `{"ts_us":1000,"lsn":77,"snapshot":"last","sequence":"[null,\"77\"]"}`
	binlogRow = `{"ts_ms":1,"snapshot":"false","sequence":null,"file":"binlog.000003","pos":9,"row":1}`
)

// envelope builds a Debezium value.
func envelope(op, after, source string) string {
	return fmt.Sprintf(`{"before":null,"after":%s,"source":%s,"transaction":null,"op":%q,"ts_ms":5}`,
		after, source, op)
}

// embedded wraps an envelope in a schema with the given fields of after.
func embedded(fields, payload string) string {
	return `{"schema":{"type":"struct","fields":[{"type":"struct","fields":[],"field":"before"},` +
		`{"type":"struct","fields":[` + fields + `],"field":"after"}],"name":"x}\"y"},"payload":` +
		payload + `}`
}

var plain = Options{Schema: mustSchema(1, "id bigint", "v text", "seen timestamp(6)")}

var envelopeCases = []struct {
	what       string
	o          Options
	key, value string
	want       string
}{
	{"insert", plain, `{"id":1}`, envelope("c", `{"id":1,"v":"x"}`, pgSource),
		`upsert 1 {"id":1,"v":"x","seen":null} @1000 #70 ties$`},
	{"update", plain, `{"id":1}`, envelope("u", `{"id":1,"v":null}`, pgSource),
		`upsert 1 {"id":1,"v":null,"seen":null} @1000 #70 ties$`},
	{"snapshot", plain, `{"id":1}`, envelope("r", `{"id":1}`, snapshot),
		`upsert 1 {"id":1,"v":null,"seen":null} @1000$`},
	{"delete", plain, `{"id":1}`, envelope("d", `null`, pgSource), `delete 1 @1000 #70 ties$`},
	{"binlog", plain, `{"id":1}`, envelope("d", `null`, binlogRow),
		`delete 1 @1000 #12884901897 ties$`},
	{"schema around both", plain, `{"schema":{"type":"struct","fields":[]},"payload":{"id":1}}`,
		embedded(`{"type":"string","field":"v"}`, envelope("c", `{"id":1,"v":"}"}`, pgSource)),
		`upsert 1 {"id":1,"v":"}","seen":null} @1000 #70 ties$`},
	{"null schema", plain, `{"schema":null,"payload":{"id":1}}`,
		`{"schema":null,"payload":` + envelope("d", "null", pgSource) + `}`, `delete 1 @1000`},
	{"payload first", plain, `{"payload":{"id":1},"schema":{}}`,
		`{"payload":` + envelope("d", "null", pgSource) + `,"schema":{}}`, `delete 1 @1000`},
	{"tombstone", plain, `{"id":1}`, "NIL", `ignore$`},
	{"tombstone with schema", plain, `{"id":1}`, `{"schema":null,"payload":null}`, `ignore$`},
	{"message", plain, `{"prefix":"p"}`, `{"op":"m","source":{},"message":{}}`, `ignore$`},
	{"transaction", plain, `{"id":"5"}`,
		`{"status":"BEGIN","id":"5","event_count":null,"ts_ms":1}`, `ignore$`},
	{"truncate", plain, "NIL", envelope("t", "null", pgSource),
		`unsupported [] the source table was truncated`},
	{"time column", Options{Schema: plain.Schema, TimeColumn: "seen"}, `{"id":1}`,
		envelope("c", `{"id":1,"seen":"1970-01-01T00:00:07Z"}`, pgSource),
		`upsert 1 {"id":1,"v":null,"seen":"1970-01-01T00:00:07Z"} @7000000 #70 ties$`},
	{"header position", Options{Schema: plain.Schema, PositionHeader: "p"}, `{"id":1}`,
		envelope("d", "null", pgSource), `delete 1 @1000 #5$`},
	{"no source", plain, `{"id":1}`, envelope("d", "null", "null"), `no-event-time [] `},
	{"no key", plain, "NIL", envelope("d", "null", pgSource), `no-key [] `},
	{"key column missing", plain, `{"x":1}`, envelope("d", "null", pgSource), `no-key [id] `},
	{"key column null", plain, `{"id":null}`, envelope("d", "null", pgSource), `no-key [id] `},
	{"key of more columns", plain, `{"id":1,"tenant":2}`, envelope("d", "null", pgSource),
		`undecodable [] the record key "{\"id\":1,\"tenant\":2}" has 2 columns`},
	{"key no object", plain, `1`, envelope("d", "null", pgSource),
		`undecodable [] the record key "1"`},
	{"key disagrees", plain, `{"id":1}`, envelope("c", `{"id":2}`, pgSource),
		`undecodable [id] the value says 2 but the record key 1$`},
	{"no after", plain, `{"id":1}`, envelope("c", `null`, pgSource), `undecodable [] the envelope`},
	{"unwrapped", plain, `{"id":1}`, `{"id":1,"v":"x","__op":"c"}`,
		`undecodable [] the value is no Debezium envelope`},
	{"unknown op", plain, `{"id":1}`, envelope("z", `null`, pgSource), `undecodable [] `},
	{"no JSON", plain, `{"id":1}`, `{"op":`, `undecodable [] `},
	{"unchanged large value", plain, `{"id":1}`,
		envelope("u", `{"id":1,"v":"__debezium_unavailable_value"}`, pgSource),
		`undecodable [v] holds Debezium's placeholder`},
}

func TestDebeziumEnvelopes(t *testing.T) {
	s := plain.Schema
	for _, c := range envelopeCases {
		t.Run(c.what, func(t *testing.T) {
			d, err := NewDebezium(c.o)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				ch, err := d.Decode(Record{Key: bytesOf(c.key), Value: bytesOf(c.value),
					Timestamp: at, Header: headers("p", "5")})
				expect(t, outcome(s, ch, err), c.want)
			}
		})
	}
}

// TestOverlappingTransactions: B commits first though A wrote first, so Debezium sends B
// first and the LSN falls. The position must not, or A would pass for a repeat.
func TestOverlappingTransactions(t *testing.T) {
	s := mustSchema(1, "id bigint")
	d, _ := NewDebezium(Options{Schema: s})
	last := int64(-1)
	for i, src := range []struct{ sequence, lsn string }{
		{`[null,\"60\"]`, "60"},       // first commit ever seen, ends at 65
		{`[\"65\",\"110\"]`, "110"},   // B, ends at 130
		{`[\"130\",\"100\"]`, "100"},  // A, ends at 140
		{`[\"130\",\"120\"]`, "120"},  // A
		{`[\"140\", \"150\"]`, "150"}, // the next
	} {
		ch, err := d.Decode(Record{Key: []byte(`{"id":1}`), Value: []byte(envelope("d", "null",
			`{"ts_us":1,"lsn":`+src.lsn+`,"sequence":"`+src.sequence+`"}`))})
		if err != nil || !ch.HasPosition || !ch.TiesAllowed || ch.Position < last {
			t.Errorf("change %d: %s after #%d", i, outcome(s, ch, err), last)
		}
		last = ch.Position
	}
}

func TestPositions(t *testing.T) {
	s := mustSchema(1, "id bigint")
	d, _ := NewDebezium(Options{Schema: s})
	for _, c := range []struct{ source, want string }{
		{`{"ts_us":1,"lsn":5,"snapshot":"incremental","sequence":"[\"4\",\"5\"]"}`, "delete 1 @1$"},
		{`{"ts_us":1,"lsn":5,"snapshot":"true","sequence":"[\"4\",\"5\"]"}`, "delete 1 @1$"},
		{`{"ts_us":1,"lsn":5,"snapshot":false,"sequence":"[\"4\",\"5\"]"}`, "delete 1 @1 #4 ties$"},
		{`{"ts_us":1,"lsn":5}`, "delete 1 @1$"}, // falls where transactions overlap: no position
		{`{"ts_us":1,"lsn":5,"sequence":"rubbish"}`, "delete 1 @1$"},
		{`{"ts_us":1,"lsn":null,"sequence":"[null,null]"}`, "delete 1 @1$"},
		{`{"ts_us":1,"file":"bin.x","pos":3}`, "delete 1 @1$"},
		{`{"ts_us":1,"file":"bin.000002","pos":3,"row":0}`, "delete 1 @1 #8589934595 ties$"},
		{`{"ts_us":1,"file":"bin.000002","pos":4294967296}`, "delete 1 @1$"},
		{`{"ts_ns":-1}`, "delete 1 @-1$"},
		{`{"ts_ms":9223372036854775807}`, "no-event-time"},
		{`{"ts_us":1.5}`, "no-event-time"},
	} {
		ch, err := d.Decode(Record{Key: []byte(`{"id":1}`),
			Value: []byte(envelope("d", "null", c.source))})
		expect(t, outcome(s, ch, err), c.want)
	}
}

func field(typ, name string) string {
	return fmt.Sprintf(`{"type":%q,"name":%q,"parameters":{"scale":"1"},"field":"v"}`, typ, name)
}

// valueCases give column v of a type and perhaps a schema, and want its JSON, or ! and a
// part of the error.
var valueCases = []struct {
	typ, field, value string
	want              string // the JSON of v, or ! and part of the error
}{
	{"decimal(12,2)", "", `"BBo="`, `10.50`},
	{"decimal(12,2)", "", `"8PY="`, `-38.50`},
	{"decimal(12,2)", "", `"10.5"`, `10.50`},
	{"decimal(12,2)", "", `10.5`, `10.50`},
	{"decimal(12,2)", "", `"1234"`, `-26588.24`}, // base64 goes first
	{"decimal(12,2)", field("string", ""), `"1234"`, `1234.00`},
	{"decimal(12,2)", field("bytes", connectDecimal), `"BBo="`, `105.00`},
	{"decimal(3,2)", field("bytes", connectDecimal), `"BBo="`, `!does not fit`},
	{"decimal(12,2)", "", `{"scale":9,"value":"O5rKAA=="}`, `1.00`},
	{"decimal(12,2)", "", `{"scale":9,"value":"AQ=="}`, `!does not fit`},
	{"decimal", "", `{"scale":-20,"value":"AQ=="}`, `100000000000000000000`},
	{"decimal", "", `{"scale":2000000000,"value":"AQ=="}`, `!no database`},
	{"decimal", "", `{"scale":1}`, `!without scale and value`},
	{"decimal", "", `"BBo="`, `!declare the column decimal(precision,scale)`},
	{"decimal(12,2)", "", `"NaN"`, `null`},
	{"decimal(12,2)", field("bytes", connectDecimal), `"x"`, `!wanted base64`},
	{"decimal(12,2)", "", `""`, `!wanted decimal(12,2)`},
	{"bigint", field("bytes", connectDecimal), `"AKo="`, `17`},
	{"bigint", "", `9007199254740993`, `9007199254740993`},
	{"bigint", "", `1.5`, `!`},
	{"double", "", `1.5`, `1.5`},
	{"double", "", `"NaN"`, `"NaN"`},
	{"double", "", `"-Infinity"`, `"-Infinity"`},
	{"double", "", `"1.25"`, `1.25`},
	{"double", field("bytes", connectDecimal), `"BBo="`, `105`},
	{"double", "", `"BBo="`, `!declare the column decimal`},
	{"double", "", `"inf"`, `!`},
	{"boolean", "", `1`, `true`},
	{"boolean", "", `false`, `false`},
	{"boolean", "", `2`, `!`},
	{"timestamp", field("int64", debeziumMicros), `1000000`, `"1970-01-01T00:00:01Z"`},
	{"timestamp", field("int64", debeziumMillis), `1000`, `"1970-01-01T00:00:01Z"`},
	{"timestamp", field("int64", connectTimestamp), `1000`, `"1970-01-01T00:00:01Z"`},
	{"timestamp", field("int64", debeziumNanos), `1000000999`, `"1970-01-01T00:00:01Z"`},
	{"timestamp", field("int32", debeziumDate), `1`, `"1970-01-02T00:00:00Z"`},
	{"timestamp", field("int64", "io.debezium.time.MicroTime"), `1`, `!is a io.debezium.time.Micro`},
	{"timestamp", "", `1700000000000`, `"2023-11-14T22:13:20Z"`},
	{"timestamp", "", `1700000000000001`, `"2023-11-14T22:13:20.000001Z"`},
	{"timestamp", "", `1700000000000001999`, `"2023-11-14T22:13:20.000001Z"`},
	{"timestamp", "", `"2023-11-14T23:13:20.000001+01:00"`, `"2023-11-14T22:13:20.000001Z"`},
	{"timestamp", "", `9223372036825200000`, `!infinite`},
	{"timestamp", "", `"-infinity"`, `!infinite`},
	{"timestamp", field("int64", debeziumMillis), `9223372036854775`, `!outside the years`},
	{"timestamp", "", `9223372036854775807`, `"2262-04-11T23:47:16.854775Z"`},
	{"timestamp", "", `-9223372036854775808`, `"1677-09-21T00:12:43.145224Z"`},
	{"timestamp", "", `1.5`, `!wanted timestamp(6) as an integer`},
	{"timestamp", "", `true`, `!`},
	{"date", "", `1`, `"1970-01-02"`},
	{"date", field("int32", debeziumDate), `-1`, `"1969-12-31"`},
	{"date", field("int64", debeziumMicros), `1`, `!is a io.debezium.time.MicroTimestamp`},
	{"date", "", `"2024-02-29"`, `"2024-02-29"`},
	{"bytes", "", `"3q2+7w=="`, `"3q2+7w=="`},
	{"bytes", "", `"` + placeholderBase64 + `"`, `!placeholder`},
	{"json", "", `"{\"a\": [1, \"\\u0001\"]}"`, `{"a":[1,"\u0001"]}`},
	{"json", "", `[1, null, "x"]`, `[1,null,"x"]`},
	{"json", "", `"null"`, `null`},
	{"json", "", `"x"`, `!holds no JSON`},
	{"json", "", `["__debezium_unavailable_value"]`, `!placeholder`},
	{"text", "", `"x"`, `"x"`},
	{"text", "", `1`, `"1"`}, {"text", "", `true`, `!`},
}

func TestDebeziumValues(t *testing.T) {
	for _, c := range valueCases {
		s := mustSchema(1, "id bigint", "v "+c.typ)
		d, _ := NewDebezium(Options{Schema: s})
		value := envelope("c", `{"id":1,"v":`+c.value+`}`, pgSource)
		if c.field != "" {
			value = embedded(c.field, value)
		}
		ch, err := d.Decode(Record{Key: []byte(`{"id":1}`), Value: []byte(value)})
		got := ""
		if err == nil {
			got = string(row.AppendJSON(nil, ch.Row[1]))
		} else {
			got = "!" + err.Error()
		}
		part, failing := strings.CutPrefix(c.want, "!")
		if failing && (err == nil || !strings.Contains(got, part)) || !failing && got != c.want {
			t.Errorf("%s %s %s: got %s, want %s", c.typ, c.field, c.value, got, c.want)
		}
	}
}

// TestPlaceholderOfNumbers: an unchanged array of integers is the placeholder's bytes.
func TestPlaceholderOfNumbers(t *testing.T) {
	s := mustSchema(1, "id bigint", "v json")
	d, _ := NewDebezium(Options{Schema: s})
	list := strings.Trim(strings.ReplaceAll(fmt.Sprint([]byte(placeholder)), " ", ","), "[]")
	ch, err := d.Decode(Record{Key: []byte(`{"id":1}`),
		Value: []byte(envelope("u", `{"id":1,"v":[`+list+`]}`, pgSource))})
	expect(t, outcome(s, ch, err), "undecodable [v] holds Debezium's placeholder")
}

// TestSchemaChange: the schema of the last record must not be taken for another's.
func TestSchemaChange(t *testing.T) {
	s := mustSchema(1, "id bigint", "v timestamp")
	d, _ := NewDebezium(Options{Schema: s})
	millis := fmt.Sprintf(`{"type":"int64","name":%q,"field":"v"}`, debeziumMillis)
	micros := fmt.Sprintf(`{"type":"int64","name":%q,"field":"v"}`, debeziumMicros)
	row1 := envelope("c", `{"id":1,"v":5}`, snapshot)
	for range 2 {
		for _, c := range []struct{ value, want string }{
			{embedded(millis, row1), "1970-01-01T00:00:00.005Z"},
			{embedded(millis, row1), "1970-01-01T00:00:00.005Z"},
			{embedded(micros, row1), "1970-01-01T00:00:00.000005Z"},
			{row1, "1970-01-01T00:00:00.005Z"},
			// A text that starts like the last but has a second payload.
			{strings.TrimSuffix(embedded(micros, row1), "}") + `,"payload":` +
				strings.Replace(row1, `"v":5`, `"v":6`, 1) + "}", "1970-01-01T00:00:00.000006Z"},
			{embedded(micros, row1) + " ", "1970-01-01T00:00:00.000005Z"},
		} {
			ch, err := d.Decode(Record{Key: []byte(`{"id":1}`), Value: []byte(c.value)})
			expect(t, outcome(s, ch, err), `upsert 1 {"id":1,"v":"`+c.want+`"}`)
		}
	}
}
