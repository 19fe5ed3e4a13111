// Package views reads precomputed views: the Go client.
//
// It stands at the end of the flow of data. A [View] is a full local replica of a view's
// group table, followed from Kafka by a goka view into versioned stores, one a partition;
// reads never leave the process. It needs the brokers and the pipeline's name, which lead
// to the catalog, and neither the SQL engine nor the processors.
//
// What a read can rely on:
//
//	V1  A read answers for one instant, named in its Answer, and never mixes instants.
//	V2  It answers only for final instants: at or before the watermark, which is the least
//	    over the view's partitions. Beyond that it waits or fails with ErrNotFinal.
//	V3  It never answers for an instant whose history is gone: ErrGone.
//	V4  A replica that has read a watermark has read all that it promises, since both
//	    travel in one log.
package views
