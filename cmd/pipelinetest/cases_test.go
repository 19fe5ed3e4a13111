package pipelinetest

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// LevelDB's buffer pools end by themselves, within a minute of their store.
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"),
		goleak.IgnoreTopFunction("github.com/syndtr/goleveldb/leveldb/util.(*BufferPool).drain"))
}

func check(t *testing.T, dir string, o Options) {
	t.Helper()
	res, err := Run(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	if !res.Passed() {
		var b bytes.Buffer
		res.print(&b)
		t.Error(b.String())
	}
}

// TestCases runs every folder of testdata/cases as it was recorded; with -short one of
// each delivery.
func TestCases(t *testing.T) {
	pattern := "*"
	if testing.Short() {
		pattern = "*mix"
	}
	dirs, err := filepath.Glob(filepath.Join("../../testdata/cases", pattern))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("there are no cases: %v", err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) { check(t, dir, Options{}) })
	}
}

// TestVaried varies what must not matter; with -short, of one case.
func TestVaried(t *testing.T) {
	for name, o := range map[string]Options{
		"keyjoin-mix":     {ShuffleSeed: 11, Partitions: 1, Processes: 2},
		"keyjoin-f":       {ShuffleSeed: 12, Partitions: 8, RestartEvery: 900},
		"keyjoin-hostile": {ShuffleSeed: 13, Partitions: 2, Processes: 3, RestartEvery: 1500},
		"shop-mix":        {ShuffleSeed: 14, Partitions: 3},
		"bank-orig":       {ShuffleSeed: 15, Partitions: 2, Processes: 2},
		"asof-mix":        {ShuffleSeed: 16, RestartEvery: 1000},
	} {
		if testing.Short() && name != "keyjoin-mix" {
			continue
		}
		t.Run(name, func(t *testing.T) { check(t, filepath.Join("../../testdata/cases", name), o) })
	}
}

// TestDifferences: a wrong, a missing and an extra row are told apart, with examples, and
// what was read is written in the form of the files.
func TestDifferences(t *testing.T) {
	dir, actual := t.TempDir(), t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("pipeline.yaml", `
pipeline: small
streams:
  s: {key: [id], columns: {id: text, x: bigint}, order: log}
views:
  v: {retention: forever, sql: "SELECT id, x FROM s"}
`)
	write("input.jsonl", `{"topic":"s","partition":0,"key":"a","value":{"x":1},"ts":1000}
{"topic":"s","partition":0,"key":"b","value":{"x":2},"ts":1000}
`)
	write("times.json", "[1000]")
	write("expect.jsonl", `{"view":"v","as_of":1000,"key":"a","value":{"x":3}}
{"view":"v","as_of":1000,"key":"c","value":{"x":1}}
`)
	res, err := Run(t.Context(), dir, Options{Actual: actual})
	if err != nil {
		t.Fatal(err)
	}
	if res.Passed() || len(res.Differences) != 1 {
		t.Fatalf("differences: %+v", res.Differences)
	}
	d := res.Differences[0]
	if d.What != "v" || d.Wrong != 1 || d.Missing != 1 || d.Extra != 1 || len(d.Examples) != 3 {
		t.Errorf("difference: %+v", d)
	}
	read, err := os.ReadFile(filepath.Join(actual, filepath.Base(dir), "expect.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"view":"v","as_of":1000,"key":"a","value":{"x":1}}
{"view":"v","as_of":1000,"key":"b","value":{"x":2}}
`
	if string(read) != want {
		t.Errorf("what was read:\n%s\nwant\n%s", read, want)
	}
}

// TestBadFolder names what is missing.
func TestBadFolder(t *testing.T) {
	_, err := Run(t.Context(), t.TempDir(), Options{})
	if err == nil || !strings.Contains(err.Error(), "pipeline.yaml") {
		t.Errorf("error: %v", err)
	}
}
