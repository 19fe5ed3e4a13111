// Package processors runs a planned pipeline as goka groups.
//
// It stands in the middle of the flow of data: source topics → (feed: decode, merge) →
// operators → exchanges and group tables → views. A [Runner] creates the internal
// topics, publishes the catalog, and runs one goka processor per stage of the plan. It
// is the only place that uses goka's processor API. Each callback is the same three
// lines for every operator: read the state as of just before the message's stamp, apply,
// write the version at the stamp.
//
//	P1  State is read as of just before the stamp and written at the stamp, so a
//	    re-execution computes the same state and the same outputs.
//	P2  Outputs carry the stamp, and the sender, so that receivers drop repeats.
//	P3  A watermark is written behind everything it promises, into the same partitions.
//	P4  The first goroutine that fails stops the runner with its error.
package processors
