// Package bench measures the main job: how many changes a second a pipeline takes from
// its source topics through to its table topic, beside a plain goka processor in the same
// run, and how fast views recover and answer. `make bench` runs it; docs/performance.md
// keeps the figures.
//
// It stands beside the flow of data and holds benchmarks only.
package bench
