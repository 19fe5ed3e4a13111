package plan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/shopspring/decimal"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/timeline/wire"
)

// TestExpressions runs the scripts under testdata/eval. There is one verb:
//
//	eval: each line is an expression over the stream orders, put through a view and
//	      KeyJoin.Apply for one row; the answer is its type and value, or the error
func TestExpressions(t *testing.T) {
	datadriven.Walk(t, "testdata/eval", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var b strings.Builder
			for _, expr := range strings.Split(d.Input, "\n") {
				fmt.Fprintf(&b, "%s  =>  %s\n", expr, evalOne(expr))
			}
			return b.String()
		})
	})
}

// sample is the row the expressions see, by column.
var sample = map[string]row.Value{
	"customer_id": "Äpfel", "qty": int64(7), "price": decimal.RequireFromString("19.90"),
	"status": "New", "placed": timeline.Time(1704067200123456), "due": row.Days(19723),
	"paid": true, "weight": 2.5, "extra": row.Document(`{"a":[1,9007199254740993],"b":"x"}`),
	"raw": []byte{0, 255}, "free": decimal.RequireFromString("1.5"),
}

func evalOne(expr string) string {
	p, err := buildText(pipelineOf("SELECT id, "+expr+" AS x FROM orders", ""), nil)
	if err != nil {
		return "refused: " + err.Error()
	}
	var st *Stage
	for _, s := range p.Stages {
		if s.View != nil {
			st = s
		}
	}
	var r row.Row
	for _, c := range st.Inputs[0].Columns {
		r = append(r, sample[st.Inputs[0].Stream.Schema.Columns[c].Name])
	}
	next, _, err := st.Join.Apply(wire.Version{}, false, 0, wire.Upsert,
		timeline.Time(1704067200000000), "o1", row.AppendRow(nil, r))
	if err != nil {
		return "error: " + err.Error()
	}
	out, err := row.DecodeRow(next.Row)
	if err != nil {
		return "damaged: " + err.Error()
	}
	return fmt.Sprintf("%s %s", st.View.Schema.Columns[1].Type, row.AppendJSON(nil, out[1]))
}
