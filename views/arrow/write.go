package arrow

import (
	"context"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/ipc"
)

// Progress is called after each batch with the number of rows written so far; nil is
// fine. It is called from the writing goroutine, so it should be quick.
type Progress func(rows int64)

// WriteIPCStream writes the rows of rd to w as an Arrow IPC stream, uncompressed, and
// returns how many it wrote. On an error, of rd, of w or of ctx, the stream has no end
// marker. The caller still releases rd.
func WriteIPCStream(
	ctx context.Context, w io.Writer, rd *Reader, progress Progress,
) (rows int64, err error) {
	s := newSink(w)
	out := ipc.NewWriter(s, ipc.WithSchema(rd.schema), ipc.WithAllocator(rd.alloc))
	rows, err = drain(ctx, s, rd, out, progress)
	if err != nil {
		return rows, fmt.Errorf("writing Arrow stream: %w", err)
	}
	return rows, nil
}

// WriteIPCFile is WriteIPCStream for the Arrow IPC file format (also known as
// Feather). On an error the file has no footer, so it cannot be opened.
func WriteIPCFile(
	ctx context.Context, w io.Writer, rd *Reader, progress Progress,
) (rows int64, err error) {
	s := newSink(w)
	out, err := ipc.NewFileWriter(s, ipc.WithSchema(rd.schema), ipc.WithAllocator(rd.alloc))
	if err == nil {
		rows, err = drain(ctx, s, rd, out, progress)
	}
	if err != nil {
		return rows, fmt.Errorf("writing Arrow file: %w", err)
	}
	return rows, nil
}

// format is one of the library's writers.
type format interface {
	Write(rec arrow.Record) error
	Close() error
}

// drain writes every batch of rd to out, which writes to s, and closes out. What
// stops it makes s fail first, so that closing cannot make the rest look complete.
func drain(
	ctx context.Context, s *sink, rd *Reader, out format, progress Progress,
) (rows int64, err error) {
	for s.err == nil && rd.Next() {
		if ctx.Err() != nil {
			s.fail(context.Cause(ctx))
			break
		}
		rec := rd.Record()
		if err := out.Write(rec); err != nil {
			s.fail(err)
			break
		}
		if s.err != nil {
			break
		}
		rows += rec.NumRows()
		if progress != nil {
			progress(rows)
		}
	}
	if rd.Err() != nil {
		s.fail(rd.Err())
	}
	if err := out.Close(); err != nil {
		s.fail(err)
	}
	return rows, s.flush()
}
