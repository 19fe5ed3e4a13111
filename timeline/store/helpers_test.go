package store

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/timeline/wire"
)

var bigintKey = []row.Type{{Kind: row.Bigint}}

func orderKey(text string) ([]byte, error) {
	vals, err := row.ParseKeyText(bigintKey, text)
	if err != nil {
		return nil, err
	}
	return row.AppendKey(nil, vals...), nil
}

func keyText(order []byte) (string, error) {
	vals, err := row.DecodeKey(order)
	if err != nil {
		return "", err
	}
	return row.KeyText(vals), nil
}

func options(dir string) Options {
	return Options{Dir: dir, Key: orderKey, Text: keyText}
}

func open(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func must(t interface{ Fatal(...any) }, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

func stamp(at timeline.Time, n uint64) timeline.Stamp { return timeline.Stamp{At: at, N: n} }

func record(st timeline.Stamp, body string) []byte {
	return wire.AppendVersion(nil, wire.Version{
		Stamp: st, Row: []byte(body), State: []byte("state of " + body),
	})
}

// removal is the record of a deleted row that no operator needs.
func removal(st timeline.Stamp) []byte {
	return wire.AppendVersion(nil, wire.Version{Stamp: st, Deleted: true})
}

func mark(at timeline.Time) []byte {
	return wire.AppendWatermark(nil, wire.Watermark{At: at, Sender: 0})
}

func show(v wire.Version) string {
	if v.Deleted {
		return fmt.Sprintf("%d.%d deleted %q", v.Stamp.At, v.Stamp.N, v.State)
	}
	return fmt.Sprintf("%d.%d %q %q", v.Stamp.At, v.Stamp.N, v.Row, v.State)
}

// copyDir is what a kill leaves: the files as they are, without a Close. A copy is
// no single moment; it is taken again if LevelDB tidied its files meanwhile.
func copyDir(from, to string) error {
	for {
		if err := os.RemoveAll(to); err != nil {
			return err
		}
		if err := os.MkdirAll(to, 0o755); err != nil {
			return err
		}
		before, err := listDir(from)
		if err != nil {
			return err
		}
		err = copyFiles(from, to)
		after, lerr := listDir(from)
		if lerr != nil {
			return lerr
		}
		if before == after {
			return err
		}
	}
}

func listDir(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var list strings.Builder
	for _, e := range entries {
		if e.Name() == "LOG" {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // removed since: the next listing differs
		}
		fmt.Fprintln(&list, e.Name(), info.Size(), info.ModTime())
	}
	return list.String(), nil
}

func copyFiles(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == "LOCK" {
			continue
		}
		if err := copyFile(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Close()
}
