package processors

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tideline/tideline/processors/plan"
	"github.com/tideline/tideline/processors/spec"
	"github.com/tideline/tideline/timeline/catalog"
)

const shop = `pipeline: shop
streams:
  orders:
    topic: pos.orders
    key: [id]
    columns: {id: text, customer: bigint, qty: bigint, "price": "decimal(12,2)", at: "timestamp(6)"}
    order: disordered
    lateness: 3s
  payments:
    key: [order_id]
    columns: {order_id: text, amount: bigint}
    partitioner: fnv1a
views:
  bills:
    sql: |
      SELECT o.id, o.qty * o.price AS total, p.amount
      FROM orders o LEFT JOIN payments p ON p.order_id = o.id
    retention: 36h
  all_orders:
    sql: SELECT id, customer FROM orders
    retention: forever
`

func planShop(t *testing.T) *plan.Plan {
	t.Helper()
	s, err := spec.Parse("shop.yaml", []byte(shop))
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Build(s, func(topic string) (int, error) {
		return map[string]int{"pos.orders": 4, "payments": 3}[topic], nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A reader that has only the catalog knows all that the plan knows of the view.
func TestDescribe(t *testing.T) {
	p := planShop(t)
	c := Describe(p)
	b, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if c, err = catalog.Decode(b); err != nil {
		t.Fatal(err)
	}
	if c.Pipeline != "shop" || c.Version != p.Version || c.Version == "" {
		t.Errorf("pipeline %q, version %q", c.Pipeline, c.Version)
	}
	if want := []string{"bills", "all_orders"}; !reflect.DeepEqual(c.ViewNames(), want) {
		t.Fatalf("views %v, want %v", c.ViewNames(), want)
	}
	for i, want := range p.Views {
		v := &c.Views[i]
		schema, err := v.Schema()
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(schema.Key, want.Schema.Key) || v.Partitions != want.Partitions ||
			v.Table != want.Table || v.SQL != want.SQL {
			t.Errorf("view %+v, the plan has %+v", v, want)
		}
		for j, col := range schema.Columns {
			if w := want.Schema.Columns[j]; col.Name != w.Name || col.Type != w.Type {
				t.Errorf("column %v of view %s, the plan has %v", col, v.Name, w)
			}
		}
	}
	if c.Views[0].Retention != 36*time.Hour || c.Views[1].Retention != 0 {
		t.Errorf("retention %v and %v, want 36h and forever",
			c.Views[0].Retention, c.Views[1].Retention)
	}
	orders := catalog.Stream{Name: "orders", Topic: "pos.orders", Lateness: 3 * time.Second}
	if len(c.Streams) != 2 || c.Streams[0] != orders {
		t.Errorf("streams %+v", c.Streams)
	}
	describeStages(t, p, c)
}

func describeStages(t *testing.T, p *plan.Plan, c *catalog.Catalog) {
	t.Helper()
	if len(c.Stages) != len(p.Stages) {
		t.Fatalf("%d stages, the plan has %d", len(c.Stages), len(p.Stages))
	}
	read, written := map[string]bool{}, map[string]bool{}
	for _, s := range c.Stages {
		for _, in := range s.Inputs {
			read[in] = true
		}
		if s.Exchange != "" {
			written[s.Exchange] = true
		}
		if (s.View == "") == (s.Exchange == "") || s.Partitions < 1 ||
			!strings.HasPrefix(s.Group, "shop.") {
			t.Errorf("stage %+v", s)
		}
	}
	for topic := range written {
		if !read[topic] {
			t.Errorf("nobody reads exchange %s", topic)
		}
	}
	if !read["pos.orders"] || !read["payments"] || len(written) == 0 {
		t.Errorf("stages read %v and write %v", read, written)
	}
}

// A spool file has no name: whatever becomes of the process, nothing is left behind.
func TestSpoolLeavesNothing(t *testing.T) {
	dir := t.TempDir() + "/made/here"
	s := spool{dir}
	a, err := s.Create()
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Create()
	if err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the directory holds %v, %v", left, err)
	}
	for text, f := range map[string]interface {
		WriteAt([]byte, int64) (int, error)
	}{"first": a, "other": b} {
		if _, err := f.WriteAt([]byte(text), 3); err != nil {
			t.Fatal(err)
		}
	}
	got := make([]byte, 5)
	if _, err := a.ReadAt(got, 3); err != nil || string(got) != "first" {
		t.Errorf("read %q, %v", got, err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := (spool{file}).Create(); err == nil ||
		!strings.Contains(err.Error(), "creating spool directory") {
		t.Errorf("a directory that is a file: %v", err)
	}
}
