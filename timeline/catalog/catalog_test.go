package catalog

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tideline/tideline/timeline/row"
)

func example() *Catalog {
	return &Catalog{
		Pipeline: "till", Version: "3f2a9c01",
		Views: []View{{
			Name: "bills", SQL: "SELECT id, day, total FROM sales", Table: "till.bills.3f2a9c01-table",
			Partitions: 4, Key: []string{"day", "id"}, Retention: 36 * time.Hour,
			Columns: []Column{{"id", "bigint"}, {"day", "date"}, {"total", "decimal(12,2)"}},
			Indexes: [][]string{{"total"}},
		}, {
			Name: "rows", SQL: "SELECT count(*) AS n FROM sales", Table: "till.rows-table",
			Partitions: 1, Columns: []Column{{"n", "bigint"}}, Key: []string{},
		}},
		Streams: []Stream{{Name: "sales", Topic: "pos.sales", Lateness: 2 * time.Second}},
		Stages: []Stage{
			{Name: "sales", Group: "till.sales", Partitions: 2, Inputs: []string{"pos.sales"},
				Exchange: "till.sales-exchange"},
			{Name: "bills", Group: "till.bills", Partitions: 4,
				Inputs: []string{"till.sales-exchange"}, View: "bills"},
		},
	}
}

// Readers of other releases know the record by these bytes.
func TestGolden(t *testing.T) {
	got, err := example().Encode()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "catalog.json")
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var wide bytes.Buffer
	if err := json.Indent(&wide, got, "", "  "); err != nil {
		t.Fatal(err)
	}
	wide.WriteByte('\n')
	if wide.String() != string(want) {
		t.Fatalf("the record's form has changed: %s holds\n%s\nnow it is\n%s", path, want, &wide)
	}
	c, err := Decode(want)
	if err != nil {
		t.Fatal(err)
	}
	e := example()
	e.Format = format
	if !reflect.DeepEqual(c, e) {
		t.Fatalf("it reads back as\n%+v\nnot as\n%+v", c, e)
	}
}

func TestRoundTrip(t *testing.T) {
	names := rapid.SliceOfN(rapid.String(), 1, 3)
	views := rapid.Custom(func(t *rapid.T) View {
		return View{
			Name: rapid.String().Draw(t, "name"), SQL: rapid.String().Draw(t, "sql"),
			Table:      rapid.String().Draw(t, "table"),
			Partitions: rapid.IntRange(1, 1000).Draw(t, "partitions"),
			Key:        names.Draw(t, "key"),
			Columns: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Column {
				return Column{rapid.String().Draw(t, "name"), rapid.String().Draw(t, "type")}
			}), 1, 3).Draw(t, "columns"),
			Retention: time.Duration(rapid.Int64().Draw(t, "retention")),
			Indexes:   rapid.SliceOfN(names, 1, 2).Draw(t, "indexes"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		want := example()
		want.Views = rapid.SliceOfN(views, 1, 3).Draw(t, "views")
		b, err := want.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v\ncame back as\n%+v", want, got)
		}
	})
}

// A record of another release is told apart from a damaged one, whatever else that
// release has changed.
func TestUnknownFormat(t *testing.T) {
	for text, want := range map[string]string{
		`{"format":2,"pipeline":"p"}`:                   "format 2 is not known here, only 1",
		`{"format":7,"pipeline":["p"],"views":{"a":1}}`: "format 7 is not known here, only 1",
		`{}`:                        "format 0 is not known here, only 1",
		``:                          "decoding catalog: ",
		`[]`:                        "decoding catalog: ",
		`{"format":1,"views":true}`: "decoding catalog: ",
	} {
		_, err := Decode([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Decode(%s): %v, want %s", text, err, want)
		}
	}
}

func TestViewsByName(t *testing.T) {
	c := example()
	if v, ok := c.View("BILLS"); !ok || v != &c.Views[0] {
		t.Errorf("View(BILLS) = %v, %v", v, ok)
	}
	if v, ok := c.View("bill"); ok {
		t.Errorf("View(bill) = %v", v)
	}
	if got := c.ViewNames(); !slices.Equal(got, []string{"bills", "rows"}) {
		t.Errorf("ViewNames = %v", got)
	}
	if Topic("till") != "till.catalog" || DeadLetterTopic("till") != "till.dead-letters" {
		t.Errorf("topics %s and %s", Topic("till"), DeadLetterTopic("till"))
	}
}

func TestSchema(t *testing.T) {
	s, err := example().Views[0].Schema()
	if err != nil {
		t.Fatal(err)
	}
	kinds := []row.Kind{row.Bigint, row.Date, row.Decimal}
	for i, k := range kinds {
		if s.Columns[i].Type.Kind != k {
			t.Errorf("column %d is %v, want %v", i, s.Columns[i].Type, k)
		}
	}
	if !slices.Equal(s.Key, []int{1, 0}) {
		t.Errorf("key %v, want day, id", s.Key)
	}
	if types := KeyTypes(s); types[0].Kind != row.Date || types[1].Kind != row.Bigint {
		t.Errorf("key types %v", types)
	}
	for want, v := range map[string]View{
		"column a of view v":        {Name: "v", Columns: []Column{{Name: "a", Type: "number"}}},
		"key column b is not among": {Name: "v", Columns: []Column{{Name: "a", Type: "text"}}, Key: []string{"b"}},
	} {
		if _, err := v.Schema(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("schema of %+v: %v, want %s", v, err, want)
		}
	}
}

// A replica and a stage must order keys alike, and find the record key again.
func TestKeyOrder(t *testing.T) {
	bigint, text := row.Type{Kind: row.Bigint}, row.Type{Kind: row.Text}
	for _, types := range [][]row.Type{nil, {bigint}, {text}, {bigint, text}, {text, bigint}} {
		order, back := KeyOrder(types)
		rapid.Check(t, func(t *rapid.T) {
			var keys [2]string
			var bytesOf [2][]byte
			var vals [2][]row.Value
			for i := range keys {
				for _, typ := range types {
					if typ.Kind == row.Bigint {
						vals[i] = append(vals[i], rapid.Int64().Draw(t, "n"))
					} else {
						vals[i] = append(vals[i], rapid.String().Draw(t, "s"))
					}
				}
				keys[i] = row.KeyText(vals[i])
				b, err := order(keys[i])
				if err != nil {
					t.Fatal(err)
				}
				if got, err := back(b); err != nil || got != keys[i] {
					t.Fatalf("key %q comes back as %q, %v", keys[i], got, err)
				}
				bytesOf[i] = b
			}
			want := slices.CompareFunc(vals[0], vals[1], row.Compare)
			if got := bytes.Compare(bytesOf[0], bytesOf[1]); got != want {
				t.Fatalf("%q and %q order as %d, want %d", keys[0], keys[1], got, want)
			}
		})
		if _, err := back([]byte{0xFE}); err == nil {
			t.Error("bytes that no key has are read as one")
		}
	}
	order, _ := KeyOrder([]row.Type{bigint})
	if _, err := order("seven"); err == nil {
		t.Error("a text is taken for a bigint key")
	}
}
