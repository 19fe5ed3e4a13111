package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/tideline/tideline/cmd/internal/exit"
	"github.com/tideline/tideline/timeline/kafka/embedded"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// A metrics package that goka's client library pulls in, running for good.
		goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"),
		goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"),
		goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"),
		// The store's library lets its buffer pool go only after a while.
		goleak.IgnoreTopFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"),
		goleak.IgnoreTopFunction("github.com/syndtr/goleveldb/leveldb/util.(*BufferPool).drain"),
	)
}

const testPipeline = `
pipeline: test
partitions: 2
streams:
  orders:
    key: [id]
    columns: {id: bigint, total: "decimal(12,2)"}
    lateness: 10s
    heartbeats: {key_prefix: "~"}
  payments:
    key: [id]
    columns: {id: bigint, method: text}
    lateness: 10s
    heartbeats: {key_prefix: "~"}
views:
  v:
    retention: forever
    sql: SELECT o.id, o.total, p.method FROM orders o LEFT JOIN payments p ON p.id = o.id
  short:
    retention: 1h
    sql: SELECT id, total FROM orders
`

const testRecords = `
{"topic":"orders","key":"1","value":{"id":1,"total":10},"ts":1700000000000}
{"topic":"payments","key":"1","value":{"method":"card"},"ts":1700000005000}
{"topic":"orders","key":"2","value":{"total":"2.50"},"ts":1700000006000}
{"topic":"orders","key":"10","value":{"total":"3"},"ts":1700000006000}
{"topic":"orders","key":"2","value":null,"ts":1700000008000}
{"topic":"orders","key":"3","value":{"total":"three"},"ts":1700000009000}
`

// files writes the test's pipeline and records.
func files(t *testing.T) (dir, pipeline, input string) {
	t.Helper()
	dir = t.TempDir()
	pipeline, input = filepath.Join(dir, "pipeline.yaml"), filepath.Join(dir, "input.jsonl")
	for path, text := range map[string]string{pipeline: testPipeline, input: testRecords} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, pipeline, input
}

// cli runs a command line and checks its exit code.
func cli(t *testing.T, want int, args ...string) (out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	if code := execute(t.Context(), args, strings.NewReader(""), &o, &e); code != want {
		t.Fatalf("tideline %s: exit code %d, want %d\n%s%s",
			strings.Join(args, " "), code, want, o.String(), e.String())
	}
	return o.String(), e.String()
}

func contains(t *testing.T, what, text string, wants ...string) {
	t.Helper()
	for _, w := range wants {
		if !strings.Contains(text, w) {
			t.Errorf("%s lacks %q:\n%s", what, w, text)
		}
	}
}

// Complaints about the command line: exit code 2 and one line that names the cure.
func TestUsage(t *testing.T) {
	dir := t.TempDir()
	none := filepath.Join(dir, "none")
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"gte", "v", "1"}, exit.Usage, `unknown command "gte"; did you mean "get"?`},
		{[]string{"zzzzzz"}, exit.Usage, `unknown command "zzzzzz"; see tideline --help`},
		{[]string{"get", "v"}, exit.Usage, "accepts 2 arg(s), received 1; see tideline get --help"},
		{[]string{"get", "v", "1", "--nope"}, exit.Usage, "unknown flag: --nope; see tideline get"},
		{[]string{"get", "v", "1", "--as-of", "x"}, exit.Usage, `--as-of: reading time "x": want`},
		{[]string{"get", "v", "1", "--as-of", "1", "--at-least", "1"}, exit.Usage, "none of the others"},
		{[]string{"get", "v", "1", "-f", "x", "--pipeline", "y"}, exit.Usage, "none of the others"},
		{[]string{"get", "v", "1", "--data", none}, exit.NotFound, "nothing has run there; name another"},
		{[]string{"history", "v", "1", "--from", "x"}, exit.Usage, `--from: reading time "x"`},
		{[]string{"run", "-f", none}, exit.Usage, "no pipeline file " + none},
		{[]string{"run", "extra"}, exit.Usage, "unknown command \"extra\" for"},
		{[]string{"lint", none}, exit.Usage, "no pipeline file"},
		{[]string{"export", "v"}, exit.Usage, `required flag(s) "output" not set`},
		{[]string{"export", "v", "-o", "x.csv"}, exit.Usage, "x.csv"},
		{[]string{"export", "v", "--history", "-o", "x.arrow"}, exit.Usage, "end x.arrow in .jsonl"},
		{[]string{"dead-letters", "--reason", "lat"}, exit.Usage, `did you mean "late"?`},
		{[]string{"produce", none}, exit.Usage, "no such file"},
		{[]string{"test"}, exit.Usage, "requires at least 1 arg(s)"},
	} {
		out, errs := cli(t, c.code, c.args...)
		contains(t, strings.Join(c.args, " "), errs, "tideline: ", c.want)
		if out != "" || strings.Count(errs, "\n") != 1 {
			t.Errorf("%v: want one line on standard error:\n%s%s", c.args, out, errs)
		}
	}
}

