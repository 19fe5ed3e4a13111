// Package timeline is the pure core of Tideline: the vocabulary of time that all
// other packages share. The flow of data is emitters, topics, processors, group
// tables, views; each of them speaks of the instants, stamps and qualities defined
// here, and this package knows none of them.
//
// Its sub-packages hold what is built on that vocabulary: row (columns, values and
// their encodings), wire (the bytes of every record Tideline writes), align (many
// inputs into one total order), store (versions of rows on disk).
//
// There is no clock, network, file or goroutine here: time is an argument.
//
//  1. A Time is microseconds since the Unix epoch, UTC, everywhere. Milliseconds
//     exist only at the edges: Kafka's record timestamps and what people type.
//  2. A change at t is visible to a read as of u exactly when u >= t.
//  3. Stamps of one partition of a stage grow strictly along its merged order, and
//     a message delivered again has the stamp it had.
//  4. A watermark W says: no change at or before W is still to come. Its Quality
//     says what that rests on; of several, the weakest holds.
package timeline
