package arrow

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/tideline/tideline/timeline/row"
)

var rewrite = flag.Bool("rewrite", false, "rewrite golden files")

// TestSchemaGolden holds every type's mapping, nullability and metadata, as text.
func TestSchemaGolden(t *testing.T) {
	s := schemaOf(append(append([]string{}, allTypes...), "timestamp")...)
	s.Key = []int{9, 0} // in key order, which is not column order
	got := describe(Schema(s, testMeta()))
	path := filepath.Join("testdata", "schema.golden")
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("schema changed (go test -run Golden -rewrite, if meant):\n%s", got)
	}
}

func describe(s *arrow.Schema) string {
	var b strings.Builder
	for _, f := range s.Fields() {
		null := "null"
		if !f.Nullable {
			null = "not null"
		}
		fmt.Fprintf(&b, "%s: %v, %s, %v\n", f.Name, f.Type, null, f.Metadata)
	}
	m := s.Metadata()
	for i, k := range m.Keys() {
		fmt.Fprintf(&b, "%s = %s\n", k, m.Values()[i])
	}
	return b.String()
}

// TestSchemaWithoutKey: a view of one global row has an empty key, not a missing one.
func TestSchemaWithoutKey(t *testing.T) {
	s := row.Schema{Columns: []row.Column{{Name: "n", Type: mustType("bigint")}}}
	schema := Schema(s, testMeta())
	if i := schema.Metadata().FindKey(KeyKey); schema.Metadata().Values()[i] != "[]" {
		t.Errorf("key is %s", schema.Metadata().Values()[i])
	}
	if !schema.Field(0).Nullable {
		t.Error("a column outside the key must be nullable")
	}
}
