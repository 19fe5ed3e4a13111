package records

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
)

// Open opens a file of lines, plain or gzipped: its first bytes tell, not its name.
func Open(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening records: %w", err)
	}
	r, err := Unzip(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("opening records %s: %w", path, err)
	}
	return struct {
		io.Reader
		io.Closer
	}{r, f}, nil
}

// Unzip returns what r holds, unpacked if it begins like a gzip file.
func Unzip(r io.Reader) (io.Reader, error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	if magic, _ := buffered.Peek(2); !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return buffered, nil
	}
	z, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, fmt.Errorf("unpacking gzip: %w", err)
	}
	return z, nil
}

// lines splits a reader at line ends, without a limit on a line's length.
type lines struct {
	r *bufio.Reader
	n int // number of the line returned last, from 1
}

func newLines(r io.Reader) *lines { return &lines{r: bufio.NewReaderSize(r, 64<<10)} }

// next returns the next line that is not blank, io.EOF after the last.
func (l *lines) next() ([]byte, error) {
	for {
		raw, err := l.r.ReadBytes('\n')
		if len(raw) == 0 && err != nil {
			if err != io.EOF {
				l.n++ // the line that could not be read
			}
			return nil, err
		}
		l.n++
		if err != nil && err != io.EOF {
			return nil, err
		}
		if raw = bytes.TrimSpace(raw); len(raw) > 0 {
			return raw, nil
		}
	}
}
