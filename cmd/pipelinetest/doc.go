// Package pipelinetest runs pipeline tests: folders that hold a pipeline, the change
// streams as they were delivered, and what every view must answer at given instants.
//
// It stands outside the flow of data and drives all of it: an embedded broker is filled
// from the recorded input, the pipeline runs on it through the same code as `tideline
// run`, and the views are read as a service would read them. What must not matter can be
// varied: the interleaving of topics and partitions, the number of internal partitions,
// restarts, and the number of processes.
package pipelinetest
