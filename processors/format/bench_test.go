package format

import "testing"

func bench(b *testing.B, d Decoder, r Record) {
	b.Helper()
	b.SetBytes(int64(len(r.Value)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Decode(r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkJSON decodes a row of six columns and 130 bytes.
func BenchmarkJSON(b *testing.B) {
	d, _ := NewJSON(Options{Schema: mustSchema(1, "id bigint", "customer_id bigint", "status text",
		"total decimal(12,2)", "paid boolean", "placed_at timestamp(6)")})
	bench(b, d, Record{Key: []byte("1234567"), Timestamp: at, Value: []byte(`{"id":1234567,` +
		`"customer_id":987654,"status":"confirmed","total":1234.56,"paid":true,` +
		`"placed_at":"2026-01-02T03:04:05.123456Z"}`)})
}

func benchRecorded(b *testing.B, name string) {
	b.Helper()
	def := tables["shop.inventory.orders"]
	d, _ := NewDebezium(Options{Schema: mustSchema(def.keys, def.cols...)})
	for n, line := range recording(b, name) {
		if line.Topic == "shop.inventory.orders" {
			bench(b, d, line.record(n))
			return
		}
	}
	b.Fatal("no such topic")
}

func BenchmarkDebezium(b *testing.B)         { benchRecorded(b, "pg-plain") }
func BenchmarkDebeziumEmbedded(b *testing.B) { benchRecorded(b, "pg-schema") }
