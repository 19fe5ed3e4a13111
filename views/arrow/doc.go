// Package arrow hands a view, as it stands at one instant, to analytics: as
// Arrow record batches, as an Arrow IPC stream or file, and as Parquet.
//
// Place in the flow: a reader of views scans the rows of one instant and gives
// them as Rows, or as the stored bytes of the rows (EncodedRows), which is several
// times faster because no value is boxed. A Reader turns them into record batches;
// WriteIPCStream, WriteIPCFile, WriteParquet and WriteFile drain a Reader.
//
//	scan as of t -> Rows | EncodedRows -> Reader -> IPC stream, IPC file, Parquet
//
// What holds:
//
//	A1  Values are exact. A value that its Arrow column cannot hold (a decimal with
//	    more digits than declared) is an error that names the column, never a rounding.
//	A2  Every batch and file says what it is: the schema's metadata names the view, its
//	    key, the instant it is true for and the view's watermark (see the Meta keys).
//	A3  What was cut short does not look complete. On an error or a cancelled context no
//	    end marker or footer is written, and WriteFile leaves no file at all.
//	A4  Memory is bounded by a batch (Parquet: a row group), whatever the view's size.
//	A5  Rows are closed exactly once, whether drained, failed or released early.
//
// One instant is one set of rows without an order of its own; rows appear in the
// order in which the scan gives them, which for views is key order.
package arrow
