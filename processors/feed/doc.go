// Package feed is the time-aligned consumer group: it reads the inputs of a stage from
// Kafka, decodes them, merges them into one total order by event time (package align) and
// hands them to goka as if they were the messages of one topic.
//
// It stands between the log and the operators. goka asks for a sarama.ConsumerGroup; a
// [Group] is one, on franz-go. For each partition number the member is assigned, all
// inputs travel through the claim of the first input, as frames (see [Frame]) in merged
// order; the claims of the other inputs stay silent. What goka marks is the number of
// the delivery, not an offset.
//
// Invariants:
//
//	F1  The same partition number of every input belongs to the same member.
//	F2  Frames of one partition carry strictly growing stamps, and a re-execution after a
//	    crash delivers the same frames with the same stamps.
//	F3  What is committed is a cut through the total order (align.Progress, in the
//	    commit's metadata): below its offsets nothing is needed any more.
//	F4  A record leaves the feed as a data frame, as a dead-letter frame, or as a counted
//	    duplicate or heartbeat; none vanishes.
//	F5  A watermark frame follows every data frame at or before its instant.
//	F6  Lateness and duplicates are judged by place in the log, never by the moment of
//	    arrival.
//
// A worker goroutine per partition owns the merge; marks reach it through a queue. The
// goroutines of a session end together: the first error cancels the session and comes
// out of Consume.
package feed
