// Package embedded runs a Kafka broker inside the process, for trying Tideline, for
// bounded replays on one machine and for tests: franz-go's kfake, which speaks the real
// protocol on loopback and keeps its data on disk.
//
// It stands where a Kafka cluster stands in production; everything else is unaware of
// which of the two it talks to. A data directory belongs to one broker at a time: a
// second process finds the running broker's address there instead.
package embedded