func TestHelpNamesEveryCommand(t *testing.T) {
	out, _ := cli(t, exit.OK)
	contains(t, "help", out, "demo", "run", "produce", "get", "scan", "history", "export",
		"status", "dead-letters", "explain", "lint", "test", "version", "Exit codes")
	out, _ = cli(t, exit.OK, "version", "--json")
	contains(t, "version", out, `"version":"`+version+`"`)
}

// A whole session on one data directory, each command a process of its own.
func TestSession(t *testing.T) {
	dir, pipeline, input := files(t)
	data := []string{"--data", filepath.Join(dir, "data")}
	with := func(args ...string) []string { return append(args, data...) }

	out, _ := cli(t, exit.OK, with("produce", "-f", pipeline, input)...)
	contains(t, "produce", out, "orders          5", "payments        1")
	_, errs := cli(t, exit.NotFound, with("get", "v", "1")...)
	contains(t, "get before run", errs, "no pipeline has run here; start one")
	out, errs = cli(t, exit.OK, with("run", "-f", pipeline, "--until-end")...)
	contains(t, "run", out, "orders       5        4          0     1")
	contains(t, "run", errs, "running pipeline test, plan ", "final up to ")

	t.Run("get", func(t *testing.T) { sessionGet(t, with) })
	t.Run("scan", func(t *testing.T) { sessionScan(t, with) })
	t.Run("history", func(t *testing.T) { sessionHistory(t, with) })
	t.Run("status", func(t *testing.T) { sessionStatus(t, with) })
	t.Run("export", func(t *testing.T) { sessionExport(t, dir, with) })
}

func sessionGet(t *testing.T, with func(...string) []string) {
	out, errs := cli(t, exit.OK, with("get", "v", "1", "--as-of", "1700000004999")...)
	contains(t, "get", out, "COLUMN  VALUE\n", "total   10.00\n", "method  null\n")
	contains(t, "get", errs, "as of 2023-11-14T22:13:24.999Z, watermark ")
	out, errs = cli(t, exit.OK, with("get", "v", "1", "--json", "--as-of", "1700000005000")...)
	want := `{"key":"1","value":{"total":10.00,"method":"card"},"as_of":"2023-11-14T22:13:25Z"}` + "\n"
	if out != want || errs != "" {
		t.Errorf("got %s%s want %s", out, errs, want)
	}
	_, errs = cli(t, exit.NotFound, with("get", "v", "2")...)
	contains(t, "get of a deleted row", errs, "tideline: view v has no row under key 2 as of ")
	_, errs = cli(t, exit.Usage, with("get", "v", "x")...)
	contains(t, "get with a bad key", errs, "bad key", `"x"`)
	_, errs = cli(t, exit.NotFound, with("get", "w", "1")...)
	contains(t, "get of no view", errs, `unknown view "w"; the pipeline has v, short`)
	_, errs = cli(t, exit.NotFound, with("get", "v", "1", "--pipeline", "other")...)
	contains(t, "get of no pipeline", errs, `unknown pipeline "other"`)
	_, errs = cli(t, exit.NotFinal, with("get", "v", "1", "--as-of", "2099-01-01")...)
	contains(t, "get beyond the watermark", errs, "not yet final: its watermark is ")
	_, errs = cli(t, exit.Gone, with("get", "short", "1", "--as-of", "1700000005000")...)
	contains(t, "get before the horizon", errs, "history is gone: its horizon is ")
	cli(t, exit.NotFinal, with("get", "v", "1", "--at-least", "2099-01-01", "--wait", "5ms")...)
}

