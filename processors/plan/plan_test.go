package plan

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/tideline/tideline/processors/spec"
)

// streamsText declares the streams that the scripts' views read.
const streamsText = `pipeline: shop
streams:
  orders:
    key: [id]
    columns: {id: text, customer_id: text, qty: bigint, price: "decimal(12,2)", status: text,
      placed: "timestamp(6)", due: date, paid: boolean, weight: double, extra: json, raw: bytes,
      free: decimal}
  payments:
    key: [order_id]
    columns: {order_id: text, amount: bigint, status: text}
    partitioner: fnv1a
  refunds:
    key: [order_id]
    columns: {order_id: text, amount: bigint}
  customers: {key: [id], columns: {id: bigint, name: text}}
  stock:
    key: [region, sku]
    columns: {sku: text, on_hand: bigint, region: bigint}
  prices:
    key: [region, sku]
    columns: {region: bigint, sku: text, price: "decimal(10,3)"}
    format: debezium
views:
`

// pipelineOf declares a view v with the SQL, and more YAML entries after it.
func pipelineOf(sql, more string) string {
	return streamsText + "  v:\n    sql: |\n      " +
		strings.ReplaceAll(strings.TrimSpace(sql), "\n", "\n      ") + "\n" + more
}

func buildText(text string, parts map[string]int) (*Plan, error) {
	p, err := spec.Parse("shop.yaml", []byte(text))
	if err != nil {
		return nil, err
	}
	return Build(p, func(topic string) (int, error) {
		if n, ok := parts[topic]; ok {
			if n < 0 {
				return 0, errors.New("the broker knows no such topic")
			}
			return n, nil
		}
		return 4, nil
	})
}

// TestPlans runs the scripts under testdata/plan. The verbs:
//
//	view [parts=(topic,n,...)] [json]: plan a view with the given SQL and explain it
//	pipeline [parts=...]: plan a whole pipeline file and explain it
//
// What cannot be planned answers with the error.
func TestPlans(t *testing.T) {
	datadriven.Walk(t, "testdata/plan", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			parts := map[string]int{}
			for _, a := range d.CmdArgs {
				if a.Key == "parts" {
					for i := 0; i+1 < len(a.Vals); i += 2 {
						n := 0
						if _, err := fmt.Sscan(a.Vals[i+1], &n); err != nil {
							d.Fatalf(t, "%v", err)
						}
						parts[a.Vals[i]] = n
					}
				}
			}
			text := d.Input
			if d.Cmd == "view" {
				sql, more, _ := strings.Cut(d.Input, "\n---\n")
				text = pipelineOf(sql, more)
			}
			p, err := buildText(text, parts)
			if err != nil {
				return err.Error() + "\n"
			}
			var b strings.Builder
			switch {
			case d.HasArg("json"):
				err = p.ExplainJSON(&b)
			case d.HasArg("v"):
				for _, s := range p.Stages {
					if s.View != nil {
						s.explain(&b)
					}
				}
			default:
				err = p.Explain(&b)
			}
			if err != nil {
				d.Fatalf(t, "%v", err)
			}
			return b.String()
		})
	})
}
