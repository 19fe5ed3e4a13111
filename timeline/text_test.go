package timeline

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tideline/tideline/timeline/internal/civil"
)

func TestTimeString(t *testing.T) {
	for at, want := range map[Time]string{
		0: "1970-01-01T00:00:00Z", 1_000_000: "1970-01-01T00:00:01Z",
		1000: "1970-01-01T00:00:00.001Z", 1: "1970-01-01T00:00:00.000001Z",
		-1: "1969-12-31T23:59:59.999999Z", 1714564800120000: "2024-05-01T12:00:00.120Z",
		MinTime: "-inf", MaxTime: "+inf", MinTime + 1: "-290308-12-21T19:59:05.224193Z",
	} {
		if got := at.String(); got != want {
			t.Errorf("%d: got %s, want %s", int64(at), got, want)
		}
	}
}

func TestParseTime(t *testing.T) {
	now := Time(1714564800_000000)
	for text, want := range map[string]Time{
		"now": now, "2024-05-01T12:00:00Z": now, "2024-05-01 14:00:00.5+02:00": now + 500_000,
		"2024-05-01": now - 12*3600*1_000_000, "1714564800000": now, "-1000": -1_000_000, "0": 0,
		"-5m": now - 300_000_000, "-1h30m": now - 5400_000_000, "+1s": now + 1_000_000,
		"-2d": now - 2*86400_000_000, "-1w2d1h": now - (9*24+1)*3600_000_000, " now ": now,
		"-0s": now, "2024-05-01t12:00:00.1234567z": now + 123456,
	} {
		got, err := ParseTime(text, now)
		if err != nil || got != want {
			t.Errorf("%q: got %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "yesterday", "5m", "+5", "-", "-d", "--5m", "-1d-5m", "1e3",
		"2024-13-01", "2024-05-01T12:00", "2024-05-01T12:00:00", "1.5", "-5x", "-99999999999999h"} {
		got, err := ParseTime(text, now)
		if err == nil || !strings.Contains(err.Error(), "want RFC 3339") {
			t.Errorf("%q: got %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"9223372036854775", "-9223372036854776", "9223372036854775807"} {
		got, err := ParseTime(text, now)
		inside := text == "9223372036854775"
		if (err == nil) != inside {
			t.Errorf("%q: got %d, %v", text, int64(got), err)
		}
	}
	if got, err := ParseTime("-1s", MinTime); err == nil {
		t.Errorf("before MinTime: got %s", got)
	}
}

// TestTextAgreesWithStandardLibrary compares both directions with package time.
func TestTextAgreesWithStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := Time(rapid.Int64Range(civil.MinMicros, civil.MaxMicros).Draw(t, "at"))
		digits := rapid.IntRange(0, 6).Draw(t, "digits")
		at -= at % []Time{1_000_000, 100_000, 10_000, 1000, 100, 10, 1}[digits]
		if at < civil.MinMicros {
			return
		}
		layout := "2006-01-02T15:04:05." + strings.Repeat("0", digits) + "Z"
		if digits == 0 {
			layout = "2006-01-02T15:04:05Z"
		}
		want := at.Time().Format(layout)
		if got := string(civil.AppendTime(nil, int64(at), digits)); got != want {
			t.Fatalf("%d: got %s, want %s", int64(at), got, want)
		}
		if got, err := ParseTime(at.String(), 0); err != nil || got != at {
			t.Fatalf("%s reads as %d, %v, want %d", at, int64(got), err, int64(at))
		}
		east := rapid.IntRange(-1439, 1439).Draw(t, "offset")
		text := at.Time().In(time.FixedZone("", east*60)).Format(time.RFC3339Nano)
		if got, ok := civil.ParseTime(text); len(text) <= 32 && text[4] == '-' && text[0] != '-' &&
			(!ok || Time(got) != at) {
			t.Fatalf("%s reads as %d, %v, want %d", text, got, ok, int64(at))
		}
	})
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"now", "2024-05-01", "2024-05-01T12:00:00.5+02:00", "-1w2d1h5m"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseTime(text, 0)
		if err != nil || got < civil.MinMicros || got > civil.MaxMicros {
			return
		}
		if again, err := ParseTime(got.String(), 0); err != nil || again != got {
			t.Fatalf("%q is %s, which reads as %s, %v", text, got, again, err)
		}
		std, err := time.Parse(time.RFC3339, text)
		if err == nil && FromTime(std) != got {
			t.Fatalf("%q is %s, but package time reads %s", text, got, std)
		}
	})
}

func TestQuality(t *testing.T) {
	words := []string{"exact", "estimated", "idle-assumed", "forced", "quality(4)"}
	for i, want := range words {
		q := Quality(i)
		if q.String() != want {
			t.Errorf("quality %d is %q, want %q", i, q, want)
		}
		for j := range words {
			if got := q.Weaker(Quality(j)); got != Quality(max(i, j)) {
				t.Errorf("weaker of %s and %s is %s", q, Quality(j), got)
			}
		}
	}
}

func TestMillisAndStamps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := Time(rapid.Int64().Draw(t, "at"))
		if ms := at.Millis(); ms > -1<<53 && ms < 1<<53 {
			if floor := FromMillis(ms); floor > at || at-floor > 999 {
				t.Fatalf("%d µs is %d ms", int64(at), ms)
			}
		}
		a := Stamp{Time(rapid.Int64Range(0, 2).Draw(t, "a")), rapid.Uint64Range(0, 2).Draw(t, "an")}
		b := Stamp{Time(rapid.Int64Range(0, 2).Draw(t, "b")), rapid.Uint64Range(0, 2).Draw(t, "bn")}
		want := int(a.At-b.At)*10 + int(a.N) - int(b.N)
		got := a.Compare(b)
		if got != -b.Compare(a) || (got < 0) != (want < 0) || (got == 0) != (a == b) {
			t.Fatalf("%v compares to %v as %d", a, b, got)
		}
	})
}

func BenchmarkTimeString(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_ = Time(1714564800123456).String()
	}
}

func BenchmarkParseTime(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseTime("2024-05-01T12:00:00.123456Z", 0); err != nil {
			b.Fatal(err)
		}
	}
}
