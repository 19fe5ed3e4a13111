// Package spec reads the pipeline file: YAML in, the declared streams and views
// out, with defaults filled in and every problem reported at its place.
//
// It stands at the start of planning: cmd loads a file (or a program builds a
// Pipeline in Go), package plan turns it into stages. It knows neither SQL nor Kafka.
//
// Invariants:
//
//	P1  A Pipeline that Validate accepts has unique names, valid types, keys that are
//	    columns, and every default filled in. Validate twice is Validate once.
//	P2  All problems of a file are reported together, in file order, each with file,
//	    line, column, and the nearest valid name where a name was wrong.
package spec
