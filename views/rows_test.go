package views

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/tideline/tideline/timeline/catalog"
	"github.com/tideline/tideline/timeline/kafka"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/timeline/wire"
)

// many is a view of so many rows, a few chunks for each of three partitions, that follows
// no topic: whatever goroutine it has is one of its reads.
func many(t *testing.T, n int) *View {
	t.Helper()
	const partitions = 3
	cat := catalog.View{
		Name: "bills", Table: "bills-table", Partitions: partitions, Key: []string{"id"},
		Columns: []catalog.Column{{Name: "id", Type: "bigint"}},
	}
	schema, err := cat.Schema()
	if err != nil {
		t.Fatal(err)
	}
	v := newView(&catalog.Catalog{}, cat, schema, t.TempDir())
	for p := range int32(partitions) {
		s, err := v.openStore("", p)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
	}
	for i := range n {
		key := fmt.Sprint(i)
		b := wire.AppendVersion(nil, wire.Version{Row: row.AppendRow(nil, row.Row{int64(i)})})
		if err := v.part(kafka.PartitionOf(key, partitions)).Set(key, b); err != nil {
			t.Fatal(err)
		}
	}
	for p := range int32(partitions) {
		b := wire.AppendWatermark(nil, wire.Watermark{At: 7, Sender: p})
		if err := v.part(p).Set(wire.WatermarkKey(p), b); err != nil {
			t.Fatal(err)
		}
		if err := v.part(p).Flush(); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// Rows closed in mid-stream, or never read, leave no goroutine behind.
func TestRowsClosedInMidStream(t *testing.T) {
	const n = 5000
	v := many(t, n)
	before := goleak.IgnoreCurrent()
	for _, read := range []int{0, 1, 300, n - 1, n} {
		rows, a, err := v.Rows(t.Context(), Range{})
		if err != nil || a.AsOf != 7 {
			t.Fatal(a, err)
		}
		for i := range read {
			b, ok, err := rows.NextEncoded()
			if err != nil || !ok {
				t.Fatalf("row %d: %v, %v", i, ok, err)
			}
			if r, err := row.DecodeRow(b); err != nil || r[0] != int64(i) {
				t.Fatalf("row %d is %v, %v", i, r, err)
			}
		}
		for range 2 {
			if err := rows.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	goleak.VerifyNone(t, before)
}

// So do scans that end early, by wish, by error or by their context.
func TestScansThatEndEarly(t *testing.T) {
	v := many(t, 5000)
	before := goleak.IgnoreCurrent()
	mine := errors.New("enough")
	for _, end := range []error{nil, mine} {
		n := 0
		_, err := v.Scan(t.Context(), Range{}, func(row.Row) (bool, error) {
			n++
			return n < 400, map[bool]error{n == 400: end}[true]
		})
		if n != 400 || !errors.Is(err, end) {
			t.Errorf("after %d rows: %v", n, err)
		}
		n = 0
		_, err = v.Histories(t.Context(), Range{}, func(string, []Version) (bool, error) {
			n++
			return n < 400, map[bool]error{n == 400: end}[true]
		})
		if n != 400 || !errors.Is(err, end) {
			t.Errorf("after %d histories: %v", n, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	_, err := v.Scan(ctx, Range{}, func(row.Row) (bool, error) {
		n++
		cancel()
		return true, nil
	})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "scanning view bills") {
		t.Errorf("a scan that is cancelled gave %d rows and %v", n, err)
	}
	goleak.VerifyNone(t, before)
}
