package oracle

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/tideline/tideline/processors/plan"
	"github.com/tideline/tideline/timeline/kafka"
)

// write writes the case as a pipeline test: the instants around every change, and the
// whole history.
func (c *trial) write(dir string) error {
	p, err := c.plan()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making folder of the case: %w", err)
	}
	var times []int64
	for _, ms := range c.instants() {
		for _, t := range []int64{ms - 1, ms} {
			if !slices.Contains(times, t) {
				times = append(times, t)
			}
		}
	}
	slices.Sort(times)
	asked, _ := json.Marshal(times)
	expect, history := c.answers(p, times)
	for name, text := range map[string]string{
		"pipeline.yaml": c.yaml(), "times.json": string(asked) + "\n",
		"input.jsonl": c.input(), "expect.jsonl": expect, "history.jsonl": history,
		"dead.jsonl": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return fmt.Errorf("writing the case: %w", err)
		}
	}
	return nil
}

type record struct {
	Topic     string            `json:"topic"`
	Partition int               `json:"partition"`
	Key       string            `json:"key"`
	Value     any               `json:"value"`
	TS        int64             `json:"ts"`
	Headers   map[string]string `json:"headers"`
}

// input writes the delivery: out of order, and with stretches that come again.
func (c *trial) input() string {
	rnd := rand.New(rand.NewPCG(c.seed, 2))
	var queues [][]record
	for i, s := range c.streams {
		parts := make([][]record, s.partitions)
		for p := range parts { // a heartbeat each, which also shows how many there are
			parts[p] = []record{{Topic: s.name, Partition: p, Key: "~hb:" + fmt.Sprint(p),
				TS: c.start() - 1, Headers: map[string]string{"position": "0"}}}
		}
		delivered := slices.Clone(c.changes)
		slices.SortStableFunc(delivered, func(a, b change) int { return a.order - b.order })
		for _, x := range delivered {
			if x.stream != i {
				continue
			}
			r := record{Topic: s.name, Key: x.text(), TS: x.ms}
			r.Partition = s.place(r.Key)
			if x.row != nil {
				r.Value = json.RawMessage(object(s.cols, x.row, nil))
			}
			to := &parts[r.Partition]
			r.Headers = map[string]string{"position": fmt.Sprint(len(*to))}
			*to = append(*to, r)
		}
		for p, records := range parts {
			if len(records) > 2 && rnd.IntN(2) == 0 {
				from := rnd.IntN(len(records))
				to := from + 1 + rnd.IntN(len(records)-from)
				records = slices.Insert(records, to, slices.Clone(records[from:to])...)
			}
			parts[p] = records
		}
		queues = append(queues, parts...)
	}
	var b strings.Builder
	for {
		queues = slices.DeleteFunc(queues, func(q []record) bool { return len(q) == 0 })
		if len(queues) == 0 {
			return b.String()
		}
		i := rnd.IntN(len(queues))
		b.WriteString(object1(queues[i][0]) + "\n")
		queues[i] = queues[i][1:]
	}
}

func object1(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v)
	return strings.TrimSpace(b.String())
}

// place returns the partition of a key, as the producer of the stream places it.
func (s *stream) place(key string) int {
	if s.partitioner == "murmur2" {
		return int(kafka.PartitionOf(key, s.partitions))
	}
	h := fnv.New32a()
	h.Write([]byte(key))
	return int(h.Sum32()&0x7fffffff) % s.partitions
}

// object writes a row as a JSON object, without some columns.
func object(cols []column, r []any, without []int) string {
	var parts []string
	for i, c := range cols {
		if !slices.Contains(without, i) {
			parts = append(parts, fmt.Sprintf("%q: %s", c.name, encode(r[i])))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func encode(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return object1(v)
	case *big.Rat:
		return show(v)
	case at:
		return object1(time.UnixMilli(int64(v)).UTC().Format("2006-01-02T15:04:05.999Z"))
	}
	return fmt.Sprint(v)
}

// keyText writes the key of a view's row.
func keyText(r []any, key []int) string {
	if len(key) == 0 {
		return "*"
	}
	if len(key) == 1 {
		return show(r[key[0]])
	}
	parts := make([]string, len(key))
	for i, k := range key {
		parts[i] = encode(r[k])
	}
	return "[" + strings.Join(parts, ",") + "]"
}

// answers writes what every view holds at instants, and its history.
func (c *trial) answers(p *plan.Plan, times []int64) (expect, history string) {
	var e, h strings.Builder
	w := c.world()
	for i, v := range c.views {
		key := p.Views[i].Schema.Key
		type held struct {
			from  int64
			value string
		}
		now := map[string]held{}
		end := func(k string, to string) {
			fmt.Fprintf(&h, "{\"view\": %q, \"key\": %s, \"valid_from\": %d, \"valid_to\": %s, "+
				"\"value\": %s}\n", v.name, encode(k), now[k].from, to, now[k].value)
			delete(now, k)
		}
		for _, ms := range times {
			out := w.fresh().eval(v.q, at(ms))
			rows := map[string]string{}
			for _, r := range out.rows {
				k, value := keyText(r, key), object(out.cols, r, key)
				rows[k] = value
				fmt.Fprintf(&e, "{\"view\": %q, \"as_of\": %d, \"key\": %s, \"value\": %s}\n", v.name, ms,
					encode(k), value)
			}
			for _, k := range sortedKeys(now) {
				if value, ok := rows[k]; !ok || value != now[k].value {
					end(k, fmt.Sprint(ms))
				}
			}
			for k, value := range rows {
				if _, ok := now[k]; !ok {
					now[k] = held{ms, value}
				}
			}
		}
		for _, k := range sortedKeys(now) {
			end(k, "null")
		}
	}
	return e.String(), h.String()
}

func sortedKeys[T any](m map[string]T) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
