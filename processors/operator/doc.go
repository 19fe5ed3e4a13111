// Package operator holds the operators of a stage: a change goes in, the next
// version of the row under its record key comes out.
//
// In the flow of data it stands between the time-aligned consumer, which delivers
// changes in event-time order, and the group table, which keeps the versions. An
// operator is a pure function: no Kafka, clock, goroutine or randomness, and no SQL
// engine either (package plan hands in the expressions).
//
// Invariants:
//
//	O1  Apply depends on its arguments and the operator's definition only. The same
//	    arguments give the same bytes, so a re-executed message changes nothing.
//	O2  In a key join, the state under a key is a function of the last change of each lane to that
//	    key, and the row is a function of the state and the key.
//	O3  A node of a key join's tree yields no row or one row under a key, never two.
//	O4  Values are stored canonically: equal rows have equal bytes. A change that
//	    leaves state and row as they were is reported as no change.
//	O5  A failing expression stops with an error; it never turns into null.
//	O6  Of signed rows, what an operator emits for a message is its output after it
//	    minus its output before it, as sets with counts. So the order of the messages of
//	    one instant does not matter, and counts that are negative or too high within an
//	    instant are right at its end. A temporal join alone needs its right side first.
package operator
