package wire

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/tideline/tideline/timeline"
)

var rewrite = flag.Bool("rewrite", false, "rewrite testdata/golden.txt")

func ptr(s string) *string { return &s }

// samples are the records whose bytes are frozen.
var samples = []any{
	Version{Stamp: timeline.Stamp{At: 1714564800123456, N: 3}, Row: []byte("row"),
		State: []byte("state")},
	Version{Stamp: timeline.Stamp{At: -1, N: 300}, Row: []byte("r")},
	Version{Stamp: timeline.Stamp{}},
	Version{Stamp: timeline.Stamp{At: 5}, Deleted: true},
	Version{Stamp: timeline.Stamp{At: 5}, Deleted: true, State: []byte("state")},
	Change{Stamp: timeline.Stamp{At: 1714564800123456, N: 3}, Output: 7, Sender: 200,
		Op: Retract, Row: []byte("row")},
	Change{Op: Delete},
	Change{Sender: -1, Output: math.MaxUint32, Op: Insert},
	Watermark{At: 1714564800123456, Sender: 5, Quality: timeline.IdleAssumed},
	Watermark{At: timeline.MinTime},
	Watermark{At: timeline.MaxTime, Quality: timeline.Forced},
	Clock{Topic: "shop.orders", Partition: 2, End: 123456, At: 1714564800123456},
	Clock{},
	DeadLetter{Topic: "orders", Partition: 1, Offset: 42, Key: ptr("7"), Value: []byte("{<&>"),
		Headers: map[string]string{"b": "2", "a": "1"}, At: 1714564800123456,
		Reason: Undecodable, Detail: `column "id": want a number`},
	DeadLetter{Topic: "orders", At: timeline.MinTime, Reason: NoKey},
	DeadLetter{Topic: "orders", Key: ptr("\xff"), Value: []byte{0xfe}, At: -1, Reason: Late,
		Headers: map[string]string{"raw": "\x80"}},
}

// encode and decode treat all kinds alike, for the tests.
func encode(dst []byte, rec any) []byte {
	switch r := rec.(type) {
	case Version:
		return AppendVersion(dst, r)
	case Change:
		return AppendChange(dst, r)
	case Watermark:
		return AppendWatermark(dst, r)
	case Clock:
		return AppendClock(dst, r)
	}
	return AppendDeadLetter(dst, rec.(DeadLetter))
}

func decode(b []byte) (any, error) {
	k, err := KindOf(b)
	if err != nil {
		return nil, err
	}
	switch k {
	case KindVersion:
		return DecodeVersion(b)
	case KindChange:
		return DecodeChange(b)
	case KindWatermark:
		return DecodeWatermark(b)
	case KindClock:
		return DecodeClock(b)
	}
	return DecodeDeadLetter(b)
}

func TestGolden(t *testing.T) {
	var out strings.Builder
	for _, s := range samples {
		b := encode(nil, s)
		if b[0] == '{' {
			fmt.Fprintf(&out, "dead letter %s\n", b)
		} else {
			fmt.Fprintf(&out, "%T %+v\n  %x\n", s, s, b)
		}
		got, err := decode(b)
		if err != nil || !reflect.DeepEqual(got, s) {
			t.Errorf("%+v came back as %+v, %v", s, got, err)
		}
	}
	if *rewrite {
		if err := os.WriteFile("testdata/golden.txt", []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/golden.txt")
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Errorf("frozen bytes changed; got\n%swant\n%s", out.String(), want)
	}
}

var (
	anyStamp = rapid.Custom(func(t *rapid.T) timeline.Stamp {
		return timeline.Stamp{At: timeline.Time(rapid.Int64().Draw(t, "at")),
			N: rapid.Uint64().Draw(t, "n")}
	})
	anyBytes = rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) []byte {
		if len(b) == 0 {
			return nil
		}
		return b
	})
)

