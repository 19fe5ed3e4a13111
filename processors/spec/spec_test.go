package spec

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"

	"github.com/tideline/tideline/timeline/row"
)

// TestScripts runs the scripts under testdata. The one verb, parse, reads a pipeline
// file and answers with what it declares, defaults included, or with all its problems.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(_ *testing.T, d *datadriven.TestData) string {
			p, err := Parse("p.yaml", []byte(d.Input))
			if err != nil {
				return err.Error() + "\n"
			}
			return dump(p)
		})
	})
}

func dump(p *Pipeline) string {
	var b strings.Builder
	fmt.Fprintf(&b, "pipeline %s partitions=%d\n", p.Name, p.Partitions)
	for _, s := range p.Streams {
		fmt.Fprintf(&b, "stream %s at %s: topic=%s format=%s key=%v time=%q disordered=%v\n",
			s.Name, s.Pos, s.Topic, s.Format, s.Schema.Key, s.TimeColumn, s.Disordered)
		fmt.Fprintf(&b, "  lateness=%v delay=%v max_ahead=%v late_fail=%v error_fail=%v\n",
			s.Lateness, s.Delay, s.MaxAhead, s.LateFail, s.ErrorFail)
		fmt.Fprintf(&b, "  partitioner=%s position=%q heartbeats=%q\n",
			s.Partitioner, s.PositionHeader, s.HeartbeatPrefix)
		for _, c := range s.Schema.Columns {
			fmt.Fprintf(&b, "  %s %s\n", c.Name, c.Type)
		}
	}
	for _, v := range p.Views {
		fmt.Fprintf(&b, "view %s at %s: sql at %d:%d retention=%v forever=%v indexes=%v key=%v\n",
			v.Name, v.Pos, v.SQLLine, v.SQLColumn, v.Retention, v.Forever, v.Indexes, v.Key)
		for _, l := range strings.Split(strings.TrimRight(v.SQL, "\n"), "\n") {
			fmt.Fprintf(&b, "  |%s\n", l)
		}
	}
	return b.String()
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30d": 720 * time.Hour, "2w": 336 * time.Hour, "1w12h": 180 * time.Hour,
		"10000ms": 10 * time.Second, "1h30m": 90 * time.Minute, "0": 0, "0s": 0, "1.5d": 36 * time.Hour,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%q: got %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "5", "x", "-1s", "-1d", "1d-2h", "99999999999w", "d", "1 d"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

func TestSuggest(t *testing.T) {
	valid := []string{"lateness", "late", "delay"}
	for name, want := range map[string]string{
		"latness": "lateness", "Delay": "delay", "dealy": "delay", "lte": "late", "zzz": "",
	} {
		got := Suggest(name, valid)
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

// A pipeline built in Go is checked and completed like one from a file (P1).
func TestValidate(t *testing.T) {
	p := &Pipeline{Name: "p", Streams: []Stream{{Name: "s",
		Schema: row.Schema{Columns: []row.Column{{Name: "id", Type: row.Type{Kind: row.Bigint}}},
			Key: []int{0}}}}}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	first := dump(p)
	if err := p.Validate(); err != nil || dump(p) != first {
		t.Fatalf("a second Validate changed it: %v\n%s", err, dump(p))
	}
	if s := p.Streams[0]; s.Topic != "s" || s.Format != "json" || s.MaxAhead != DefaultMaxAhead ||
		s.Partitioner != "murmur2" {
		t.Fatalf("defaults are missing: %+v", s)
	}
	bad := &Pipeline{Name: "p", Streams: []Stream{{Name: "s", Lateness: -1,
		Schema: row.Schema{Columns: []row.Column{{Name: "id"}}, Key: []int{3}}}}}
	var ps Problems
	if err := bad.Validate(); !errors.As(err, &ps) || len(ps) < 3 {
		t.Fatalf("got %v", err)
	}
}

func TestLoadMissing(t *testing.T) {
	if _, err := Load("testdata/none.yaml"); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
}

// Any bytes, and any damage to a good file, answer with a pipeline or with problems.
func FuzzParse(f *testing.F) {
	f.Add([]byte("pipeline: p\nstreams: {s: {key: [id], columns: {id: bigint}}}\n"))
	f.Add([]byte("streams: [1, {a: &x 1, b: *x}]\nviews: {v: {sql: 3, indexes: [[a], b]}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse("f", data)
		if (p == nil) == (err == nil) {
			t.Fatalf("got %v and %v", p, err)
		}
	})
}

func TestDamagedFiles(t *testing.T) {
	good := "pipeline: p\nstreams:\n  s:\n    key: [id]\n    columns: {id: bigint, n: text}\n" +
		"    time: {column: n}\nviews:\n  v:\n    sql: |\n      SELECT 1\n    key: [id]\n"
	rapid.Check(t, func(t *rapid.T) {
		b := []byte(good)
		for range rapid.IntRange(1, 4).Draw(t, "edits") {
			at := rapid.IntRange(0, len(b)-1).Draw(t, "at")
			b[at] = rapid.SampledFrom([]byte("[]{}:,|&*!#\n -a1\"'")).Draw(t, "byte")
		}
		if p, err := Parse("f", b); (p == nil) == (err == nil) {
			t.Fatalf("got %v and %v", p, err)
		}
	})
}
