package records

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func show(l Line) string {
	if l.WaitWatermark != nil {
		return fmt.Sprintf("wait %d", *l.WaitWatermark)
	}
	partition, key, value, ts := "?", "none", "null", "now"
	if l.Partition != nil {
		partition = fmt.Sprint(*l.Partition)
	}
	if l.Key != nil {
		key = fmt.Sprintf("%q", *l.Key)
	}
	if l.Value != nil {
		value = fmt.Sprintf("%q", l.Value)
	}
	if l.TS != nil {
		ts = fmt.Sprint(*l.TS)
	}
	return fmt.Sprintf("%s/%s %s=%s @%s %q", l.Topic, partition, key, value, ts, l.Headers)
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`{"topic":"t","partition":2,"key":"1","value":{"a": 1.50, "b":12345678901234567890},` +
			`"ts":17,"headers":{"z":"1","a":"2"}}`,
			"t/2 \"1\"=\"{\\\"a\\\":1.50,\\\"b\\\":12345678901234567890}\" " +
				"@17 [[\"z\" \"1\"] [\"a\" \"2\"]]"},
		{`{"topic":"t","key":{"id": 7},"value":null}`, `t/? "{\"id\":7}"=null @now []`},
		{`{"topic":"t","key":["a", 2],"value":"text"}`, `t/? "[\"a\",2]"="text" @now []`},
		{`{"topic":"t","key":null,"value":"","ts":null,"partition":null}`, `t/? none="" @now []`},
		{`{"topic":"t","key":"","value":"{\"x\": 1}"}`, `t/? ""="{\"x\": 1}" @now []`},
		{`{"value":"\u0000ä<"}`, `/? none="\x00ä<" @now []`},
		{`{"topic":"t","value":1,"headers":[{"key":"h","value":"x"},{"key":"h","value":null}]}`,
			`t/? none="1" @now [["h" "x"] ["h" ""]]`},
		{`{"wait_watermark":1700000454790}`, `wait 1700000454790`},
		{`{"topic":"t","value":null,"unknown":1}`, `t/? none=null @now []`},
	} {
		l, err := Parse([]byte(c.in))
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
		} else if got := show(l); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.in, got, c.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`{"topic":"t","vlaue":{}}`, `"value" is missing; write null`},
		{`{"topic":"t","value":{}`, `not JSON at byte`},
		{`[1]`, `want a JSON object`},
		{`{"topic":1,"value":null}`, `member "topic" is a JSON number; want a string`},
		{`{"topic":"t","partition":-1,"value":null}`, `partition -1: want 0 or more`},
		{`{"topic":"t","partition":"1","value":null}`, `"partition" is a JSON string; want a whole`},
		{`{"topic":"t","ts":1.5,"value":null}`, `"ts" is a JSON number 1.5; want a whole number of mill`},
		{`{"topic":"t","value":null,"headers":"x"}`, `headers: want {"name"`},
		{`{"topic":"t","value":null,"headers":[{"value":"x"}]}`, `header 1 has no "key"`},
		{`{"topic":"t","value":null,"wait_watermark":1}`, `holds nothing else`},
	} {
		if _, err := Parse([]byte(c.in)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %q", c.in, err, c.want)
		}
	}
}

// R4, and blank lines count as lines.
func TestReadStopsAtTheFirstBadLine(t *testing.T) {
	in := "{\"value\":1}\n\n{\"value\":2}\n{oops}\n{\"value\":3}\n"
	var seen []string
	err := Read(strings.NewReader(in), func(n int, l Line) error {
		seen = append(seen, fmt.Sprintf("%d:%s", n, l.Value))
		return nil
	})
	if got := strings.Join(seen, " "); got != "1:1 3:2" {
		t.Errorf("seen %s", got)
	}
	if err == nil || !strings.HasPrefix(err.Error(), "line 4: ") {
		t.Errorf("error %v does not name line 4", err)
	}
	stop := errors.New("enough")
	err = Read(strings.NewReader(in), func(int, Line) error { return stop })
	if !errors.Is(err, stop) {
		t.Errorf("error %v hides the callback's", err)
	}
}

func TestOpenTellsGzipByContent(t *testing.T) {
	long := `{"value":"` + strings.Repeat("x", 1<<20) + `"}` // no limit on a line
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	fmt.Fprintln(z, long)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"plain.gz": []byte(long), "zipped.jsonl": zipped.Bytes(), "empty": nil,
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := 0
		err = Read(f, func(_ int, l Line) error {
			lines++
			if len(l.Value) != 1<<20 {
				t.Errorf("%s: value of %d bytes", name, len(l.Value))
			}
			return nil
		})
		if err != nil || f.Close() != nil || (lines == 1) == (content == nil) {
			t.Errorf("%s: %d lines, %v", name, lines, err)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

func TestReadNamesTheLineOfATornFile(t *testing.T) {
	r := io.MultiReader(strings.NewReader("{\"value\":1}\n{\"val"), broken{})
	err := Read(r, func(int, Line) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "line 2: torn") {
		t.Errorf("got %v", err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("torn") }

// No bytes make Parse panic, and a string survives as it is.
func TestParseProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		_, _ = Parse(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
		key := rapid.String().Draw(t, "key")
		l, err := Parse([]byte(fmt.Sprintf(`{"key":%s,"value":null}`, quote(key))))
		if err != nil || l.Key == nil || *l.Key != strings.ToValidUTF8(key, "\uFFFD") {
			t.Fatalf("key %q became %v, %v", key, l.Key, err)
		}
	})
}

func quote(s string) string {
	var b bytes.Buffer
	b.WriteByte('"')
	for _, r := range s {
		if r < 0x20 || r == '"' || r == '\\' || r == 0x7f {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	b.WriteByte('"')
	return b.String()
}