func genRecord(t *rapid.T) any {
	st := anyStamp.Draw(t, "stamp")
	part := rapid.Int32().Draw(t, "partition")
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0:
		v := Version{Stamp: st, Deleted: rapid.Bool().Draw(t, "deleted"),
			State: anyBytes.Draw(t, "state")}
		if !v.Deleted {
			v.Row = anyBytes.Draw(t, "row")
		}
		return v
	case 1:
		return Change{Stamp: st, Output: rapid.Uint32().Draw(t, "output"), Sender: part,
			Op: Op(rapid.IntRange(0, 3).Draw(t, "op")), Row: anyBytes.Draw(t, "row")}
	case 2:
		q := timeline.Quality(rapid.IntRange(0, 3).Draw(t, "quality"))
		return Watermark{At: st.At, Sender: part, Quality: q}
	case 3:
		return Clock{Topic: rapid.String().Draw(t, "topic"), Partition: part,
			End: rapid.Int64().Draw(t, "end"), At: st.At}
	}
	d := DeadLetter{Topic: rapid.String().Draw(t, "topic"), Partition: part,
		Offset: rapid.Int64().Draw(t, "offset"), At: timeline.MinTime,
		Reason: Reason(rapid.String().Draw(t, "reason")),
		Detail: rapid.String().Draw(t, "detail"), Value: anyBytes.Draw(t, "value")}
	if rapid.Bool().Draw(t, "timed") {
		d.At = timeline.Time(rapid.Int64Range(-62_000_000_000_000_000,
			250_000_000_000_000_000).Draw(t, "at"))
	}
	if rapid.Bool().Draw(t, "keyed") {
		d.Key = ptr(string(anyBytes.Draw(t, "key")))
	}
	for range rapid.IntRange(0, 2).Draw(t, "headers") {
		if d.Headers == nil {
			d.Headers = map[string]string{}
		}
		d.Headers[rapid.String().Draw(t, "name")] = string(anyBytes.Draw(t, "header"))
	}
	return d
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rec := genRecord(t)
		b := encode([]byte("x"), rec)[1:]
		got, err := decode(b)
		if err != nil || !reflect.DeepEqual(got, rec) {
			t.Fatalf("%+v came back as %+v, %v", rec, got, err)
		}
		other := genRecord(t)
		if bytes.Equal(encode(nil, other), b) != reflect.DeepEqual(other, rec) {
			t.Fatalf("%+v and %+v: equal bytes and equal records disagree", rec, other)
		}
		if at, ok := EventTime(b); ok {
			if want := timeOf(rec); at != want {
				t.Fatalf("event time of %+v is %d, want %d", rec, at, want)
			}
		} else if _, dead := rec.(DeadLetter); !dead {
			t.Fatalf("no event time of %+v", rec)
		}
	})
}

func timeOf(rec any) timeline.Time {
	switch r := rec.(type) {
	case Version:
		return r.Stamp.At
	case Change:
		return r.Stamp.At
	case Watermark:
		return r.At
	}
	return rec.(Clock).At
}

func TestBinaryPrefixesAreRefused(t *testing.T) {
	for _, s := range samples {
		b := encode(nil, s)
		for n := range b {
			got, err := decode(b[:n])
			if err != nil {
				continue
			}
			// Where the last field takes what is left, a prefix is another record: of
			// itself, never this one.
			if reflect.DeepEqual(got, s) || !bytes.Equal(encode(nil, got), b[:n]) {
				t.Errorf("%x decodes as %+v", b[:n], got)
			}
		}
	}
}

func TestRefuses(t *testing.T) {
	for text, want := range map[string]error{
		"":         errShort,
		"\x01\x01": errShort,
		"\x02\x01\x00\x00\x00\x00\x00\x00\x00\x00":                 errForeign,
		"\x01\x09\x00\x00\x00\x00\x00\x00\x00\x00":                 errForeign,
		"\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00":                 errCorrupt,
		"\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00":         errCorrupt,
		"\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x00\x00": errCorrupt,
		"\x01\x02\x00\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00": errCorrupt,
		"\x01\x03\x00\x00\x00\x00\x00\x00\x00\x00\x04\x00":         errCorrupt,
		"\x01\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00":     errCorrupt,
	} {
		if _, err := decode([]byte(text)); !errors.Is(err, want) {
			t.Errorf("%x: got %v, want %v", text, err, want)
		}
	}
	_, err := DecodeVersion(AppendWatermark(nil, Watermark{}))
	if err == nil || err.Error() != "decoding record: found a watermark, want a version" {
		t.Errorf("a watermark as version: %v", err)
	}
}

