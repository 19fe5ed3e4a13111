package spec

import (
	"fmt"
	"time"

	"github.com/tideline/tideline/timeline/row"
)

// Defaults of the pipeline file.
const (
	DefaultRetention = 7 * 24 * time.Hour
	DefaultMaxAhead  = time.Minute
)

// Pipeline is a declared pipeline, streams and views in file order.
type Pipeline struct {
	Name       string // letters, digits, '.', '_' and '-'
	Partitions int    // of internal topics; 0 = the inputs' own
	Streams    []Stream
	Views      []View
	File       string // where it was read from; empty if built in Go
}

// Stream is a Kafka topic of changes to one table.
type Stream struct {
	Name   string
	Topic  string     // default: the name
	Format string     // json (default), debezium
	Schema row.Schema // columns in file order, Key in key order

	// TimeColumn holds the event time; empty: the record's timestamp, or the
	// source's commit time for debezium.
	TimeColumn string
	// Disordered says that event times may go back along a partition, by Lateness
	// at most.
	Disordered bool
	Lateness   time.Duration
	Delay      time.Duration // when a quiet partition is believed complete; 0 = never by the clock
	MaxAhead   time.Duration // how far event time may run ahead of the clock; default 1m
	LateFail   bool          // a late change stops the pipeline; default: dead-letter
	ErrorFail  bool          // an unusable record stops the pipeline; default: dead-letter

	Partitioner     string // murmur2 (default), fnv1a, crc32, unknown
	PositionHeader  string // header with the source position; empty: the offset
	HeartbeatPrefix string // key prefix of records that carry only time; empty: none
	Pos             Position
}

// View is a named SQL query, kept as a versioned table.
type View struct {
	Name      string
	SQL       string
	SQLLine   int // line of the file where the SQL starts; 0 if unknown
	SQLColumn int // column of the file where each of its lines starts; 0 if unknown
	Retention time.Duration
	Forever   bool       // keep the whole history; Retention is 0 then
	Indexes   [][]string // columns of each secondary index
	Key       []string   // stated key; empty: derived
	Pos       Position
}

// Position is a place in the pipeline file, zero if the pipeline was built in Go.
type Position struct {
	File         string
	Line, Column int
}

// String returns file:line:column, or what is known of it.
func (p Position) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.File == "":
		return fmt.Sprintf("%d:%d", p.Line, p.Column)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}
