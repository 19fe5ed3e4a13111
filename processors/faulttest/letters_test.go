package faulttest

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tideline/tideline/processors"
	"github.com/tideline/tideline/timeline/kafka"
)

// shop is two streams that the view's stage reads as they are: two partitions, murmur2.
const shop = `
pipeline: shop
streams:
  orders:
    key: [id]
    columns: {id: bigint, status: text}
    lateness: 10s
  payments:
    key: [order_id]
    columns: {order_id: bigint, amount: bigint}
    lateness: 10s
views:
  paid:
    retention: forever
    sql: SELECT o.id, o.status, p.amount FROM orders o LEFT JOIN payments p ON p.order_id = o.id
`

// rekeyed is shop through an exchange each.
const rekeyed = `
pipeline: rekeyed
streams:
  orders:
    key: [id]
    columns: {id: bigint, status: text}
    lateness: 10s
    partitioner: unknown
  payments:
    key: [order_id]
    columns: {order_id: bigint, amount: bigint}
    lateness: 10s
    partitioner: unknown
views:
  paid:
    retention: forever
    sql: SELECT o.id, o.status, p.amount FROM orders o LEFT JOIN payments p ON p.order_id = o.id
`

// rec is a record of shop in the partition where its key belongs; ms counts from epoch.
func rec(topic, key, value string, ms int64) *kgo.Record {
	return &kgo.Record{
		Topic: topic, Partition: kafka.PartitionOf(key, 2), Key: []byte(key), Value: []byte(value),
		Timestamp: time.UnixMilli(epoch + ms),
	}
}

// sales is an ordinary input of shop: from, in steps of a second, n orders and payments.
func sales(from int64, n int) []*kgo.Record {
	var out []*kgo.Record
	for i := range int64(n) {
		key, ms := fmt.Sprint(i%20), (from+i)*1000
		out = append(out,
			rec("orders", key, fmt.Sprintf(`{"status":"s%d"}`, i), ms),
			rec("payments", key, fmt.Sprintf(`{"amount":%d}`, i), ms+500))
	}
	return out
}

// TestDeadLetters puts one record that cannot be applied among good ones: it is found
// among the dead letters, and the history is what it is without that record.
func TestDeadLetters(t *testing.T) {
	wrong := rec("orders", "3", `{"status":"misplaced"}`, 50_000)
	wrong.Partition = 1 - wrong.Partition
	keyless := rec("orders", "3", `{"status":"whose"}`, 50_000)
	keyless.Key = nil
	for _, c := range []struct {
		name   string
		record *kgo.Record
		reason string
		fused  bool // only where the topic's partitioner is relied on
	}{
		{"late", rec("orders", "3", `{"status":"late"}`, 20_000), "late", false},
		{"undecodable", rec("orders", "3", `{"status":`, 50_000), "undecodable", false},
		{"misfit", rec("payments", "3", `{"amount":"much"}`, 50_000), "undecodable", false},
		{"bad key", rec("payments", "three", `{"amount":1}`, 50_000), "undecodable", false},
		{"no key", keyless, "no-key", false},
		{"wrong partition", wrong, "wrong-partition", true},
		{"future", rec("orders", "3", `{"status":"future"}`, 1e12), "future", false},
	} {
		for _, pipeline := range []string{shop, rekeyed} {
			if c.fused && pipeline != shop {
				continue
			}
			w := newWorld(t, pipeline, 2)
			t.Run(c.name+" "+w.spec.Name, func(t *testing.T) {
				clean := newWorld(t, pipeline, 2)
				clean.produce(append(sales(0, 50), sales(50, 50)...)...)
				must(t, clean.replay(processors.Options{}))
				w.produce(sales(0, 50)...)
				w.produce(copies([]*kgo.Record{c.record})...)
				w.produce(sales(50, 50)...)
				must(t, w.replay(processors.Options{}))
				w.audit()
				got := w.letters()
				if len(got) != 1 || got[0][len(got[0])-len(c.reason):] != c.reason {
					t.Errorf("dead letters %q, want one: %s", got, c.reason)
				}
				same(t, "history", w.history(), clean.history())
			})
		}
	}
}

// rebuild lets the pipeline begin anew: without commits and local state, and with the
// sources, the clock and the dead letters as they are.
func (w *world) rebuild() {
	w.t.Helper()
	for _, s := range w.plan().Stages {
		_, err := w.adm.DeleteGroups(w.ctx, s.Group)
		must(w.t, err)
		topics := []string{s.Group + "-table"}
		if s.Exchange != nil {
			topics = append(topics, s.Exchange.Topic)
		}
		_, err = w.adm.DeleteTopics(w.ctx, topics...)
		must(w.t, err)
	}
	must(w.t, os.RemoveAll(w.tmp+"/local"))
}

// TestFutureStaysRejected replays an input when the clock has moved past the event time of
// a record that was too far ahead at first.
func TestFutureStaysRejected(t *testing.T) {
	for _, pipeline := range []string{shop, rekeyed} {
		w := newWorld(t, pipeline, 2)
		now := time.UnixMilli(epoch + 100_000)
		w.produce(sales(0, 50)...)
		w.produce(rec("orders", "3", `{"status":"ahead"}`, 170_000))
		w.produce(sales(50, 50)...)
		must(t, w.replay(processors.Options{Now: func() time.Time { return now }}))
		letters, history := w.letters(), w.history()
		if len(letters) != 1 {
			t.Fatalf("dead letters %q, want one", letters)
		}
		w.rebuild()
		must(t, w.replay(processors.Options{}))
		w.audit()
		if got := w.letters(); !slices.Equal(got, letters) {
			t.Errorf("dead letters %q after a replay, want %q", got, letters)
		}
		same(t, "history", w.history(), history)
	}
}

// TestEmptyPartition lets a bounded replay end while some partitions hold nothing. What
// comes there later and lies before what was announced is late.
func TestEmptyPartition(t *testing.T) {
	for _, pipeline := range []string{shop, rekeyed} {
		w := newWorld(t, pipeline, 2)
		one := rec("orders", "1", `{"status":"first"}`, 1000)
		w.produce(one)
		must(t, w.replay(processors.Options{}))
		history := w.history()
		var late []*kgo.Record
		for i := range 20 {
			late = append(late, rec("orders", fmt.Sprint(i), `{"status":"x"}`, 2000),
				rec("payments", fmt.Sprint(i), `{"amount":1}`, 500))
		}
		w.produce(late...)
		must(t, w.replay(processors.Options{Dir: w.tmp + "/other"}))
		w.audit()
		if got := w.letters(); len(got) != len(late) {
			t.Errorf("%s: %d dead letters, want %d", w.spec.Name, len(got), len(late))
		}
		same(t, "history", w.history(), history)
	}
}
