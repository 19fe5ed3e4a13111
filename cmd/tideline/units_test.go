package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/row"
)

func TestPrefixRange(t *testing.T) {
	s := row.Schema{
		Columns: []row.Column{
			{Name: "a", Type: row.Type{Kind: row.Bigint}}, {Name: "b", Type: row.Type{Kind: row.Text}},
		},
		Key: []int{0, 1},
	}
	for _, c := range []struct{ prefix, want string }{
		{"", "[] [] []"},
		{"5", "[5] [] []"},
		{"[5]", "[5] [] []"},
		{`[5,"ab"]`, "[] [5 ab] [5 ac]"},
		{`[5,""]`, "[5] [] []"},
		{`[5,"a","b"]`, "--prefix has 3 columns, the view's key only 2"},
		{`[5,`, "--prefix: want a JSON array"},
		{`x`, "--prefix: "},
	} {
		r, err := prefixRange(s, c.prefix)
		got := fmt.Sprint(r.Prefix, r.From, r.To)
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: got %s, want %s", c.prefix, got, c.want)
		}
	}
}

// successor is right exactly if a text begins with s when it lies between the two.
func TestSuccessor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.RuneFrom([]rune{0, 'a', 'b', 0x10FFFF}), 1, 3, -1)
		s, x := text.Draw(t, "prefix"), text.Draw(t, "text")
		end := successor(s)
		if inside := x >= s && (end == "" || x < end); inside != strings.HasPrefix(x, s) {
			t.Errorf("%q in [%q,%q) is %v", x, s, end, inside)
		}
	})
	if successor("\xff\xff") != "" {
		t.Error("nothing comes after all texts")
	}
}

func TestTexts(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{string(appendMillis(nil, 1700000000000000)), "1700000000000"},
		{string(appendMillis(nil, 1700000000000120)), "1700000000000.12"},
		{string(appendMillis(nil, 7)), "0.007"},
		{string(appendMillis(nil, -1500)), "-1.5"},
		{digits(0), "0"}, {digits(-1234), "-1,234"}, {digits(123), "123"}, {digits(1234567), "1,234,567"},
		{count(1, "row"), "1 row"}, {count(0, "row"), "0 rows"},
		{size(1), "1 byte"}, {size(2048), "2.0 KiB"}, {size(3 << 20), "3.0 MiB"},
		{text(nil), "null"}, {text("x\""), "x\""}, {text(int64(5)), "5"}, {text(true), "true"},
		{text(timeline.Time(0)), "1970-01-01T00:00:00Z"}, {text(row.Document(`{"a":1}`)), `{"a":1}`},
		{orNone(timeline.MinTime), "none yet"}, {behind(timeline.MinTime), "all"},
		{behind(timeline.FromTime(time.Now().Add(time.Hour))), "0s"},
		{behind(timeline.FromTime(time.Now().Add(-72*time.Hour - time.Minute))), "3 days"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestParseSize(t *testing.T) {
	for in, want := range map[string]int64{
		"1": 1, "64MiB": 64 << 20, "2GB": 2e9, "1KiB": 1024,
		"": 0, "MiB": 0, "-1": 0, "1.5GiB": 0, "9999999999GiB": 0, "5TB": 0,
	} {
		got, err := parseSize(in)
		if got != want || (err != nil) != (want == 0) {
			t.Errorf("%q: %d, %v; want %d", in, got, err, want)
		}
	}
}

func TestFlatten(t *testing.T) {
	a, b, c := errors.New("a"), errors.New("b"), errors.New("c")
	got := fmt.Sprint(flatten(errors.Join(a, errors.Join(b, c))))
	if got != "[a b c]" || flatten(nil) != nil || len(flatten(fmt.Errorf("x: %w", a))) != 1 {
		t.Errorf("got %s", got)
	}
}
