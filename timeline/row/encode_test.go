package row

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"github.com/tideline/tideline/timeline"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the golden files")

// samples are the values whose bytes are frozen.
var samples = []Value{
	nil, int64(0), int64(-1), int64(300), int64(math.MaxInt64), int64(math.MinInt64),
	0.0, 1.5, -1.5, math.Inf(1), math.NaN(),
	decimal.New(0, -2), decimal.New(1050, -2), decimal.New(-1050, -2), decimal.New(-5, -3),
	decimal.RequireFromString("123456789012345678901234567890.12"),
	decimal.RequireFromString("-123456789012345678901234567890.12"),
	decimal.New(999999999999999999, 0), decimal.New(1000000000000000000, 0),
	"", "a", "a\x00b", "日本", false, true,
	timeline.Time(0), timeline.Time(-1), timeline.Time(1714564800123456),
	Days(0), Days(-1), Days(19844), []byte{}, []byte{0, 1, 255}, Document(`{"a":1}`),
}

// golden compares got with a file of testdata, which -rewrite replaces.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
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
		t.Errorf("%s: frozen encoding changed; got\n%swant\n%s", name, got, want)
	}
}

func TestGolden(t *testing.T) {
	var rows, keys strings.Builder
	for _, v := range samples {
		fmt.Fprintf(&rows, "%-14T %-40.40s %x\n", v, AppendJSON(nil, v), AppendRow(nil, Row{v}))
		fmt.Fprintf(&keys, "%-14T %-40.40s %x\n", v, AppendJSON(nil, v), AppendKey(nil, v))
	}
	golden(t, "rows.txt", rows.String())
	golden(t, "keys.txt", keys.String())
}

func TestRowRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		types := genTypes(t, 0, 6)
		r := Row(genVals(t, types, genNullable))
		b := AppendRow([]byte("x"), r)[1:]
		got, err := DecodeRow(b)
		if err != nil || len(got) != len(r) || compareVals(got, r) != 0 {
			t.Fatalf("%v came back as %v, %v", r, got, err)
		}
		if again := AppendRow(nil, got); !bytes.Equal(again, b) {
			t.Fatalf("%x encodes again as %x", b, again)
		}
		for i := range got {
			if got[i] != nil && kindOf(got[i]) != types[i].Kind {
				t.Fatalf("value %d came back as %T", i, got[i])
			}
		}
		for rest, i := b, 0; len(rest) > 0; i++ {
			n, err := Skip(rest)
			if err != nil || !bytes.Equal(rest[:n], AppendRow(nil, r[i:i+1])) {
				t.Fatalf("skipping value %d: %d, %v", i, n, err)
			}
			rest = rest[n:]
		}
	})
}

func TestRowBytesEqualExactlyWhenRowsAre(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		types := genTypes(t, 1, 3)
		a, b := genVals(t, types, genNullable), genVals(t, types, genNullable)
		same := bytes.Equal(AppendRow(nil, a), AppendRow(nil, b))
		if same != (compareVals(a, b) == 0) {
			t.Fatalf("%v and %v: bytes equal: %v", a, b, same)
		}
	})
}

func TestDecodeRowIntoLeavesEarlierValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		types := genTypes(t, 1, 4)
		var r Row
		var err error
		var kept [][]Value
		var want [][]byte
		for range rapid.IntRange(1, 5).Draw(t, "rows") {
			b := AppendRow(nil, genVals(t, types, genNullable))
			if r, err = DecodeRowInto(r, b); err != nil {
				t.Fatal(err)
			}
			kept, want = append(kept, append([]Value{}, r...)), append(want, bytes.Clone(b))
			clear(b) // the row must not share the input's memory
		}
		for i := range kept {
			if got := AppendRow(nil, kept[i]); !bytes.Equal(got, want[i]) {
				t.Fatalf("row %d became %v", i, kept[i])
			}
		}
	})
}

func TestDecodeRowRefuses(t *testing.T) {
	for name, b := range map[string]string{
		"unknown tag":           "\x7f",
		"no varint":             "\x01",
		"long varint":           "\x01\x80\x00",
		"short text":            "\x05\x03ab",
		"huge text":             "\x05\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		"short double":          "\x02\x00",
		"negative zero":         "\x02\x00\x00\x00\x00\x00\x00\x00\x80",
		"other NaN":             "\x02\x02\x00\x00\x00\x00\x00\xf8\x7f",
		"date out of range":     "\x09\x80\x80\x80\x80\x20",
		"huge scale":            "\x03\xff\xff\xff\xff\x0f\x02",
		"big decimal too small": "\x04\x00\x00\x01\x01",
	} {
		r, err := DecodeRow([]byte("\x01\x02" + b))
		if err == nil || !strings.HasPrefix(err.Error(), "decoding row: value 2 at byte 2 of") {
			t.Errorf("%s: got %v, %v", name, r, err)
		}
	}
}

func FuzzDecodeRow(f *testing.F) {
	for _, v := range samples {
		f.Add(AppendRow(nil, Row{v, int64(1)}))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeRow(b)
		if err != nil {
			return
		}
		if again := AppendRow(nil, r); !bytes.Equal(again, b) {
			t.Fatalf("%x decodes to %v, which encodes as %x", b, r, again)
		}
		for rest := b; len(rest) > 0; {
			n, err := Skip(rest)
			if err != nil || n > len(rest) {
				t.Fatalf("skipping in %x: %d, %v", rest, n, err)
			}
			rest = rest[n:]
		}
		AppendJSON(nil, KeyText(r))
	})
}

func FuzzSkip(f *testing.F) {
	f.Add([]byte{tagBigDec, 2, 0, 3, 1, 2, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, err := Skip(b); err == nil && (n < 1 || n > len(b)) {
			t.Fatalf("skipped %d of %d bytes", n, len(b))
		}
	})
}
