package spec

import (
	"strings"

	"github.com/tideline/tideline/timeline/row"
)

// partitioners are the ways producers choose a partition for a key.
var partitioners = []string{"murmur2", "fnv1a", "crc32", "unknown"}

// reserved are names that mean something else everywhere in a pipeline.
var reserved = []string{"_time"}

// Validate checks a pipeline and fills in its defaults. A pipeline from Load or Parse
// has been validated. The error is of type Problems.
func (p *Pipeline) Validate() error {
	var ps Problems
	p.validate(&ps)
	return ps.err()
}

func (p *Pipeline) validate(ps *Problems) {
	top := Position{File: p.File}
	switch msg := checkName(p.Name, true); {
	case p.Name == "":
		ps.add(top, `the pipeline has no name; write "pipeline: name" at the top`)
	case msg != "":
		ps.add(top, "pipeline name %q %s", p.Name, msg)
	}
	if p.Partitions < 0 {
		ps.add(top, "partitions must not be negative")
	}
	if len(p.Streams) == 0 {
		ps.add(top, "the pipeline declares no streams")
	}
	seen := map[string]string{}
	unique := func(kind, name string, pos Position) {
		if msg := checkName(name, false); msg != "" {
			ps.add(pos, "%s name %q %s", kind, name, msg)
		}
		if old, ok := seen[strings.ToLower(name)]; ok {
			ps.add(pos, "%s %s has the name of %s; names must differ in more than case",
				kind, name, old)
		}
		seen[strings.ToLower(name)] = "a " + kind
	}
	for i := range p.Streams {
		unique("stream", p.Streams[i].Name, p.Streams[i].Pos)
		p.Streams[i].validate(ps)
	}
	for i := range p.Views {
		unique("view", p.Views[i].Name, p.Views[i].Pos)
		p.Views[i].validate(ps)
	}
	p.sharedTopics(ps)
}

// sharedTopics refuses two streams over one topic: a group reads a topic once.
func (p *Pipeline) sharedTopics(ps *Problems) {
	of := map[string]string{}
	for _, s := range p.Streams {
		if other, ok := of[s.Topic]; ok && other != s.Name {
			ps.add(s.Pos, "streams %s and %s both read topic %s; declare one stream for it",
				other, s.Name, s.Topic)
		}
		of[s.Topic] = s.Name
	}
}

func (s *Stream) validate(ps *Problems) {
	bad := func(format string, args ...any) {
		ps.add(s.Pos, "stream "+s.Name+": "+format, args...)
	}
	s.defaults()
	switch s.Format {
	case "json", "debezium":
	case "avro", "tideline":
		bad("format %s is not available in this version; send the topic as json or debezium",
			s.Format)
	default:
		bad("format %q is not known%s; valid are json and debezium", s.Format,
			Suggest(s.Format, []string{"json", "debezium"}))
	}
	if msg := checkTopic(s.Topic); msg != "" {
		bad("topic %q %s", s.Topic, msg)
	}
	if !contains(partitioners, s.Partitioner) {
		bad("partitioner %q is not known%s; valid are %s", s.Partitioner,
			Suggest(s.Partitioner, partitioners), orList(partitioners))
	}
	if s.Lateness < 0 || s.Delay < 0 || s.MaxAhead < 0 {
		bad("lateness, delay and max_ahead must not be negative")
	}
	if !s.Disordered && s.Lateness > 0 {
		bad("lateness has no meaning with order: log; remove it or declare order: disordered")
	}
	s.validateColumns(bad)
}

func (s *Stream) defaults() {
	if s.Topic == "" {
		s.Topic = s.Name
	}
	if s.Format == "" {
		s.Format = "json"
	}
	if s.Partitioner == "" {
		s.Partitioner = "murmur2"
	}
	if s.MaxAhead == 0 {
		s.MaxAhead = DefaultMaxAhead
	}
}

