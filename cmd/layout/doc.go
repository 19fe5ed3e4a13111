// Package layout holds the rules of the house as tests: which package may import which,
// how long files and functions get, what every package documents, and that the examples
// in the documents work.
//
// It stands outside the flow of data and has no code of its own. A rule that matters is
// a test here or a linter in .golangci.yml, not a habit.
//
//	L1  Imports point one way: cmd to processors, views and emitters, those to timeline.
//	    Siblings do not know each other, and timeline knows nobody.
//	L2  The core of timeline starts no goroutine and asks no clock, network or file.
//	L3  Each outside library that does something to the machine has one home.
//	L4  Files, functions and test data stay small; every package has a doc.go.
//	L5  Every pipeline in a document lints, every command line in one is one that the
//	    command takes, and every link leads somewhere.
package layout