func TestDecodingDoesNotAllocate(t *testing.T) {
	v, c, w := encode(nil, samples[0]), encode(nil, samples[5]), encode(nil, samples[8])
	if n := testing.AllocsPerRun(100, func() {
		_, err1 := DecodeVersion(v)
		_, err2 := DecodeChange(c)
		_, err3 := DecodeWatermark(w)
		if err1 != nil || err2 != nil || err3 != nil {
			t.Fatal(err1, err2, err3)
		}
	}); n != 0 {
		t.Errorf("decoding allocates %v times", n)
	}
	got, err := DecodeVersion(v)
	if err != nil || &got.State[len(got.State)-1] != &v[len(v)-1] || cap(got.Row) != len(got.Row) {
		t.Errorf("slices must alias the record and end where the field ends")
	}
}

func TestKeys(t *testing.T) {
	for _, p := range []int32{0, 1, 42, math.MaxInt32} {
		key := WatermarkKey(p)
		got, ok := WatermarkPartition(key)
		if !ok || got != p || utf8.ValidString(key) || key[0] != 0xFF {
			t.Errorf("watermark key of %d: %q, back %d, %v", p, key, got, ok)
		}
	}
	for _, key := range []string{"", "7", "\xff", watermarkPrefix, watermarkPrefix + "07",
		watermarkPrefix + "-1", watermarkPrefix + "+1", watermarkPrefix + "9999999999"} {
		if p, ok := WatermarkPartition(key); ok {
			t.Errorf("%q names partition %d", key, p)
		}
	}
	if got := ClockKey("a.b", 3); got != "a.b/3" {
		t.Errorf("clock key: %q", got)
	}
	if got := (DeadLetter{Topic: "a", Partition: 3, Offset: 9}).DeadLetterKey(); got != "a/3/9" {
		t.Errorf("dead letter key: %q", got)
	}
}

func TestStrings(t *testing.T) {
	got := fmt.Sprint(KindVersion, KindChange, KindWatermark, KindClock, KindDeadLetter, Kind(9),
		Upsert, Delete, Insert, Retract, Op(9))
	want := fmt.Sprint("version change watermark clock dead letter kind(9) ",
		"upsert delete insert retract unknown operation")
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range samples {
		f.Add(encode(nil, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		rec, err := decode(b)
		EventTime(b)
		if err != nil {
			return
		}
		if _, dead := rec.(DeadLetter); dead {
			encode(nil, rec)
		} else if again := encode(nil, rec); !bytes.Equal(again, b) {
			t.Fatalf("%x decodes to %+v, which encodes as %x", b, rec, again)
		}
	})
}

func BenchmarkDecodeVersion(b *testing.B) {
	b.ReportAllocs()
	enc := encode(nil, samples[0])
	for b.Loop() {
		if _, err := DecodeVersion(enc); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeChange(b *testing.B) {
	b.ReportAllocs()
	enc := encode(nil, samples[5])
	for b.Loop() {
		if _, err := DecodeChange(enc); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendVersion(b *testing.B) {
	b.ReportAllocs()
	v := samples[0].(Version)
	var dst []byte
	for b.Loop() {
		dst = AppendVersion(dst[:0], v)
	}
}

func TestPair(t *testing.T) {
	for _, p := range [][2]string{{"", ""}, {"old", ""}, {"", "new"}, {"old", "new"}} {
		from, to, err := SplitPair(AppendPair(nil, []byte(p[0]), []byte(p[1])))
		if err != nil || string(from) != p[0] || string(to) != p[1] {
			t.Errorf("%q: got %q, %q, %v", p, from, to, err)
		}
	}
	if _, _, err := SplitPair([]byte{5, 'x'}); !errors.Is(err, errCorrupt) {
		t.Errorf("got %v for a pair cut short", err)
	}
}
