// Package align brings many inputs into one total order: the place where disorder ends.
// One Merge serves one partition number of one stage. Records come in from the Kafka
// adapter in the order of their logs (Push), and leave for the operators in the order
// (event time, input, sender, sequence) as soon as nothing can come before them (Next).
//
// An input is a stream partition, which is one lane, or an exchange partition, which has
// a lane for each sender. The sequence is a stream record's offset, and an exchange
// record's (N, Output).
//
// A Merge is a step machine: no goroutines, no clock, no Kafka. The driver
//
//  1. pushes what it has fetched of each input from Progress.Offset on, in offset order,
//     each offset once: Push, Promise, or Reject for what it cannot decode; and the whole
//     clock topic, from its start and in its order: Clock;
//  2. sends Late and rejected records to the dead letters (NextLate has those that were
//     judged later than pushed) and marks their Ref when they are safe;
//  3. takes what is due (Next) until there is nothing, and marks each delivery when all
//     it caused is safe, in any order;
//  4. commits Progress of all inputs, now and then, and resumes with it.
//
// # Invariants
//
// Judgement:
//
//	A1. What becomes of a record (its verdict, the event time that counts) depends only
//	    on the log of its input before it, and on the clock's entries that end at or
//	    before its offset. Those are all known when it is judged: a clocked record waits
//	    for an entry that ends after it, and the clock's own order does not go back.
//	A2. A lane's bound is at or before every event time the lane can still bring, it
//	    never goes back, and Next returns only a record that orders before the bounds of
//	    all lanes. So deliveries are in total order, none is missed, and by A1 they and
//	    their stamps are a function of the logs.
//
// Crash and resume, with any subset marked:
//
//	A3. An arrival leaves the front of its input's fifo only when it is done: it had no
//	    effect that outlives it, or its dead letter is marked, or it has been delivered at
//	    or before the cut. Being marked is not enough: one beyond the cut must be
//	    delivered again, to count in the stamps of its instant.
//	A4. Hence every accepted record below Offset orders at or before the cut, and every
//	    record after the cut is at or above Offset. Both only advance, so an older Offset
//	    with a newer cut (a commit that reached only some inputs) is safe as well.
//	A5. The state committed with Offset (MaxAt, Position, promises, counters) is the sum
//	    of the arrivals below it, no more. By A1 the records from Offset on are judged as
//	    before.
//	A6. What orders at or before the cut is skipped. It was delivered and marked, because
//	    it orders before the cut's delivery, which by A2 was released only when nothing
//	    before it could come any more. What orders after it is delivered as before, with
//	    stamps that go on from the cut's.
//	A7. A committed watermark is before the first delivery not marked. Everything at or
//	    before it orders at or before the cut, and is skipped when read again; so the
//	    watermark of a restarted merge starts there. A record at or before it that does
//	    not is proof of a log or a sender that changed: it is Late, or an error.
//
// A repeat of an exchange record from below Offset is recognised by the cut after a
// restart, as Skipped instead of Duplicate, and counted as applied: its sender's last
// sequence is not committed. Nothing else distinguishes the two.
//
// # Memory
//
// Inputs that run ahead are paused (Wants) when half the memory is used, the other half
// is for the input that holds the merge back. If that does not suffice either (a long
// lateness, a sender that lags behind the others of its exchange), the pending records of
// the largest input go to a file, sorted, and the arrivals they stand among become one
// block, which holds Offset back until it is drained and counts as a whole.
package align
