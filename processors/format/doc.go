// Package format turns the bytes of one Kafka record into one change of a row.
//
// It stands between the topics and the merge: the feed hands every record of a
// stream to the stream's Decoder and gets back a key, a row or nothing, the event
// time and the position in the source's log. What cannot be decoded comes back as
// an *Error, which says for the dead-letter topic why, and at which column.
//
// The decoders are pure: no clock, no goroutine, no Kafka client, and nothing
// remembered from one record to the next but buffers and parsed schemas.
//
// Invariants:
//
//	F1  A record decodes the same alone, after any other record and after a restart.
//	F2  No bytes make a decoder panic; a record gives a Change or an *Error, never both.
//	F3  The record key is the authority on the row's key. A value that repeats a key
//	    column and disagrees is an error, not a choice.
//	F4  Every value of a decoded Row is nil or of the Go type its column's kind names.
//	    Key columns are never nil.
//	F5  Values are taken exactly or not at all: no decimal is rounded, no integer wraps.
//	    The one exception is NaN in a decimal, which reads as null, as Debezium itself
//	    writes it where it writes decimals in base64.
//	F6  Positions never fall along the log of one source. Records that share one are
//	    told apart by TiesAllowed; a record whose place in the log is not known to
//	    follow this rule has no position.
//
// # JSON
//
// The value is an object with a field a column, or null for a delete. Names match
// exactly, unknown fields are ignored, of a repeated field the last one counts, and
// a missing or null field is a null. The record key holds the key columns as plain
// text, or as a JSON array if there are several.
//
// # Debezium
//
// The value is Debezium's JSON envelope, with or without the embedded schema; the
// record key is a JSON object likewise. Inserts, updates and snapshot rows upsert
// "after", deletes delete the key, tombstones, logical messages and transaction
// metadata are ignored, and a truncate is refused. A changed primary key needs no
// care: Debezium sends a delete under the old key and an insert under the new one.
//
// Values are read by the declared column type. The embedded schema, where there is
// one, says how a decimal, timestamp or date was written. Without it:
//
//   - a decimal given as text is Debezium's default, base64 of the unscaled number, if
//     it is valid base64, and the scale is the declared one; otherwise it is a literal.
//     A source with decimal.handling.mode=string and whole numbers of four, eight, ...
//     digits is ambiguous and must embed its schema;
//   - an integer timestamp is nanoseconds from 1e17 on, microseconds from 1e14 on, and
//     milliseconds below. That guess is wrong for microseconds or nanoseconds within
//     three years of 1970: a source with such times must embed its schema.
//
// Positions. PostgreSQL: the end of the transaction committed before this one, the
// first element of source.sequence. It is not source.lsn, which falls whenever two
// transactions overlap, because Debezium emits whole transactions in commit order
// while each change keeps the place where it was written. All changes of one
// transaction share the position. For the first transaction after a slot was created
// that end is unknown and the LSN stands in, which is exact unless the connector dies
// within that very transaction. Without source.sequence there is no position. MariaDB
// and MySQL: the binlog's file number and the offset in it. Snapshot rows, incremental
// or not, have none: they are read beside the log, and changes with smaller positions
// may follow them.
//
// Positions of two sources cannot be compared. If a topic is fed anew from a server
// whose log has another numbering (a restore into a new cluster, RESET MASTER, a
// failover between servers with different binlogs), it needs to be a new topic.
package format
