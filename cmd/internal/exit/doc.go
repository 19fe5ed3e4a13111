// Package exit gives errors the process's exit code, so that scripts can tell what went
// wrong without reading texts.
//
// It stands at the very end: commands return errors, package main asks [Code].
package exit
