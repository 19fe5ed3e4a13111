package views_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/catalog"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/views"
)

// everyType is a view with a column of every type.
func everyType() catalog.View {
	return catalog.View{
		Name: "types", Table: "till.types-table", Partitions: 2, Key: []string{"id"},
		Columns: []catalog.Column{
			{Name: "id", Type: "bigint"}, {Name: "weight", Type: "double"},
			{Name: "price", Type: "decimal(10,2)"}, {Name: "name", Type: "text"},
			{Name: "paid", Type: "boolean"}, {Name: "placed", Type: "timestamp(6)"},
			{Name: "due", Type: "date"}, {Name: "raw", Type: "bytes"}, {Name: "extra", Type: "json"},
		},
	}
}

type name string

type plain struct {
	ID     int64
	Weight float64
	Price  decimal.Decimal
	Title  name `column:"NAME"`
	Paid   bool
	Placed time.Time
	Due    time.Time
	Raw    []byte
	Extra  string
	note   string // not exported: no column
}

type pointers struct {
	Key    int `column:"id"`
	Weight *float64
	Price  *decimal.Decimal
	Name   *string
	Paid   *bool
	Placed *timeline.Time
	Due    *row.Days
	Raw    *[]byte
	Extra  *row.Document
}

func TestTyped(t *testing.T) {
	w := newTable(t, everyType())
	placed := time.Date(2025, 6, 2, 9, 0, 0, 123_456_000, time.UTC)
	at := timeline.FromTime(placed)
	price := decimal.RequireFromString("12.30")
	w.put(sec, "1", row.Row{int64(1), 0.5, price, "lamp", true, at, row.Days(20_241),
		[]byte{1, 2}, row.Document(`{"a":1}`)})
	w.put(sec, "2", row.Row{int64(2), nil, nil, nil, nil, nil, nil, nil, nil})
	w.watermark(sec, timeline.Exact)
	v := w.open()
	values, err := views.As[plain](v)
	if err != nil {
		t.Fatal(err)
	}
	got, ok, a, err := values.Get(deadline(t), "1")
	want := plain{
		1, 0.5, price, "lamp", true, placed, time.Date(2025, 6, 2, 0, 0, 0, 0, time.UTC),
		[]byte{1, 2}, `{"a":1}`, "",
	}
	if !got.Price.Equal(price) || got.note != "" {
		t.Errorf("price %s", got.Price)
	}
	got.Price = price
	if err != nil || !ok || a.AsOf != sec || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, %v\nwant %+v", got, ok, err, want)
	}
	if _, ok, _, err := values.Get(deadline(t), "3"); ok || err != nil {
		t.Errorf("what is not there: %v, %v", ok, err)
	}
	const null = "reading view types: column weight is null; its field must be a pointer"
	if _, _, _, err := values.Get(deadline(t), "2"); err == nil ||
		!strings.Contains(err.Error(), "is null; its field must be a pointer") {
		t.Errorf("a null for what cannot hold it: %v", err)
	}
	n := 0
	_, err = values.Scan(deadline(t), views.Range{}, func(plain) (bool, error) {
		n++
		return true, nil
	})
	if n != 1 || err == nil || !strings.EqualFold(err.Error(), null) {
		t.Errorf("a null for what cannot hold it, after %d rows: %v", n, err)
	}
	typedPointers(t, v, at, price)
}

func typedPointers(t *testing.T, v *views.View, at timeline.Time, price decimal.Decimal) {
	t.Helper()
	nullable, err := views.As[pointers](v)
	if err != nil {
		t.Fatal(err)
	}
	if nullable.View() != v {
		t.Error("it is another view's table")
	}
	var rows []pointers
	_, err = nullable.Scan(deadline(t), views.Range{}, func(p pointers) (bool, error) {
		rows = append(rows, p)
		return true, nil
	})
	if err != nil || len(rows) != 2 {
		t.Fatal(rows, err)
	}
	p := rows[0]
	if p.Key != 1 || *p.Weight != 0.5 || !p.Price.Equal(price) || *p.Name != "lamp" || !*p.Paid ||
		*p.Placed != at || *p.Due != 20_241 || string(*p.Raw) != "\x01\x02" || *p.Extra != `{"a":1}` {
		t.Errorf("%+v", p)
	}
	if !reflect.DeepEqual(rows[1], pointers{Key: 2}) {
		t.Errorf("%+v", rows[1])
	}
}

func TestAsErrors(t *testing.T) {
	w := newTable(t, everyType())
	v := w.open()
	as := func(err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwant: %s", err, want)
		}
	}
	_, err := views.As[int](v)
	as(err, "reading view types as int: want a struct")
	_, err = views.As[struct{ Cost int64 }](v)
	as(err, `field Cost: there is no column "Cost"; the view has id, weight, price, name,`)
	_, err = views.As[struct {
		X int64 `column:"cost"`
	}](v)
	as(err, `field X: there is no column "cost"`)
	_, err = views.As[struct{ Name int64 }](v)
	as(err, "field Name cannot hold column Name of type text")
	_, err = views.As[struct{ Price *float64 }](v)
	as(err, "field Price cannot hold column Price of type decimal(10,2)")
	_, err = views.As[struct{ ID int32 }](v)
	as(err, "field ID cannot hold column ID of type bigint")
}

// Keys made of Go values are those that the stages write.
func TestKey(t *testing.T) {
	at := time.Date(2025, 6, 2, 9, 0, 0, 123_456_000, time.FixedZone("", 7200))
	for _, test := range []struct {
		vals []any
		want string
	}{
		{nil, "*"},
		{[]any{7}, "7"},
		{[]any{int32(7)}, "7"},
		{[]any{int64(-7)}, "-7"},
		{[]any{"7"}, "7"},
		{[]any{true}, "true"},
		{[]any{decimal.RequireFromString("1.50")}, "1.50"},
		{[]any{at}, "2025-06-02T07:00:00.123456Z"},
		{[]any{timeline.FromTime(at)}, "2025-06-02T07:00:00.123456Z"},
		{[]any{row.Days(0)}, "1970-01-01"},
		{[]any{[]byte("hi")}, "aGk="},
		{[]any{"a\"b", 7, false}, `["a\"b",7,false]`},
	} {
		if got, err := views.Key(test.vals...); err != nil || got != test.want {
			t.Errorf("Key(%v) = %q, %v, want %q", test.vals, got, err, test.want)
		}
	}
	if _, err := views.Key("a", uint8(7)); err == nil ||
		err.Error() != "making key: bad key: value 2 is a uint8, no type of a key column" {
		t.Errorf("a value of another type: %v", err)
	}
}
