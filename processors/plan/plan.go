package plan

import (
	"github.com/tideline/tideline/processors/operator"
	"github.com/tideline/tideline/processors/spec"
	"github.com/tideline/tideline/timeline/row"
)

// Plan is the physical plan of a pipeline. It is immutable.
type Plan struct {
	Pipeline *spec.Pipeline
	Version  string    // 8 hex digits over all stages: equal plans, equal versions
	Streams  []*Stream // in file order
	Stages   []*Stage  // source stages in file order, then view stages in file order
	Views    []*View   // in file order
}

// Stream is a declared stream whose topic has been looked up.
type Stream struct {
	spec.Stream
	Partitions int // of the source topic
}

// Stage is one goka processor group. It is a source stage, which judges the records
// of a stream and re-keys its rows, or a view stage.
type Stage struct {
	Name       string            // of the stream or the view
	Group      string            // goka group
	Partitions int               // of every input, and of the table
	Inputs     []Input           // in merge order; for view stages the lane of the same index
	Exchange   *Exchange         // source stage: where rows go; nil if no view wants them
	View       *View             // view stage: what its table holds
	Join       *operator.KeyJoin // view stage
	Hash       string            // 8 hex digits of the stage's definition

	query string // view stage: the normalised SQL
}

// Input is one topic a stage reads: a raw stream or an exchange. Stream is set in
// both cases.
type Input struct {
	Topic    string
	Stream   *Stream
	Exchange *Exchange // nil if the stream's own topic is read
	// Columns are indexes into the stream's columns: what the row bytes of this input
	// hold, in this order. Key columns are not among them; they are in the record key.
	Columns []int
}

// Exchange is an internal topic that carries a stream's rows under their key, hashed
// by murmur2, from the stream's source stage to all view stages that read it.
type Exchange struct {
	Topic      string
	Partitions int
	Senders    int // partitions of the stream's own topic
	Stream     *Stream
	Columns    []int // indexes of the stream's columns carried, without key columns
}

// View is a planned view. Schema.Key points at the columns that equal the record key,
// in the record key's order.
type View struct {
	spec.View
	Schema     row.Schema
	Group      string
	Table      string // topic
	Partitions int
}
