package processors

import (
	"errors"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tideline/tideline/processors/feed"
	"github.com/tideline/tideline/processors/plan"
	"github.com/tideline/tideline/processors/spec"
	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/kafka"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/timeline/wire"
)

func streamInput(format, timeColumn string, columns ...int) plan.Input {
	bigint, text := row.Type{Kind: row.Bigint}, row.Type{Kind: row.Text}
	return plan.Input{Topic: "sales", Columns: columns, Stream: &plan.Stream{Stream: spec.Stream{
		Name: "sales", Topic: "sales", Format: format, TimeColumn: timeColumn,
		PositionHeader: "pos", HeartbeatPrefix: "beat-",
		Schema: row.Schema{Key: []int{0}, Columns: []row.Column{
			{Name: "id", Type: bigint}, {Name: "what", Type: text}, {Name: "n", Type: bigint},
			{Name: "at", Type: row.Type{Kind: row.Timestamp, Precision: 6}},
		}},
	}}}
}

func newTestDecoder(t *testing.T, in plan.Input) *decoder {
	t.Helper()
	d, err := newDecoder(in)
	if err != nil {
		t.Fatal(err)
	}
	return d.(*decoder)
}

const noon = 1_700_000_000_000 // ms

func record(key, value string) *kgo.Record {
	r := &kgo.Record{Topic: "sales", Partition: 1, Offset: 5, Timestamp: time.UnixMilli(noon)}
	r.Key = []byte(key)
	if value != "" {
		r.Value = []byte(value)
	}
	return r
}

// Only the columns that are wanted travel, under the canonical key, and buffers are
// appended to.
func TestDecodeUpsertAndDelete(t *testing.T) {
	d := newTestDecoder(t, streamInput("json", "", 2, 0))
	r := record("7", `{"id":7,"what":"lamp","n":3}`)
	r.Headers = []kgo.RecordHeader{
		{Key: "other", Value: []byte("1")}, {Key: "pos", Value: []byte("42")},
	}
	got := feed.Decoded{Key: []byte("k:"), Row: []byte("r:")}
	if err := d.Decode(r, &got); err != nil {
		t.Fatal(err)
	}
	want := feed.Decoded{
		Kind: feed.Change, Op: wire.Upsert, Key: []byte("k:7"),
		Row: row.AppendRow([]byte("r:"), row.Row{int64(3), int64(7)}),
		At:  timeline.FromMillis(noon), Position: 42, HasPosition: true, TiesAllowed: got.TiesAllowed,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("upsert %+v, want %+v", got, want)
	}
	got = feed.Decoded{}
	if err := d.Decode(record("7", ""), &got); err != nil {
		t.Fatal(err)
	}
	if got.Kind != feed.Change || got.Op != wire.Delete || string(got.Key) != "7" || got.Row != nil {
		t.Errorf("delete %+v", got)
	}
}

func TestDecodeHeartbeat(t *testing.T) {
	d := newTestDecoder(t, streamInput("json", ""))
	var got feed.Decoded
	if err := d.Decode(record("beat-3", "{}"), &got); err != nil {
		t.Fatal(err)
	}
	if got.Kind != feed.Heartbeat || got.At != timeline.FromMillis(noon) || got.Key != nil {
		t.Errorf("heartbeat %+v", got)
	}
}

// What cannot be read goes to the dead letters with its reason, and with its event time
// where that does not stand in what cannot be read.
func TestDecodeErrors(t *testing.T) {
	for _, test := range []struct {
		timeColumn, key, value string
		reason                 wire.Reason
		at                     timeline.Time
	}{
		{"", "7", `{"n":`, wire.Undecodable, timeline.FromMillis(noon)},
		{"at", "7", `{"n":`, wire.Undecodable, timeline.MinTime},
		{"at", "7", `{"n":3}`, wire.NoEventTime, timeline.MinTime},
		{"", "seven", `{"n":3}`, "", timeline.FromMillis(noon)},
	} {
		d := newTestDecoder(t, streamInput("json", test.timeColumn, 0))
		var got feed.Decoded
		err := d.Decode(record(test.key, test.value), &got)
		var de *feed.DecodeError
		if !errors.As(err, &de) {
			t.Errorf("%+v: %v", test, err)
			continue
		}
		if test.reason != "" && de.Reason != test.reason || de.At != test.at || de.Error() == "" {
			t.Errorf("%+v: reason %s at %v: %v", test, de.Reason, de.At, de)
		}
	}
}

// A stage that reads a topic directly relies on where its rows stand.
func TestDecodeChecksThePlace(t *testing.T) {
	d := newTestDecoder(t, streamInput("json", "", 0))
	d.partitions = 4
	right, wrong := 0, 0
	for id := range 40 {
		key := strconv.Itoa(id)
		var got feed.Decoded
		err := d.Decode(record(key, `{"n":1}`), &got)
		var de *feed.DecodeError
		switch place := kafka.PartitionOf(key, 4); {
		case place == 1 && err == nil:
			right++
		case place != 1 && errors.As(err, &de) && de.Reason == wire.WrongPartition &&
			de.At == timeline.FromMillis(noon) && strings.Contains(err.Error(),
			"belongs in partition "+strconv.Itoa(int(place))+" of 4 by murmur2"):
			wrong++
		default:
			t.Errorf("key %s, which belongs in partition %d: %v", key, place, err)
		}
	}
	if right == 0 || wrong == 0 {
		t.Errorf("%d keys stand right, %d wrong", right, wrong)
	}
}

func TestDecodeFormats(t *testing.T) {
	if d := newTestDecoder(t, streamInput("debezium", "", 0)); d.stamped {
		t.Error("a debezium record's timestamp is taken for its event time")
	}
	if d := newTestDecoder(t, streamInput("json", "at", 0)); d.stamped {
		t.Error("a record's timestamp is taken for its event time, which is a column")
	}
	_, err := newDecoder(streamInput("avro", "", 0))
	if err == nil || err.Error() != "preparing stream sales: format avro cannot be read" {
		t.Errorf("an unknown format: %v", err)
	}
}

// Codecs pass bytes through and say what they were given instead.
func TestRawCodec(t *testing.T) {
	c := rawCodec{}
	b, err := c.Encode([]byte("x"))
	if err != nil || string(b) != "x" {
		t.Errorf("Encode = %q, %v", b, err)
	}
	if _, err := c.Encode(7); err == nil || !strings.Contains(err.Error(), "have int") {
		t.Errorf("encoding a number: %v", err)
	}
	if v, err := c.Decode(b); err != nil || string(v.([]byte)) != "x" {
		t.Errorf("Decode = %v, %v", v, err)
	}
}
