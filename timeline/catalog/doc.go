// Package catalog holds what the writing and the reading side of a pipeline must agree
// on: names of topics, and the catalog record, which tells a reader the views, their
// schemas, partitions and retention.
//
// It stands between processors, which publish a [Catalog] to the compacted catalog topic
// when a pipeline starts, and views, whose clients need no more than the brokers and the
// pipeline's name. It opens no connections.
package catalog