func (s *Stream) validateColumns(bad func(string, ...any)) {
	cols := s.Schema.Columns
	if len(cols) == 0 {
		bad(`it declares no columns; write for example "columns: {id: bigint, name: text}"`)
		return
	}
	seen := map[string]bool{}
	for _, c := range cols {
		name := strings.ToLower(c.Name)
		if seen[name] {
			bad("column %q appears twice; columns must differ in more than case", c.Name)
		}
		seen[name] = true
		if c.Type.Kind == row.Invalid {
			bad("column %q has no type", c.Name)
		}
	}
	if s.Schema.Key == nil {
		bad(`it declares no key; write for example "key: [%s]"`, cols[0].Name)
	} else if len(s.Schema.Key) == 0 {
		bad("its key has no valid column; a stream is a table by its key")
	}
	inKey := map[int]bool{}
	for _, k := range s.Schema.Key {
		if k < 0 || k >= len(cols) {
			bad("key column %d is not among its %d columns", k, len(cols))
			continue
		}
		if inKey[k] {
			bad("key column %q is named twice", cols[k].Name)
		}
		inKey[k] = true
		if kind := cols[k].Type.Kind; kind == row.JSON || kind == row.Double {
			bad("key column %q cannot be %s, which has no one text form; use text, bigint or decimal",
				cols[k].Name, cols[k].Type)
		}
	}
	s.validateTime(bad)
}

func (s *Stream) validateTime(bad func(string, ...any)) {
	if s.TimeColumn == "" {
		return
	}
	cols := s.Schema.Columns
	i := columnNamed(cols, s.TimeColumn)
	if i < 0 {
		bad("time column %q is not among its columns%s", s.TimeColumn,
			Suggest(s.TimeColumn, names(cols)))
		return
	}
	if k := cols[i].Type.Kind; k != row.Timestamp && k != row.Bigint {
		bad("time column %q is %s; it must be timestamp(6), or bigint in milliseconds",
			s.TimeColumn, cols[i].Type)
	}
}

func (v *View) validate(ps *Problems) {
	if strings.TrimSpace(v.SQL) == "" {
		ps.add(v.Pos, "view %s has no sql", v.Name)
	}
	if v.Retention < 0 {
		ps.add(v.Pos, "view %s: retention must not be negative", v.Name)
	}
	switch {
	case v.Forever:
		v.Retention = 0
	case v.Retention == 0:
		v.Retention = DefaultRetention
	}
	for _, ix := range v.Indexes {
		if len(ix) == 0 {
			ps.add(v.Pos, "view %s: an index names no column", v.Name)
		}
	}
}

// checkName says what is wrong with a name, or nothing.
func checkName(name string, dots bool) string {
	if contains(reserved, strings.ToLower(name)) {
		return "is reserved; choose another"
	}
	for i, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_':
		case r == '-' && i > 0:
		case r == '.' && dots && i > 0:
		default:
			if dots {
				return "may hold letters, digits, '.', '_' and '-' only"
			}
			return "may hold letters, digits, '_' and '-' only"
		}
	}
	if name == "" || len(name) > 100 {
		return "must have 1 to 100 characters"
	}
	return ""
}

// checkTopic applies Kafka's rules for topic names.
func checkTopic(topic string) string {
	if strings.Trim(topic, ".") == "" || len(topic) > 249 {
		return "must have 1 to 249 characters and not be dots alone"
	}
	if strings.Trim(topic, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != "" {
		return "may hold letters, digits, '.', '_' and '-' only"
	}
	return ""
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

// columnNamed returns the index of a column by name, without regard to case, or -1.
func columnNamed(cols []row.Column, name string) int {
	for i, c := range cols {
		if strings.EqualFold(c.Name, name) {
			return i
		}
	}
	return -1
}

func names(cols []row.Column) []string {
	out := make([]string, len(cols))
	for i, c := range cols {
		out[i] = c.Name
	}
	return out
}
