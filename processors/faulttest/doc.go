// Package faulttest proves that a pipeline's history is a function of its inputs' logs,
// whatever happens to the processes that compute it. It holds tests only.
//
// The tests run whole pipelines: a broker in the test process, workers in processes of
// their own (the test binary, started again) that are killed, suspended, added and taken
// away at moments that a seed decides, or runners in the test process where one fault is
// looked at closely. At the end a bounded replay finishes the work, and what is exported
// must be what an undisturbed run exports:
//
//	X1  The histories of all views are the same bytes.
//	X2  The dead letters are the same records with the same reasons.
//	X3  Of every source partition, every record is accounted for: read = applied +
//	    duplicates + dead letters + heartbeats = records in the topic.
//
// Moments are counted in requests that the broker sees, never in time: a fault hits
// before the n-th write, commit, fetch or join from now on.
//
// TIDELINE_KILLS sets how many faults the crash test deals (default: a handful),
// TIDELINE_SEED where its randomness starts.
package faulttest