func sessionScan(t *testing.T, with func(...string) []string) {
	out, errs := cli(t, exit.OK, with("scan", "v", "--as-of", "1700000007000")...)
	if want := "ID  TOTAL  METHOD\n 1  10.00  card\n 2   2.50  null\n10   3.00  null\n"; out != want {
		t.Errorf("scan got\n%swant\n%s", out, want)
	}
	contains(t, "scan", errs, "3 rows\n", "as of 2023-11-14T22:13:27Z")
	out, errs = cli(t, exit.OK, with("scan", "v", "--limit", "1")...)
	contains(t, "scan", errs, "the first 1 rows; there are more")
	if strings.Count(out, "\n") != 2 {
		t.Errorf("scan --limit 1 printed\n%s", out)
	}
	out, _ = cli(t, exit.OK, with("scan", "v", "--prefix", "10", "--json",
		"--as-of", "1700000007000")...)
	want := `{"key":"10","value":{"total":3.00,"method":null},"as_of":"2023-11-14T22:13:27Z"}` + "\n"
	if out != want {
		t.Errorf("scan --prefix got %s", out)
	}
	_, errs = cli(t, exit.OK, with("scan", "v", "--quiet")...)
	if errs != "" {
		t.Errorf("scan --quiet said %s", errs)
	}
	_, errs = cli(t, exit.Usage, with("scan", "v", "--prefix", "x")...)
	contains(t, "scan with a bad prefix", errs, "--prefix: ")
}

func sessionHistory(t *testing.T, with func(...string) []string) {
	out, _ := cli(t, exit.OK, with("history", "v", "2")...)
	contains(t, "history", out, "FROM                  TO                    ID  TOTAL  METHOD\n",
		"2023-11-14T22:13:26Z  2023-11-14T22:13:28Z   2   2.50  null\n")
	out, _ = cli(t, exit.OK, with("history", "v", "1", "--json", "--from", "1700000005000")...)
	want := `{"key":"1","valid_from":"2023-11-14T22:13:25Z","valid_to":null,` +
		`"value":{"total":10.00,"method":"card"}}` + "\n"
	if out != want {
		t.Errorf("history got %s want %s", out, want)
	}
	_, errs := cli(t, exit.NotFound, with("history", "v", "2", "--to", "1700000005000")...)
	contains(t, "history before the row", errs, "no row under key 2")
}

func sessionStatus(t *testing.T, with func(...string) []string) {
	out, _ := cli(t, exit.OK, with("status")...)
	contains(t, "status", out, "pipeline test, plan ", "STREAM ", "HELD BACK BY",
		"RETENTION", "forever")
	out, _ = cli(t, exit.OK, with("status", "--json")...)
	var r reportJSON
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	var read, lag int64
	for _, s := range r.Streams {
		for _, p := range s.Partitions {
			if p.Read != p.Applied+p.Duplicates+p.DeadLettered {
				t.Errorf("counters of %s/%d do not add up: %+v", p.Topic, p.Partition, p)
			}
			read, lag = read+p.Read, lag+p.Lag
		}
	}
	if read != 6 || lag != 0 || len(r.Views) != 2 || r.Views[0].Watermark == nil {
		t.Errorf("read %d, lag %d, views %+v", read, lag, r.Views)
	}
	out, _ = cli(t, exit.OK, with("dead-letters")...)
	contains(t, "dead-letters", out, "REASON       TOPIC ", "undecodable  orders", `column "total"`)
	out, _ = cli(t, exit.OK, with("dead-letters", "--json", "--stream", "orders")...)
	contains(t, "dead-letters", out, `"reason":"undecodable"`, `"key":"3"`)
	out, errs := cli(t, exit.OK, with("dead-letters", "--reason", "late")...)
	if out != "" || errs != "no dead letters\n" {
		t.Errorf("got %s%s", out, errs)
	}
	_, errs = cli(t, exit.NotFound, with("dead-letters", "--stream", "order")...)
	contains(t, "dead-letters of no stream", errs, `the pipeline has orders, payments; did you mean`)
}

