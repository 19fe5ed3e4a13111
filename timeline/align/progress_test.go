package align

import (
	"flag"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tideline/tideline/timeline"
)

var golden = flag.Bool("golden", false, "write the golden files instead of comparing")

// sample is a progress with every field set.
func sample() Progress {
	at := timeline.Time(1_700_000_000_000_000)
	return Progress{
		Offset:    123_456,
		Cut:       Cut{At: at - 5, Input: 1, Sender: 3, Seq: 42, Output: 2, N: 7},
		Watermark: at - 6, Quality: timeline.IdleAssumed,
		MaxAt: at, Position: -9, HasPosition: true,
		Promises: []timeline.Time{at - 6, at + 1_000_000, timeline.MinTime, timeline.MaxTime},
		Read:     10, Applied: 4, Duplicates: 3, DeadLettered: 2, Heartbeats: 1,
		Late: 1, Raised: 2,
	}
}

func TestProgressTextIsFrozen(t *testing.T) {
	const path = "testdata/progress.golden"
	fresh := Progress{Offset: -1, Cut: Cut{At: timeline.MinTime},
		Watermark: timeline.MinTime, MaxAt: timeline.MinTime}
	got := string(sample().AppendText(nil)) + "\n" + string(fresh.AppendText(nil)) + "\n"
	if *golden {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Fatalf("got\n%swant\n%s", got, want)
	}
	for i, line := range strings.Split(strings.TrimSpace(got), "\n") {
		p, err := ParseProgress(line)
		if err != nil || !reflect.DeepEqual(p, []Progress{sample(), fresh}[i]) {
			t.Fatalf("%s is read as %+v (%v)", line, p, err)
		}
	}
}

// Kafka takes 4,096 bytes of metadata with a commit: 200 senders fit at their worst.
func TestProgressOf200SendersFits(t *testing.T) {
	p := sample()
	p.Promises = nil
	for i := range 200 {
		p.Promises = append(p.Promises, timeline.Time(math.MinInt64+int64(i)))
	}
	for _, c := range append(p.counterFields(), &p.Offset, &p.Position) {
		*c = math.MinInt64
	}
	if n := len(p.AppendText(nil)); n > 4096 {
		t.Fatalf("%d bytes", n)
	}
}

func TestParseProgressTakesAnyText(t *testing.T) {
	text := string(sample().AppendText(nil))
	rapid.Check(t, func(t *rapid.T) {
		b := []byte(text)
		for range rapid.IntRange(0, 4).Draw(t, "changes") {
			b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		}
		cut := rapid.IntRange(0, len(b)).Draw(t, "cut")
		p, err := ParseProgress(string(b[:cut]))
		if err != nil {
			return
		}
		if again, err := ParseProgress(string(p.AppendText(nil))); err != nil ||
			!reflect.DeepEqual(p, again) {
			t.Fatalf("%q is read as %+v, and that as %+v (%v)", b[:cut], p, again, err)
		}
	})
}

func TestParseProgressSaysWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       `version "", not 1`,
		"2;x":                                    `version "2", not 1`,
		"1;2;3":                                  "3 parts, not 7",
		"1;x;0,0,0,0,0,0;0,0;0,;0,0,0,0,0,0,0;":  `parsing "x"`,
		"1;1;0,0,0,0,0;0,0;0,;0,0,0,0,0,0,0;":    "5 numbers, not 6",
		"1;1;0,0,0,0,0,0;0,9;0,;0,0,0,0,0,0,0;":  "quality 9",
		"1;1;0,0,0,0,0,0;0,0;0,;0,0,0,0,0,0,0;!": "promises: illegal base64",
		"1;1;0,0,0,0,0,0;0,0;0,;0,0,0,0,0,0,0;_w": "promises: they end",
	} {
		if _, err := ParseProgress(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, not %s", text, err, want)
		}
	}
}
