// Package status finds out where a pipeline stands, from anywhere: no process of the
// pipeline is asked.
//
// It stands beside the flow of data. What each stage has committed, with the counters in
// the commits' metadata, the ends of the topics and the catalog are put together into a
// [Report]: position, lag and watermark of every partition, and for each watermark the
// input partition that holds it back.
package status
