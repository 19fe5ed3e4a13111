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

// Stage is one goka processor group: a source stage, which judges the records of a stream
// and re-keys its rows, or one that runs an operator. The operator of a view's last stage
// keeps the view.
type Stage struct {
	Name       string            // of the stream or the view
	Group      string            // goka group
	Partitions int               // of every input, and of the table
	Inputs     []Input           // in merge order; for view stages the lane of the same index
	Exchange   *Exchange         // source stage: where rows go; nil if no view wants them
	View       *View             // view stage: what its table holds
	Join       *operator.KeyJoin // the operator, if it is a key join
	Op         operator.Operator // nil for a source stage
	Outputs    []*Exchange       // where the operator's rows go
	Hash       string            // 8 hex digits of the stage's definition
	// History says that the operator asks for state as it stood long ago: nothing of it
	// may be forgotten.
	History bool

	query string // the SQL it comes from
	what  string // what the operator does, for people
}

// Table returns the stage's table topic, by goka's rule.
func (s *Stage) Table() string { return s.Group + "-table" }

// Input is one topic a stage reads: a raw stream, or an exchange. Stream is set for a raw
// stream and for the exchange of a source stage.
type Input struct {
	Topic    string
	Stream   *Stream
	Exchange *Exchange // nil if the stream's own topic is read
	// Columns are indexes into the stream's columns: what the row bytes of this input
	// hold, in this order. Key columns are not among them; they are in the record key.
	Columns []int
}

// Exchange is an internal topic that carries rows under a key, hashed by murmur2. That of
// a source stage carries upserts and deletes of a stream's rows under their key to all
// stages that read it; that of an operator carries signed rows to one input of one stage.
type Exchange struct {
	Topic      string
	Partitions int
	Senders    int // partitions of the sending stage
	// Of a source stage:
	Stream  *Stream
	Columns []int // indexes of the stream's columns carried, without key columns
	// Of an operator:
	Route *operator.Route // which of its rows, in what form
	Names []string        // of the columns carried
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
