package arrow

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/shopspring/decimal"

	"github.com/tideline/tideline/timeline/row"
)

// TestHugeExponent: a decimal that would take gigabytes to spell is refused at once.
func TestHugeExponent(t *testing.T) {
	s := row.Schema{Columns: []row.Column{{Name: "d", Type: mustType("decimal(4,2)")}}}
	for _, exp := range []int32{math.MaxInt32, math.MinInt32} {
		_, err := one(checked(t), s, func(cols []column) error {
			_, err := appendRow(cols, row.Row{decimal.New(7, exp)})
			return err
		})
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("decimal 7e%d does", exp)) {
			t.Error(err)
		}
	}
}

// TestDecimalBorders: a decimal fits exactly or is refused, at the last digit on either
// side, by values and by bytes, whether its digits fit an int64 or not.
func TestDecimalBorders(t *testing.T) {
	for _, c := range []struct {
		typ, value string
		fits       bool
	}{
		{"decimal(4,2)", "99.99", true},
		{"decimal(4,2)", "-99.99", true},
		{"decimal(4,2)", "100", false},
		{"decimal(4,2)", "-100.00", false},
		{"decimal(4,2)", "1.2300", true},
		{"decimal(4,2)", "1.234", false},
		{"decimal(4,2)", "0.001", false},
		{"decimal(4,2)", "1e1", true},
		{"decimal(4,2)", "1e2", false},
		{"decimal(4,2)", "1e9999", false},
		{"decimal(4,2)", "1e-999", false},
		{"decimal(4,2)", "0e999", true},
		{"decimal(19,0)", "9999999999999999999", true},
		{"decimal(19,0)", "10000000000000000000", false},
		{"decimal(38,10)", "9999999999999999999999999999.9999999999", true},
		{"decimal(38,10)", "10000000000000000000000000000", false},
		{"decimal", "9999999999999999999999999999.9999999999", true},
		{"decimal", "0.00000000001", false},
		{"decimal(65,30)", "-99999999999999999999999999999999999.1", true},
		{"decimal(65,30)", "100000000000000000000000000000000000", false},
	} {
		s := row.Schema{Columns: []row.Column{{Name: "d", Type: mustType(c.typ)}}}
		want := row.Row{decimal.RequireFromString(c.value)}
		ways := map[string]func([]column) error{
			"values": func(cols []column) error { _, err := appendRow(cols, want); return err },
		}
		if exp := want[0].(decimal.Decimal).Exponent(); exp > -100 && exp < 100 {
			b := row.AppendRow(nil, want)
			ways["bytes"] = func(cols []column) error { return appendEncoded(cols, b) }
		}
		for name, way := range ways {
			alloc := memory.NewCheckedAllocator(memory.NewGoAllocator())
			got, err := one(alloc, s, way)
			alloc.AssertSize(t, 0)
			if (err == nil) != c.fits {
				t.Errorf("%s in %s, by %s: %v", c.value, c.typ, name, err)
			} else if c.fits && sameRows(got, []row.Row{want}) != nil {
				t.Errorf("%s in %s, by %s: became %v", c.value, c.typ, name, got)
			}
		}
	}
}
