package arrow

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet/file"

	"github.com/tideline/tideline/timeline/row"
)

var writers = map[string]writeFunc{
	".arrow": WriteIPCFile, ".arrows": WriteIPCStream, ".parquet": WriteParquet,
}

// varied gives n rows of a bigint and texts that do not compress to nothing, a
// tenth of them null.
func varied(n int) []row.Row {
	out := make([]row.Row, n)
	for i := range out {
		out[i] = row.Row{int64(i), strings.Repeat("x", i%7) + string(rune('a'+i*7%26)), int64(i) * 7919}
		if i%10 == 3 {
			out[i][1], out[i][2] = nil, nil
		}
	}
	return out
}

func variedSchema() row.Schema { return schemaOf("bigint", "text", "bigint") }

// TestProgress: the hook hears of every batch, with the rows so far.
func TestProgress(t *testing.T) {
	for name, write := range writers {
		var heard []int64
		rd := NewReader(context.Background(), checked(t), variedSchema(), testMeta(),
			&fake{rows: varied(10)}, 4)
		n, err := write(context.Background(), io.Discard, rd,
			func(rows int64) { heard = append(heard, rows) })
		rd.Release()
		if err != nil || n != 10 || !slices.Equal(heard, []int64{4, 8, 10}) {
			t.Errorf("%s: %d rows, %v, %v", name, n, heard, err)
		}
	}
}

// failing takes so many bytes and then fails, once: what comes later would be taken
// again, as by a full disk that somebody has just cleaned.
type failing struct {
	left   int
	failed bool
	after  int
}

var errFull = errors.New("no space left on device")

func (f *failing) Write(p []byte) (int, error) {
	if f.failed {
		f.after += len(p)
		return len(p), nil
	}
	if f.left -= len(p); f.left < 0 {
		f.failed = true
		return 0, errFull
	}
	return len(p), nil
}

// TestFullDisk: an output that fails at any point is an error, with the cause, and
// nothing is written after it, above all no footer.
func TestFullDisk(t *testing.T) {
	s, rows := variedSchema(), varied(60_000)
	for name, write := range writers {
		alloc := checked(t)
		size := written(t, write, s, rows)
		for _, left := range []int{0, 1, 5, size / 3, size / 2, size - 10, size - 1} {
			f := &fake{rows: rows}
			rd := NewEncodedReader(context.Background(), alloc, s, testMeta(), f, 1000)
			w := &failing{left: left}
			_, err := write(context.Background(), w, rd, nil)
			rd.Release()
			if !errors.Is(err, errFull) || w.after > 0 || f.closed != 1 {
				t.Errorf("%s, %d of %d bytes: %v, %d bytes after, closed %d times",
					name, left, size, err, w.after, f.closed)
			}
		}
	}
}

func written(t *testing.T, write writeFunc, s row.Schema, rows []row.Row) int {
	t.Helper()
	var buf bytes.Buffer
	rd := NewReader(context.Background(), checked(t), s, testMeta(), &fake{rows: rows}, 1000)
	defer rd.Release()
	if _, err := write(context.Background(), &buf, rd, nil); err != nil {
		t.Fatal(err)
	}
	return buf.Len()
}

// TestCutShort: rows that fail in the middle leave output that no reader takes for
// complete.
func TestCutShort(t *testing.T) {
	alloc := checked(t)
	for name, write := range writers {
		var buf bytes.Buffer
		f := &fake{rows: varied(100), failAt: 50}
		rd := NewReader(context.Background(), alloc, variedSchema(), testMeta(), f, 10)
		n, err := write(context.Background(), &buf, rd, nil)
		rd.Release()
		if !errors.Is(err, errFake) || n != 50 {
			t.Errorf("%s: %d rows, %v", name, n, err)
		}
		if complete(t, alloc, name, buf.Bytes()) {
			t.Errorf("%s: looks complete", name)
		}
	}
}

func complete(t *testing.T, alloc memory.Allocator, ext string, b []byte) bool {
	t.Helper()
	switch ext {
	case ".arrow":
		_, err := ipc.NewFileReader(bytes.NewReader(b), ipc.WithAllocator(alloc))
		return err == nil
	case ".parquet":
		_, err := file.NewParquetReader(bytes.NewReader(b))
		return err == nil
	}
	// Of a stream, every batch can be read; what tells is the end marker.
	return bytes.HasSuffix(b, []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})
}

