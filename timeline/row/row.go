package row

// Kind is the family of a column type.
type Kind uint8

// The kinds of column types, with the Go type that holds a value of each.
// A null of any kind is a nil Value.
const (
	Invalid   Kind = iota
	Bigint         // int64
	Double         // float64
	Decimal        // decimal.Decimal (shopspring), scaled to the column's scale
	Text           // string, valid UTF-8
	Boolean        // bool
	Timestamp      // timeline.Time
	Date           // row.Days
	Bytes          // []byte
	JSON           // row.Document: compact JSON text
)

// Type is a column type. Precision and Scale count decimal digits and are set
// for Decimal only.
type Type struct {
	Kind      Kind
	Precision int
	Scale     int
}

// Column is a named, typed column. Every column may hold null except key columns.
type Column struct {
	Name string
	Type Type
}

// Schema lists the columns of a row and which of them are its key.
type Schema struct {
	Columns []Column
	Key     []int // indexes into Columns, in key order; empty for a view with one global row
}

// Value is one field of a row: nil, or the Go type named beside its Kind.
type Value = any

// Days is a calendar date: days since 1970-01-01.
type Days int32

// Document is a JSON document as compact text.
type Document string

// Row holds one value a column, in schema order.
type Row []Value