func sessionExport(t *testing.T, dir string, with func(...string) []string) {
	path := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"v.arrow", "v.arrows", "v.parquet"} {
		out, _ := cli(t, exit.OK, with("export", "v", "--as-of", "1700000007000", "-o", path(name))...)
		contains(t, "export", out, name+": 3 rows of v as of 2023-11-14T22:13:27Z, ")
	}
	out, _ := cli(t, exit.OK, with("export", "v", "--history", "-o", path("v.jsonl"), "--json")...)
	contains(t, "export", out, `"versions":4`)
	got, err := os.ReadFile(path("v.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		`{"view":"v","key":"1","valid_from":1700000000000,"valid_to":1700000005000,` +
			`"value":{"total":10.00,"method":null}}`,
		`{"view":"v","key":"1","valid_from":1700000005000,"valid_to":null,` +
			`"value":{"total":10.00,"method":"card"}}`,
		`{"view":"v","key":"2","valid_from":1700000006000,"valid_to":1700000008000,` +
			`"value":{"total":2.50,"method":null}}`,
		`{"view":"v","key":"10","valid_from":1700000006000,"valid_to":null,` +
			`"value":{"total":3.00,"method":null}}`,
		"",
	}, "\n")
	if string(got) != want {
		t.Errorf("history got\n%s want\n%s", got, want)
	}
}

// Readers work beside a running pipeline, and wait for what is still to come.
func TestBesideRun(t *testing.T) {
	dir, pipeline, input := files(t)
	data := filepath.Join(dir, "data")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int, 1)
	var out, errs bytes.Buffer
	started := make(chan struct{})
	go func() {
		done <- execute(ctx, []string{"run", "-f", pipeline, "--data", data}, strings.NewReader(""),
			&out, &first{w: &errs, seen: started})
	}()
	<-started
	cli(t, exit.OK, "produce", input, "--data", data)
	beats := ""
	for _, topic := range []string{"orders", "payments"} {
		for _, p := range []string{"0", "1"} {
			beats += `{"topic":"` + topic + `","partition":` + p +
				`,"key":"~","value":null,"ts":1700000100000}` + "\n"
		}
	}
	if err := os.WriteFile(input, []byte(beats), 0o600); err != nil {
		t.Fatal(err)
	}
	cli(t, exit.OK, "produce", input, "--data", data)
	got, _ := cli(t, exit.OK, "get", "v", "1", "--data", data, "-f", pipeline,
		"--as-of", "1700000050000", "--wait", "1m", "--json")
	contains(t, "get beside run", got, `"method":"card"`)
	cancel()
	if code := <-done; code != exit.OK {
		t.Fatalf("run ended with %d: %s", code, errs.String())
	}
	contains(t, "run", errs.String(), "on the embedded broker of "+data,
		"read it with: ", "stopped; start again")
}

// first tells when something is written for the first time.
type first struct {
	w    *bytes.Buffer
	seen chan struct{}
	said bool
}

func (f *first) Write(b []byte) (int, error) {
	if !f.said {
		f.said = true
		close(f.seen)
	}
	return f.w.Write(b)
}

