package format

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/timeline/wire"
)

// recorded is one line of a recording.
type recorded struct {
	Topic string
	Key   json.RawMessage
	Value json.RawMessage
	TS    int64
}

func recording(t testing.TB, name string) []recorded {
	t.Helper()
	f, err := os.Open("testdata/" + name + ".jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var out []recorded
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r recorded
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func (r recorded) record(offset int) Record {
	null := func(b []byte) []byte {
		if string(b) == "null" {
			return nil
		}
		return b
	}
	return Record{Topic: r.Topic, Offset: int64(offset), Key: null(r.Key), Value: null(r.Value),
		Timestamp: timeline.FromMillis(r.TS)}
}

// tables are schemas that fit the recorded tables: the key columns' count, then columns.
var tables = map[string]struct {
	keys int
	cols []string
}{
	"shop.inventory.orders": {1, []string{"id bigint", "customer_id bigint", "total decimal(10,2)",
		"status text", "placed timestamp", "d date", "t bigint"}},
	"shop.inventory.line_items": {2, []string{"order_id bigint", "line bigint", "sku text",
		"qty bigint"}},
	"shop.inventory.customers": {1, []string{"id bigint", "first_name text", "last_name text",
		"email text", "created timestamp", "balance decimal(12,2)", "tags json", "attrs json"}},
	"shop.inventory.types": {1, []string{"id bigint", "b boolean", "i2 bigint", "i8 bigint",
		"r double", "n decimal", "m decimal(10,2)", "u text", "ip text", "iv bigint", "by bytes",
		"j json", "ts bigint", "tstz text", "e text", "pt json", "arr json", "hs bytes"}},
	"shop.inventory.outbox": {1, []string{"id text", "aggregatetype text", "aggregateid text",
		"type text", "payload json"}},
	"shop.inventory.dbz_signal": {1, []string{"id text", "type text", "data text"}},
	"mshop.inv.customers": {1, []string{"id bigint", "name text", "email text", "created timestamp",
		"balance decimal(12,2)", "u bigint", "e text", "j json"}},
	"mshop.inv.orders": {1, []string{"id bigint", "customer_id bigint", "total decimal(10,2)",
		"placed timestamp", "note text"}},
}

// replay decodes a recording as the merge would apply it: a smaller position is a repeat.
func replay(t *testing.T, name string) (map[string]string, int) {
	state, repeats := map[string]string{}, 0
	decoders, schemas := map[string]Decoder{}, map[string]row.Schema{}
	greatest := map[string]int64{}
	for n, line := range recording(t, name) {
		def, ok := tables[line.Topic]
		if !ok {
			continue
		}
		if decoders[line.Topic] == nil {
			s := mustSchema(def.keys, def.cols...)
			d, err := NewDebezium(Options{Schema: s})
			if err != nil {
				t.Fatal(err)
			}
			decoders[line.Topic], schemas[line.Topic] = d, s
		}
		ch, err := decoders[line.Topic].Decode(line.record(n))
		if err != nil {
			t.Fatalf("line %d of %s: %v", n+1, line.Topic, err)
		}
		if ch.HasPosition {
			if ch.Position < greatest[line.Topic] {
				repeats++
				continue
			}
			greatest[line.Topic] = ch.Position
		}
		id := line.Topic + " " + row.KeyText(ch.Key)
		switch ch.Kind {
		case Upsert:
			state[id] = string(row.AppendRowJSON(nil, schemas[line.Topic].Columns, ch.Row,
				func(int) bool { return false }))
		case Delete:
			delete(state, id)
		}
	}
	return state, repeats
}

// naive replays the raw JSON with nothing of the package: the last envelope of a key.
func naive(t *testing.T, name string) map[string]string {
	type object = map[string]any
	state := map[string]string{}
	parse := func(b []byte) object {
		var o object
		dec := json.NewDecoder(bytes.NewReader(b))
		dec.UseNumber()
		if err := dec.Decode(&o); err != nil {
			t.Fatal(err)
		}
		if p, ok := o["payload"].(object); ok && o["schema"] != nil {
			return p
		}
		return o
	}
	for _, line := range recording(t, name) {
		def, ok := tables[line.Topic]
		if !ok || string(line.Value) == "null" {
			continue
		}
		key, value := parse(line.Key), parse(line.Value)
		var parts []string
		for _, c := range def.cols[:def.keys] {
			parts = append(parts, fmt.Sprint(key[strings.Fields(c)[0]]))
		}
		id := line.Topic + " " + strings.Join(parts, ",")
		if def.keys > 1 {
			id = line.Topic + " [" + strings.Join(parts, ",") + "]"
		}
		if value["op"] == "d" {
			delete(state, id)
			continue
		}
		after := value["after"].(object)
		var fields []string
		for _, c := range def.cols {
			col, typ, _ := strings.Cut(c, " ")
			fields = append(fields, fmt.Sprintf("%q:%s", col, naiveValue(t, typ, after[col])))
		}
		state[id] = "{" + strings.Join(fields, ",") + "}"
	}
	return state
}

func naiveValue(t *testing.T, typ string, v any) string {
	s, _ := v.(string)
	n, _ := v.(json.Number)
	i, _ := n.Int64()
	switch {
	case v == nil:
		return "null"
	case strings.HasPrefix(typ, "decimal"):
		scale := int64(2)
		if o, ok := v.(map[string]any); ok {
			s = o["value"].(string)
			scale, _ = o["scale"].(json.Number).Int64()
		}
		raw, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		x := new(big.Int).SetBytes(raw)
		if raw[0] > 127 {
			x.Sub(x, new(big.Int).Exp(big.NewInt(256), big.NewInt(int64(len(raw))), nil))
		}
		den := new(big.Int).Exp(big.NewInt(10), big.NewInt(scale), nil)
		text := new(big.Rat).SetFrac(x, den).FloatString(int(scale))
		if typ == "decimal" {
			text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
		}
		return text
	case typ == "timestamp" && s == "":
		return `"` + time.UnixMilli(i).UTC().Format(time.RFC3339Nano) + `"`
	case typ == "timestamp":
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return `"` + at.UTC().Format(time.RFC3339Nano) + `"`
	case typ == "date":
		return `"` + time.Unix(i*86400, 0).UTC().Format(time.DateOnly) + `"`
	case typ == "json" && s != "":
		var b bytes.Buffer
		if err := json.Compact(&b, []byte(s)); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// canonical makes JSON texts comparable: fields in order, numbers as written.
func canonical(t *testing.T, text string) string {
	var v any
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	b, _ := json.Marshal(v)
	return string(b)
}

// TestRecordings: the decoded tables equal the naive ones. The crash repeats 36 changes,
// three of them of the last transaction, which tie with what they repeat.
func TestRecordings(t *testing.T) {
	for name, repeats := range map[string]int{
		"pg-plain": 0, "pg-schema": 0, "pg-crash-restart": 33, "mariadb-plain": 0, "mariadb-schema": 0,
	} {
		t.Run(name, func(t *testing.T) {
			got, dropped := replay(t, name)
			want := naive(t, name)
			if len(want) == 0 || dropped != repeats {
				t.Errorf("%d rows, %d repeats, want %d", len(want), dropped, repeats)
			}
			for id := range want {
				if got[id] == "" || canonical(t, got[id]) != canonical(t, want[id]) {
					t.Errorf("%s\ngot  %s\nwant %s", id, got[id], want[id])
				}
			}
			for id := range got {
				if _, ok := want[id]; !ok {
					t.Errorf("%s should not be there", id)
				}
			}
		})
	}
}

// TestRecordedPlaceholder: with the column bio declared, exactly the two updates that left
// it unchanged are refused.
func TestRecordedPlaceholder(t *testing.T) {
	for _, name := range []string{"pg-plain", "pg-schema"} {
		d, _ := NewDebezium(Options{Schema: mustSchema(1, "id bigint", "bio text")})
		refused := 0
		for n, line := range recording(t, name) {
			if line.Topic != "shop.inventory.customers" {
				continue
			}
			_, err := d.Decode(line.record(n))
			var e *Error
			if errors.As(err, &e) && e.Reason == wire.Undecodable && e.Column == "bio" {
				refused++
			} else if err != nil {
				t.Error(err)
			}
		}
		if refused != 2 {
			t.Errorf("%s: %d refused, want 2", name, refused)
		}
	}
}

// TestRecordedOthers: what is no change of a row is ignored or refused by name.
func TestRecordedOthers(t *testing.T) {
	want := map[string]string{
		"shop.transaction": "ignore$", "mshop.transaction": "ignore$", "shop.message": "ignore$",
		"mshop": "undecodable [] the value is no Debezium envelope",
	}
	s := mustSchema(1, "id bigint")
	for _, name := range []string{"pg-plain", "pg-schema", "mariadb-plain", "mariadb-schema"} {
		d, _ := NewDebezium(Options{Schema: s})
		for n, line := range recording(t, name) {
			w := want[line.Topic]
			if line.Topic == "shop.inventory.nopk" {
				w = "no-key []"
				if bytes.Contains(line.Value, []byte(`"op":"t"`)) {
					w = "unsupported [] the source table was truncated"
				}
			}
			if w != "" {
				ch, err := d.Decode(line.record(n))
				expect(t, outcome(s, ch, err), w)
			}
		}
	}
	d, _ := NewDebezium(Options{Schema: s})
	for n, line := range recording(t, "pg-flat") {
		if line.Topic == "shop.inventory.orders" && string(line.Value) != "null" {
			ch, err := d.Decode(line.record(n))
			expect(t, outcome(s, ch, err), "undecodable [] the value is no Debezium envelope")
		}
	}
}
