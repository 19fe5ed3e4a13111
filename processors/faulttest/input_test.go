package faulttest

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// recorded reads a folder of testdata/cases: its pipeline and its records in the order of
// their delivery.
func recorded(t *testing.T, name string) (pipeline string, input []*kgo.Record) {
	t.Helper()
	dir := filepath.Join("..", "..", "testdata", "cases", name)
	text, err := os.ReadFile(filepath.Join(dir, "pipeline.yaml"))
	must(t, err)
	f, err := os.Open(filepath.Join(dir, "input.jsonl.gz"))
	must(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	must(t, err)
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l struct {
			Topic     string
			Partition int32
			Key       *string
			Value     json.RawMessage
			TS        int64
			Headers   map[string]string
			Wait      *int64 `json:"wait_watermark"`
		}
		must(t, json.Unmarshal(lines.Bytes(), &l))
		if l.Wait != nil {
			continue
		}
		r := &kgo.Record{Topic: l.Topic, Partition: l.Partition, Timestamp: time.UnixMilli(l.TS)}
		if l.Key != nil {
			r.Key = []byte(*l.Key)
		}
		if string(l.Value) != "null" {
			r.Value = l.Value
		}
		for k, v := range l.Headers {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: k, Value: []byte(v)})
		}
		input = append(input, r)
	}
	must(t, lines.Err())
	return string(text), input
}

// shuffled interleaves the partitions anew and keeps the order within each.
func shuffled(input []*kgo.Record, seed uint64) []*kgo.Record {
	rnd := rand.New(rand.NewPCG(seed, 1))
	queues := map[string][]*kgo.Record{}
	var names []string
	for _, r := range input {
		name := fmt.Sprint(r.Topic, "/", r.Partition)
		if queues[name] == nil {
			names = append(names, name)
		}
		queues[name] = append(queues[name], r)
	}
	var out []*kgo.Record
	for len(names) > 0 {
		i := rnd.IntN(len(names))
		q := queues[names[i]]
		n := 1 + rnd.IntN(min(len(q), 30))
		out = append(out, copies(q[:n])...)
		if queues[names[i]] = q[n:]; n == len(q) {
			names = append(names[:i], names[i+1:]...)
		}
	}
	return out
}

// copies returns records that may be produced again.
func copies(rs []*kgo.Record) []*kgo.Record {
	out := make([]*kgo.Record, len(rs))
	for i, r := range rs {
		out[i] = &kgo.Record{
			Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value,
			Timestamp: r.Timestamp, Headers: r.Headers,
		}
	}
	return out
}

// mixPipeline reads topics in every way: in log order and disordered, fused and re-keyed.
const mixPipeline = `
pipeline: mix
partitions: 4
streams:
  lefts:
    topic: left
    key: [id]
    columns: {id: bigint, a: text, n: bigint}
    order: log
    partitioner: unknown
  rights:
    topic: right
    key: [id]
    columns: {id: bigint, b: text}
    lateness: 5s
    partitioner: unknown
views:
  both:
    retention: forever
    sql: SELECT l.id, l.a, l.n, r.b FROM lefts l LEFT JOIN rights r ON r.id = l.id
  either:
    retention: forever
    sql: |
      SELECT coalesce(l.id, r.id) AS id, l.n, r.b
      FROM lefts l FULL OUTER JOIN rights r ON r.id = l.id
`

// epoch is when generated input begins.
const epoch = int64(1_700_000_000_000)

// generated makes n records for mixPipeline, with repeats, deletes, disorder, late and
// unreadable records, and many at one instant.
func generated(n int, seed uint64) []*kgo.Record {
	rnd := rand.New(rand.NewPCG(seed, 2))
	var out []*kgo.Record
	at := epoch
	for i := range n {
		if rnd.IntN(4) > 0 {
			at += rnd.Int64N(20)
		}
		key := fmt.Sprint(rnd.IntN(500))
		r := &kgo.Record{
			Topic: "left", Partition: int32(rnd.IntN(4)), Key: []byte(key),
			Value:     fmt.Appendf(nil, `{"a":"%x","n":%d}`, rnd.Uint64(), i),
			Timestamp: time.UnixMilli(at),
		}
		if rnd.IntN(2) == 0 {
			r.Topic = "right"
			r.Value = fmt.Appendf(nil, `{"b":"%d"}`, i)
			r.Timestamp = time.UnixMilli(at - rnd.Int64N(5000))
			if rnd.IntN(100) == 0 {
				r.Timestamp = time.UnixMilli(at - 60_000) // late
			}
		}
		switch rnd.IntN(50) {
		case 0, 1, 2:
			r.Value = nil
		case 3:
			r.Value = []byte(`{"a":`)
		}
		out = append(out, r)
	}
	return out
}
