// Package plan turns a declared pipeline into stages: which topics each stage reads,
// what it keeps, and where it sends rows.
//
// It stands between package spec, which says what is wanted, and the runner, which
// runs each stage as a goka group. SQL is parsed and bound by go-mysql-server; this
// is the only package of the processors that imports it. Every expression reaches
// package operator as an operator.Expr.
//
// A view that joins streams on their keys becomes one stage. Any other becomes a graph of
// operators: SELECTs turn into relations (what an operator emits, filtered and projected,
// with what is known of its key), and each join, grouping and table is a stage that sends
// signed rows on, under the key by which the next stage needs them.
//
// Invariants:
//
//	L1  A plan is a function of the pipeline and the partition counts of its topics.
//	L2  Every declared stream is consumed by at least one stage.
//	L3  All inputs of a stage have the stage's number of partitions, and a key stands
//	    in the same partition of each: murmur2 of the key's one text form.
//	L4  The names of groups and exchanges hold a hash of everything that decides what
//	    they contain: a changed definition never meets old state.
//	L5  A view is a pure function of its inputs: what reads clocks, sessions, random
//	    numbers or the machine is refused by name. So is whatever is not supported;
//	    nothing is approximated.
//	L6  Text compares bytewise.
package plan
