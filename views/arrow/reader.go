package arrow

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/tideline/tideline/timeline/row"
)

const (
	// defaultBatchRows is the size of a batch when the caller names none.
	defaultBatchRows = 64 << 10
	// firstReserve bounds what is set aside for the first batch, so that reading a
	// small view costs little; later batches are sized at once.
	firstReserve = 1 << 10
	// maxBatchBytes closes a batch early when its rows are wide. It keeps memory
	// bounded and is far below the 2 GB that a batch's 32-bit text offsets can reach.
	maxBatchBytes = 32 << 20
	// rowsPerCheck is how many rows may pass before the context is looked at again.
	rowsPerCheck = 1 << 10
)

// Rows gives the rows of a view at one instant, one after the other.
type Rows interface {
	// Next returns the next row, or false after the last one. The row is valid
	// until the next call.
	Next() (row.Row, bool, error)
	// Close frees what the rows hold. The Reader calls it exactly once.
	Close() error
}

// EncodedRows gives the rows of a view at one instant in the encoding of
// row.AppendRow, as the store keeps them.
type EncodedRows interface {
	// NextEncoded returns the next row's bytes, or false after the last one. The
	// bytes are valid until the next call.
	NextEncoded() ([]byte, bool, error)
	// Close frees what the rows hold. The Reader calls it exactly once.
	Close() error
}

// Reader is an array.RecordReader over the rows of a view. One goroutine uses it
// at a time; Retain and Release may be called from any.
type Reader struct {
	refs    atomic.Int64
	ctx     context.Context //nolint:containedctx // RecordReader's methods take none
	alloc   memory.Allocator
	view    string
	schema  *arrow.Schema
	builder *array.RecordBuilder
	columns []column

	take      func() (size int, ok bool, err error) // appends one row to the builders
	close     func() error                          // nil once the rows are closed
	batchRows int
	sinceLook int // rows since the context was looked at
	record    arrow.Record
	err       error
}

var _ array.RecordReader = (*Reader)(nil)

// NewReader returns a Reader over rows of schema s, in batches of batchRows rows
// (0: a default; wide rows make smaller batches). It takes over rows and closes
// them when they are drained or fail, or at the last Release, which the caller owes.
// After ctx ends Next returns false and Err says so. The errors of Err name the view.
func NewReader(
	ctx context.Context, alloc memory.Allocator, s row.Schema, m Meta, rows Rows, batchRows int,
) *Reader {
	r := newReader(ctx, alloc, s, m, batchRows)
	r.close = rows.Close
	r.take = func() (int, bool, error) {
		values, ok, err := rows.Next()
		if err != nil || !ok {
			return 0, false, err
		}
		size, err := appendRow(r.columns, values)
		return size, true, err
	}
	return r
}

// NewEncodedReader is NewReader for rows in their stored encoding: the same
// batches, several times faster.
func NewEncodedReader(
	ctx context.Context, alloc memory.Allocator, s row.Schema, m Meta, rows EncodedRows, batchRows int,
) *Reader {
	r := newReader(ctx, alloc, s, m, batchRows)
	r.close = rows.Close
	r.take = func() (int, bool, error) {
		b, ok, err := rows.NextEncoded()
		if err != nil || !ok {
			return 0, false, err
		}
		return len(b), true, appendEncoded(r.columns, b)
	}
	return r
}

func newReader(
	ctx context.Context, alloc memory.Allocator, s row.Schema, m Meta, batchRows int,
) *Reader {
	if batchRows <= 0 {
		batchRows = defaultBatchRows
	}
	schema := Schema(s, m)
	r := &Reader{
		ctx:       ctx,
		alloc:     alloc,
		view:      m.View,
		schema:    schema,
		builder:   array.NewRecordBuilder(alloc, schema),
		columns:   make([]column, len(s.Columns)),
		batchRows: batchRows,
		sinceLook: rowsPerCheck, // so that a context already over gives no row
	}
	r.refs.Store(1)
	for i := range s.Columns {
		c, err := newColumn(s.Columns[i], schema.Field(i).Nullable, r.builder.Field(i))
		if err != nil && r.err == nil {
			r.err = r.naming(err)
		}
		r.columns[i] = c
	}
	r.builder.Reserve(min(batchRows, firstReserve))
	return r
}

// Retain adds a reference to the reader.
func (r *Reader) Retain() { r.refs.Add(1) }

// Release drops a reference. The last one frees the current record and closes the
// rows if they are still open.
func (r *Reader) Release() {
	if r.refs.Add(-1) != 0 {
		return
	}
	r.finish(nil)
	r.dropRecord()
	r.builder.Release()
}

// Schema returns the schema of every record.
func (r *Reader) Schema() *arrow.Schema { return r.schema }

// Record returns the batch that the last Next built. It is valid until the next
// call of Next, unless retained.
func (r *Reader) Record() arrow.Record { return r.record }

// Err returns what stopped the reader: nil after the last row, an error of the rows
// or of a value that does not fit its column, or the context's error.
func (r *Reader) Err() error { return r.err }

// Next builds the next batch and says whether there is one. False means the end
// or an error: see Err.
func (r *Reader) Next() bool {
	r.dropRecord()
	if r.close == nil || r.err != nil {
		r.finish(nil)
		return false
	}
	rows, size := 0, 0
	for rows < r.batchRows && size < maxBatchBytes {
		n, ok, err := r.step()
		if err != nil {
			r.finish(err)
			return false
		}
		if !ok {
			r.finish(nil)
			break
		}
		rows++
		size += n
	}
	if rows == 0 || r.err != nil {
		return false
	}
	r.record = r.builder.NewRecord()
	if r.close != nil {
		r.builder.Reserve(rows)
	}
	return true
}

// step takes one row into the builders. It looks at the context now and then only,
// for that costs as much as appending a value.
func (r *Reader) step() (size int, ok bool, err error) {
	if r.sinceLook++; r.sinceLook >= rowsPerCheck {
		r.sinceLook = 0
		if r.ctx.Err() != nil {
			return 0, false, context.Cause(r.ctx)
		}
	}
	return r.take()
}

// finish closes the rows, once, and keeps the first error.
func (r *Reader) finish(err error) {
	if r.close != nil {
		closeErr := r.close()
		r.close = nil
		if err == nil {
			err = closeErr
		}
	}
	if r.err == nil && err != nil {
		r.err = r.naming(err)
	}
}

func (r *Reader) naming(err error) error {
	return fmt.Errorf("reading rows of view %q: %w", r.view, err)
}

func (r *Reader) dropRecord() {
	if r.record != nil {
		r.record.Release()
		r.record = nil
	}
}