// On Kafka the source topics belong to others: they are never made.
func TestBrokers(t *testing.T) {
	b, err := embedded.Start("")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	dir, pipeline, input := files(t)
	on := []string{"--brokers", strings.Join(b.Addrs(), ","), "--data", filepath.Join(dir, "data")}
	_, errs := cli(t, exit.Failure, append([]string{"run", "-f", pipeline}, on...)...)
	contains(t, "run", errs, "stream orders: finding topic orders: ", "topic does not exist",
		"stream payments: finding topic payments: ")
	if n := strings.Count(errs, "tideline: "); n != 2 {
		t.Errorf("want a line for each topic:\n%s", errs)
	}
	_, errs = cli(t, exit.Failure, append([]string{"produce", input}, on...)...)
	contains(t, "produce", errs, "line 2: ", "topic orders: topic does not exist; create it")
	_, errs = cli(t, exit.NotFound, append([]string{"status", "-f", pipeline}, on...)...)
	contains(t, "status", errs, `unknown pipeline "test"`)
	out, errs := cli(t, exit.Failure, "explain", "-f", pipeline,
		"--brokers", strings.Join(b.Addrs(), ","))
	contains(t, "explain "+out, errs, "finding topic orders")
}

func TestProduceStopsAtTheFirstBadLine(t *testing.T) {
	data := t.TempDir()
	var out, errs bytes.Buffer
	in := `{"key":"a","value":1}
{"key":null,"value":2}
{"topic":"t","partition":9,"key":"b","value":3}
{"key":"c","value":4}
`
	args := []string{"produce", "--topic", "t", "--data", data, "--json"}
	if code := execute(t.Context(), args, strings.NewReader(in), &out, &errs); code != exit.Failure {
		t.Errorf("exit code %d", code)
	}
	contains(t, "produce", errs.String(), "line 3: partition 9: topic t has only 4")
	if out.String() != `{"records":2,"topic":"t"}`+"\n" {
		t.Errorf("produced %s", out.String())
	}
}

func TestLintAndExplain(t *testing.T) {
	dir, pipeline, _ := files(t)
	out, _ := cli(t, exit.OK, "lint", pipeline, "demo/pipeline.yaml")
	contains(t, "lint", out, "pipeline.yaml: fine\n", "demo/pipeline.yaml: fine\n")
	bad := filepath.Join(dir, "bad.yaml")
	text := strings.Replace(testPipeline, "lateness:", "latenes:", 1)
	if err := os.WriteFile(bad, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs := cli(t, exit.Problems, "lint", bad)
	contains(t, "lint", out, bad+":8:", `latenes`, `"lateness"`)
	contains(t, "lint", errs, "tideline: 1 problem found")
	out, _ = cli(t, exit.Problems, "lint", bad, "--json")
	contains(t, "lint", out, `"problem":"`)
	out, _ = cli(t, exit.OK, "explain", "-f", pipeline)
	contains(t, "explain", out, "view v, 2 partitions", "read directly")
	out, _ = cli(t, exit.OK, "explain", "-f", pipeline, "--json")
	if !json.Valid([]byte(out)) {
		t.Errorf("explain --json is no JSON:\n%s", out)
	}
}

// The demo tells what it promises, and its last commands work.
func TestDemo(t *testing.T) {
	data := filepath.Join(t.TempDir(), "demo")
	out, errs := cli(t, exit.OK, "demo", "--pace", "0s", "--data", data)
	contains(t, "demo", out, "watermark 2025-06-02T18:00:00",
		"status    new", "status    paid", "status    part returned",
		"late ", "undecodable ", "no-key ", "wrong-partition ", "future ",
		"noon.arrow: 147 rows", "noon.parquet: 147 rows", "Now try")
	if errs != "" {
		t.Errorf("the demo complained: %s", errs)
	}
	for _, line := range regexp.MustCompile(`(?m)^   tideline (.*)$`).FindAllStringSubmatch(out, -1) {
		history := filepath.Join(data, "history.jsonl")
		args := strings.Fields(strings.ReplaceAll(line[1], "history.jsonl", history))
		if got, _ := cli(t, exit.OK, args...); got == "" {
			t.Errorf("tideline %s printed nothing", line[1])
		}
	}
	_, errs = cli(t, exit.Usage, "demo", "--data", data)
	contains(t, "second demo", errs, "holds data already")
}
