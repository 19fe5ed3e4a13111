// Package records reads Kafka records written as lines of JSON: what `tideline produce`
// takes and what a pipeline test delivers.
//
// It stands before everything else in the flow of data: file or stdin, this package,
// a producer, the topic. It knows neither Kafka nor streams; a line is only checked for
// saying what a record needs.
//
//	{"topic": "orders", "partition": 2, "key": "1001", "value": {"status": "paid"},
//	 "ts": 1700000000000, "headers": {"position": "17"}}
//
// Rules, each with a test:
//
//	R1. A key or value that is a JSON string stands for the string's bytes, null for
//	    no key or a deletion, anything else for its own compact JSON text, digits and
//	    order of members untouched.
//	R2. "value" must be there: a misspelt member must never delete a row.
//	R3. Headers keep their order, given as an object or as a list of {"key", "value"}.
//	R4. The first bad line ends the reading with its number; nothing after it is seen.
package records