// TestCancelledWrite: a writer's own context stops it too.
func TestCancelledWrite(t *testing.T) {
	for name, write := range writers {
		ctx, cancel := context.WithCancel(context.Background())
		f := &fake{rows: varied(100)}
		rd := NewReader(context.Background(), checked(t), variedSchema(), testMeta(), f, 10)
		n, err := write(ctx, io.Discard, rd, func(int64) { cancel() })
		rd.Release()
		if !errors.Is(err, context.Canceled) || n != 10 || f.closed != 1 {
			t.Errorf("%s: %d rows, closed %d times, %v", name, n, f.closed, err)
		}
	}
}

// TestWriteFile: the extension chooses the format, the file appears when complete, and
// an older one of that name is replaced.
func TestWriteFile(t *testing.T) {
	dir, alloc := t.TempDir(), checked(t)
	for ext := range writers {
		path := filepath.Join(dir, "export"+strings.ToUpper(ext))
		if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		rd := NewReader(context.Background(), alloc, variedSchema(), testMeta(),
			&fake{rows: varied(25)}, 10)
		n, err := WriteFile(context.Background(), path, rd, nil)
		rd.Release()
		b, readErr := os.ReadFile(path)
		if err != nil || readErr != nil || n != 25 || !complete(t, alloc, ext, b) {
			t.Errorf("%s: %d rows, %d bytes, %v, %v", ext, n, len(b), err, readErr)
		}
	}
	if names := list(t, dir); len(names) != len(writers) {
		t.Errorf("files left: %v", names)
	}
}

// TestWriteFileFails: an export that fails leaves no file, and an older one alone.
func TestWriteFileFails(t *testing.T) {
	for ext := range writers {
		dir := t.TempDir()
		path := filepath.Join(dir, "export"+ext)
		if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		rd := NewReader(context.Background(), checked(t), variedSchema(), testMeta(),
			&fake{rows: varied(100), failAt: 60}, 10)
		_, err := WriteFile(context.Background(), path, rd, nil)
		rd.Release()
		b, _ := os.ReadFile(path)
		if !errors.Is(err, errFake) || string(b) != "old" || len(list(t, dir)) != 1 {
			t.Errorf("%s: %v, file %q, left %v", ext, err, b, list(t, dir))
		}
	}
}

// TestWriteFilePaths: bad paths are refused before a row is read.
func TestWriteFilePaths(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{
		"export.csv":  "must be .arrow (IPC file), .arrows (IPC stream) or .parquet",
		"export":      "the extension must be",
		"no/x.arrow":  "no such file or directory",
		"dir.parquet": "completing export file",
	} {
		path = filepath.Join(dir, path)
		if strings.HasSuffix(path, "dir.parquet") {
			if err := os.MkdirAll(filepath.Join(path, "in"), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		rd := NewReader(context.Background(), checked(t), variedSchema(), testMeta(), &fake{}, 0)
		_, err := WriteFile(context.Background(), path, rd, nil)
		rd.Release()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
	if names := list(t, dir); len(names) != 1 {
		t.Errorf("files left: %v", names)
	}
	if CheckPath("x.parquet") != nil || CheckPath("x.json") == nil {
		t.Error("CheckPath is wrong")
	}
}

func list(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestRowGroups: many pages and row groups, closed by their rows or by their bytes, come
// back as they went in, nulls included.
func TestRowGroups(t *testing.T) {
	s, rows := variedSchema(), varied(70_000)
	for _, c := range []struct{ maxRows, maxBytes, least int64 }{
		{20_000, groupBytes, 4}, {groupRows, 100_000, 2},
	} {
		var buf bytes.Buffer
		rd := NewEncodedReader(context.Background(), checked(t), s, testMeta(),
			&fake{rows: rows}, 3000)
		defer rd.Release()
		out := newSink(&buf)
		p, err := newParquet(out, rd)
		if err != nil {
			t.Fatal(err)
		}
		p.maxRows, p.maxBytes = c.maxRows, c.maxBytes
		if _, err := drain(context.Background(), out, rd, p, nil); err != nil {
			t.Fatal(err)
		}
		f, err := file.NewParquetReader(bytes.NewReader(buf.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if int64(f.NumRowGroups()) < c.least || f.NumRows() != 70_000 {
			t.Errorf("%+v: %d row groups, %d rows", c, f.NumRowGroups(), f.NumRows())
		}
		got, err := readParquet(s, buf.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if err := sameRows(got, rows); err != nil {
			t.Error(err)
		}
	}
}
