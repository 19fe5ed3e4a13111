// Command tideline runs pipelines and reads their views.
//
// It stands around the whole flow of data: `produce` fills topics, `run` turns them into
// views, `get`, `scan`, `history` and `export` read views, and `status`, `dead-letters`,
// `explain` and `lint` say what is going on. One file per command; what commands share
// lies in cmd/internal. docs/cli.md is the reference.
package main
