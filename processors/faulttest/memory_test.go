package faulttest

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// wide makes a record with a payload of a kilobyte.
func wide(topic string, key int, at time.Time) *kgo.Record {
	value := append([]byte(`{"status":"`), bytes.Repeat([]byte("x"), 1000)...)
	return &kgo.Record{
		Topic: topic, Key: []byte(strconv.Itoa(key)), Timestamp: at,
		Value: append(value, fmt.Sprintf(`%d"}`, key)...),
	}
}

// narrow is a view of two streams in one partition; the rows are wide, the view is not.
const narrow = `
pipeline: narrow
streams:
  orders:
    key: [id]
    columns: {id: bigint, status: text}
    lateness: 10s
  payments:
    key: [id]
    columns: {id: bigint, status: text}
    lateness: 10s
views:
  lengths:
    retention: forever
    sql: |
      SELECT coalesce(o.id, p.id) AS id, length(o.status) AS o, length(p.status) AS p
      FROM orders o FULL OUTER JOIN payments p ON p.id = o.id
`

// TestMemory replays inputs that would pile up, in a worker that may use little: one
// topic that is an hour ahead of the other, and one with everything at one instant.
// TIDELINE_CHANGES says how many changes.
func TestMemory(t *testing.T) {
	n := env("TIDELINE_CHANGES", 200_000)
	base := time.UnixMilli(epoch)
	for _, c := range []struct {
		name string
		at   func(topic string, i int) time.Time
	}{
		{"one ahead", func(topic string, i int) time.Time {
			if topic == "orders" {
				return base.Add(time.Hour + time.Duration(i)*time.Millisecond)
			}
			return base.Add(time.Duration(i) * time.Millisecond)
		}},
		{"one instant", func(string, int) time.Time { return base }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, narrow, 1)
			for _, topic := range []string{"orders", "payments"} {
				var all []*kgo.Record
				for i := range n / 2 {
					all = append(all, wide(topic, i%1000, c.at(topic, i)))
				}
				w.produce(all...)
			}
			j := w.job(0, true)
			j.Memory, j.Session, j.Measure = 8<<20, 10*time.Second, true
			p := spawn(t, "measured", j)
			p.wait(t)
			w.audit()
			_, text, ok := strings.Cut(p.out.String(), "peak heap ")
			peak, err := strconv.Atoi(strings.TrimSpace(text))
			if !ok || err != nil {
				t.Fatalf("worker said %q", p.out)
			}
			t.Logf("%d changes of a kilobyte, 8 MB allowed: peak heap %d MB", n, peak>>20)
			// LevelDB, the producer and the fetches take up to 250 MB, whatever is pending.
			if limit := 270 << 20; peak > limit {
				t.Errorf("peak heap %d MB, want at most %d", peak>>20, limit>>20)
			}
		})
	}
}
