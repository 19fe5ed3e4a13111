// Package table prints aligned columns for people.
//
// It stands behind the commands that list things; scripts use their --json instead.
package table
