package arrow

import (
	"bufio"
	"errors"
	"io"
)

// sinkBuffer gathers the small writes of the formats (padding, page headers).
const sinkBuffer = 256 << 10

// sink is what the Arrow library writes to. It never shows the library an error:
// v15 panics on some, drops others (those of closing a row group), and keeps its
// buffers after most. It remembers the first error instead and lets what follows
// go nowhere, so that the library closes in order and the caller asks err.
type sink struct {
	w   *bufio.Writer
	pos int64
	err error
}

func newSink(w io.Writer) *sink {
	return &sink{w: bufio.NewWriterSize(w, sinkBuffer)}
}

// Write takes p, or drops it if the sink has failed.
func (s *sink) Write(p []byte) (int, error) {
	s.pos += int64(len(p))
	if s.err == nil {
		_, s.err = s.w.Write(p)
	}
	return len(p), nil
}

// Seek tells the position, which is all that the IPC file writer asks of a seeker;
// so files can go to anything that can be written.
func (s *sink) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekCurrent {
		return 0, errors.New("seeking in an output that only grows")
	}
	return s.pos, nil
}

// fail makes the sink drop all that follows, such as a footer.
func (s *sink) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// flush writes out what is buffered and returns the first error.
func (s *sink) flush() error {
	if s.err == nil {
		s.err = s.w.Flush()
	}
	return s.err
}
