package row

import (
	"fmt"
	"strconv"
	"strings"
)

// Greatest precision and scale a decimal column may declare, as in MySQL.
const (
	maxPrecision = 65
	maxScale     = 30
)

// kindNames are the words of the pipeline file, by Kind.
var kindNames = [...]string{
	Invalid: "invalid", Bigint: "bigint", Double: "double", Decimal: "decimal", Text: "text",
	Boolean: "boolean", Timestamp: "timestamp(6)", Date: "date", Bytes: "bytes", JSON: "json",
}

// aliases are names of other SQL dialects, and what to write instead of them.
var aliases = map[string]string{
	"int": "bigint", "integer": "bigint", "smallint": "bigint", "tinyint": "bigint",
	"long": "bigint", "int8": "bigint", "serial": "bigint", "bigserial": "bigint",
	"float": "double", "real": "double", "float8": "double", "double precision": "double",
	"numeric": "decimal", "money": "decimal", "number": "decimal",
	"varchar": "text", "char": "text", "string": "text", "uuid": "text", "enum": "text",
	"bool": "boolean", "datetime": "timestamp(6)", "timestamptz": "timestamp(6)",
	"time": "timestamp(6)", "blob": "bytes", "bytea": "bytes", "binary": "bytes",
	"varbinary": "bytes", "jsonb": "json", "object": "json", "map": "json", "array": "json",
}

// ParseType reads a column type as the pipeline file writes it, in any case:
// bigint, double, decimal, decimal(p,s), text, boolean, timestamp, timestamp(6), date,
// bytes, json. An error names the nearest valid type.
func ParseType(s string) (Type, error) {
	name := strings.ToLower(strings.TrimSpace(s))
	if name == "timestamp" {
		return Type{Kind: Timestamp}, nil
	}
	for k := Bigint; k <= JSON; k++ {
		if kindNames[k] == name {
			return Type{Kind: k}, nil
		}
	}
	if args, ok := strings.CutPrefix(name, "decimal("); ok {
		return parseDecimalType(s, args)
	}
	if strings.HasPrefix(name, "timestamp(") {
		return Type{}, fmt.Errorf("reading column type %q: timestamps have microseconds; "+
			"write timestamp(6)", s)
	}
	return Type{}, fmt.Errorf("reading column type %q: unknown type; did you mean %q?",
		s, nearestType(name))
}

// parseDecimalType reads what follows "decimal(" in the type text s.
func parseDecimalType(s, args string) (Type, error) {
	inner, closed := strings.CutSuffix(args, ")")
	first, second, both := strings.Cut(inner, ",")
	p, err := strconv.Atoi(strings.TrimSpace(first))
	scale, err2 := 0, error(nil)
	if both {
		scale, err2 = strconv.Atoi(strings.TrimSpace(second))
	}
	if !closed || err != nil || err2 != nil {
		return Type{}, fmt.Errorf("reading column type %q: want decimal(precision,scale), "+
			"such as decimal(12,2)", s)
	}
	if p < 1 || p > maxPrecision || scale < 0 || scale > min(maxScale, p) {
		return Type{}, fmt.Errorf("reading column type %q: want a precision of 1 to %d and a "+
			"scale of 0 to %d, not above the precision", s, maxPrecision, maxScale)
	}
	return Type{Kind: Decimal, Precision: p, Scale: scale}, nil
}

// nearestType returns the valid type name that name most likely means.
func nearestType(name string) string {
	base, _, _ := strings.Cut(name, "(")
	if a, ok := aliases[strings.TrimSpace(base)]; ok {
		return a
	}
	best, least := "", len(name)+16
	for _, valid := range kindNames[Bigint:] {
		word, _, _ := strings.Cut(valid, "(")
		if d := editDistance(base, word); d < least {
			best, least = valid, d
		}
	}
	return best
}

// editDistance counts the bytes to insert, delete or replace to get from a to b.
func editDistance(a, b string) int {
	line := make([]int, len(b)+1)
	for j := range line {
		line[j] = j
	}
	for i := range len(a) {
		corner := line[0]
		line[0] = i + 1
		for j := range len(b) {
			cost := corner
			if a[i] != b[j] {
				cost++
			}
			corner = line[j+1]
			line[j+1] = min(cost, line[j]+1, corner+1)
		}
	}
	return line[len(b)]
}

// String returns the type as ParseType reads it.
func (t Type) String() string {
	if t.Kind == Decimal && t.Precision > 0 {
		return fmt.Sprintf("decimal(%d,%d)", t.Precision, t.Scale)
	}
	return t.Kind.String()
}

// String returns the name of the kind: "bigint", "decimal", "timestamp(6)" and so on.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Find returns the index of the named column, -1 if there is none. Case does not
// matter, as in SQL; a column of exactly that name goes first.
func (s Schema) Find(name string) int {
	found := -1
	for i := range s.Columns {
		if s.Columns[i].Name == name {
			return i
		}
		if found < 0 && strings.EqualFold(s.Columns[i].Name, name) {
			found = i
		}
	}
	return found
}
