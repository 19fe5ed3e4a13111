package arrow

import (
	"context"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/compress"
	"github.com/apache/arrow/go/v15/parquet/pqarrow"
)

const (
	// pageBytes is the size of Parquet data pages. In columns with nulls v15's cost for
	// a page grows with the square of its size: six columns cost 0.8 µs a row at 64 KB
	// and 1.5 µs at the default of 1 MB.
	pageBytes = 64 << 10
	// groupRows and groupBytes close a row group, which is kept in memory until then.
	// The bytes are counted after compression, at the end of a batch.
	groupRows  = 1 << 20
	groupBytes = 64 << 20
)

// WriteParquet writes the rows of rd to w as a Parquet file, compressed with zstd, with
// the Arrow schema and its metadata inside, and returns how many it wrote. On an error
// the file has no footer, so it cannot be opened. The caller still releases rd.
func WriteParquet(
	ctx context.Context, w io.Writer, rd *Reader, progress Progress,
) (rows int64, err error) {
	s := newSink(w)
	out, err := newParquet(s, rd)
	if err == nil {
		rows, err = drain(ctx, s, rd, out, progress)
	}
	if err != nil {
		return rows, fmt.Errorf("writing Parquet file: %w", err)
	}
	return rows, nil
}

// parquetFile puts batches into row groups. The library's panics become errors.
type parquetFile struct {
	w        *pqarrow.FileWriter
	rows     int64 // in the open row group
	maxRows  int64 // groupRows, unless a test says otherwise
	maxBytes int64 // groupBytes, likewise
}

func newParquet(s *sink, rd *Reader) (p *parquetFile, err error) {
	defer recovered(&err)
	// Not the caller's allocator: v15 forgets 256 bytes for each column of each row
	// group (the successor of a buffer it has just written), which only a collector
	// finds. Batches still come from the caller's.
	alloc := memory.NewGoAllocator()
	w, err := pqarrow.NewFileWriter(rd.schema, s,
		parquet.NewWriterProperties(
			parquet.WithAllocator(alloc),
			parquet.WithCompression(compress.Codecs.Zstd),
			parquet.WithDataPageSize(pageBytes),
			// Version 1 pages with nulls make v15 allocate the page's levels anew, and larger,
			// for each run of them, which doubles the cost, or worse beside a large heap.
			parquet.WithDataPageVersion(parquet.DataPageV2),
			parquet.WithMaxRowGroupLength(groupRows+int64(rd.batchRows)),
			parquet.WithCreatedBy("tideline"),
		),
		pqarrow.NewArrowWriterProperties(
			pqarrow.WithAllocator(alloc),
			pqarrow.WithStoreSchema(),
		))
	if err != nil {
		return nil, err
	}
	return &parquetFile{w: w, maxRows: groupRows, maxBytes: groupBytes}, nil
}

// Write adds a batch to the open row group, or to a new one if that is full.
func (p *parquetFile) Write(rec arrow.Record) (err error) {
	defer recovered(&err)
	if p.rows >= p.maxRows || p.w.RowGroupTotalCompressedBytes() >= p.maxBytes {
		p.w.NewBufferedRowGroup()
		p.rows = 0
	}
	p.rows += rec.NumRows()
	return p.w.WriteBuffered(rec)
}

// Close writes the open row group and the footer.
func (p *parquetFile) Close() (err error) {
	defer recovered(&err)
	return p.w.Close()
}

func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("encoding: the Parquet library gave up: %v", r)
	}
}
