package plan

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tideline/tideline/processors/operator"
	"github.com/tideline/tideline/timeline/row"
)

// Explain writes the plan for people: each stage with its topics, record key, state
// and output.
func (p *Plan) Explain(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "pipeline %s, version %s\n", p.Pipeline.Name, p.Version)
	for _, s := range p.Stages {
		b.WriteByte('\n')
		s.explain(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (s *Stage) explain(b *strings.Builder) {
	line := func(label, format string, args ...any) {
		fmt.Fprintf(b, "  %-9s %s\n", label, fmt.Sprintf(format, args...))
	}
	kind := "source"
	if s.View != nil {
		kind = "view"
	}
	fmt.Fprintf(b, "%s %s, %s\n", kind, s.Name, count(s.Partitions, "partition"))
	line("group", "%s", s.Group)
	if s.View != nil {
		line("table", "%s", s.View.Table)
	}
	for i, in := range s.Inputs {
		from := fmt.Sprintf("%s, %s", in.Stream.Format, in.Stream.Partitioner)
		if in.Exchange != nil {
			from = "re-keyed from stream " + in.Stream.Name
		} else if s.View != nil {
			from += ", read directly"
		}
		line(fmt.Sprintf("input %d", i), "%s (%s): %s", in.Topic, from,
			columnList(in.Stream, in.Columns))
	}
	line("key", "%s", keyText(s.Inputs[0].Stream))
	if s.Join != nil {
		if len(s.Inputs) > 1 || s.Join.Filter != nil {
			s.explainJoin(line)
		}
		line("state", "%s", s.stateText())
		for i, c := range s.Join.Output {
			mark := ""
			for pos, k := range s.View.Schema.Key {
				if k == i {
					mark = fmt.Sprintf(", key %d", pos+1)
				}
			}
			line("emits", "%s %s%s = %s", c.Name, c.Type, mark, c.Expr)
		}
		line("retention", "%s", s.View.retention())
		return
	}
	switch x := s.Exchange; {
	case x != nil:
		line("emits", "%s, %s by murmur2: %s", x.Topic, count(x.Partitions, "partition"),
			columnList(x.Stream, x.Columns))
	default:
		line("emits", "nothing; no view reads it, its records are judged and counted")
	}
}

func (s *Stage) explainJoin(line func(label, format string, args ...any)) {
	if len(s.Inputs) > 1 {
		line("join", "%s", s.nodeText(s.Join.Root))
	}
	if s.Join.Filter != nil {
		line("where", "%s", s.Join.Filter)
	}
}

func (s *Stage) nodeText(n operator.Node) string {
	switch n := n.(type) {
	case operator.Leaf:
		return s.Join.Lanes[n].Name
	case *operator.Join:
		text := fmt.Sprintf("(%s %s join %s", s.nodeText(n.L), n.Kind, s.nodeText(n.R))
		if n.Cond != nil {
			text += " if " + s.condText(n.Cond)
		}
		return text + ")"
	}
	return ""
}

func (s *Stage) condText(c operator.Expr) string {
	switch c := c.(type) {
	case operator.And:
		parts := make([]string, len(c))
		for i := range c {
			parts[i] = s.condText(c[i])
		}
		return strings.Join(parts, " and ")
	case operator.AnyOn:
		var names []string
		for _, l := range c.Lanes {
			names = append(names, s.Join.Lanes[l].Name)
		}
		return strings.Join(names, " or ") + " has a row"
	}
	return c.String()
}

// stateText says what the stage keeps under a key beside the row itself.
func (s *Stage) stateText() string {
	if len(s.Join.Lanes) == 1 {
		return "none beside the row"
	}
	var parts []string
	for _, l := range s.Join.Lanes {
		var cols []string
		for _, k := range l.Keep {
			cols = append(cols, l.Columns[k].Name)
		}
		if l.Time {
			cols = append(cols, timeColumn)
		}
		parts = append(parts, fmt.Sprintf("%s(%s)", l.Name, strings.Join(cols, ", ")))
	}
	return strings.Join(parts, ", ")
}

func (v *View) retention() string {
	if v.Forever {
		return "forever"
	}
	if days := v.Retention / (24 * time.Hour); v.Retention%(24*time.Hour) == 0 {
		return count(int(days), "day")
	}
	return v.Retention.String()
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func columnList(s *Stream, cols []int) string {
	if len(cols) == 0 {
		return "no columns beside the key"
	}
	names := make([]string, len(cols))
	for i, c := range cols {
		names[i] = s.Schema.Columns[c].Name
	}
	return strings.Join(names, ", ")
}

func keyText(s *Stream) string {
	parts := make([]string, len(s.Schema.Key))
	for i, k := range s.Schema.Key {
		parts[i] = s.Schema.Columns[k].Name + " " + s.Schema.Columns[k].Type.String()
	}
	return strings.Join(parts, ", ")
}

// The JSON form of a plan, for programs.
type planJSON struct {
	Pipeline string      `json:"pipeline"`
	Version  string      `json:"version"`
	Stages   []stageJSON `json:"stages"`
}

type stageJSON struct {
	Name       string        `json:"name"`
	Kind       string        `json:"kind"` // source or view
	Group      string        `json:"group"`
	Table      string        `json:"table,omitempty"`
	Partitions int           `json:"partitions"`
	Inputs     []inputJSON   `json:"inputs"`
	Exchange   *exchangeJSON `json:"exchange,omitempty"`
	Join       string        `json:"join,omitempty"`
	Where      string        `json:"where,omitempty"`
	State      string        `json:"state,omitempty"`
	Key        []string      `json:"key"`
	Columns    []columnJSON  `json:"columns,omitempty"`
	Retention  string        `json:"retention,omitempty"`
}

type inputJSON struct {
	Topic   string   `json:"topic"`
	Stream  string   `json:"stream"`
	Rekeyed bool     `json:"rekeyed"`
	Columns []string `json:"columns"`
}

type exchangeJSON struct {
	Topic      string   `json:"topic"`
	Partitions int      `json:"partitions"`
	Senders    int      `json:"senders"`
	Columns    []string `json:"columns"`
}

type columnJSON struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Expr string `json:"expr"`
}

// ExplainJSON writes what Explain writes as one JSON object.
func (p *Plan) ExplainJSON(w io.Writer) error {
	out := planJSON{Pipeline: p.Pipeline.Name, Version: p.Version}
	for _, s := range p.Stages {
		out.Stages = append(out.Stages, s.json())
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(out)
}

func (s *Stage) json() stageJSON {
	out := stageJSON{Name: s.Name, Kind: "source", Group: s.Group, Partitions: s.Partitions}
	for _, in := range s.Inputs {
		out.Inputs = append(out.Inputs, inputJSON{Topic: in.Topic, Stream: in.Stream.Name,
			Rekeyed: in.Exchange != nil, Columns: columnNames(in.Stream.Schema, in.Columns)})
	}
	if x := s.Exchange; x != nil {
		out.Exchange = &exchangeJSON{Topic: x.Topic, Partitions: x.Partitions,
			Senders: x.Senders, Columns: columnNames(x.Stream.Schema, x.Columns)}
	}
	key := s.Inputs[0].Stream.Schema
	if s.View != nil {
		out.Kind, key, out.Table = "view", s.View.Schema, s.View.Table
		out.State, out.Retention = s.stateText(), s.View.retention()
		if len(s.Inputs) > 1 {
			out.Join = s.nodeText(s.Join.Root)
		}
		if s.Join.Filter != nil {
			out.Where = s.Join.Filter.String()
		}
		for _, c := range s.Join.Output {
			out.Columns = append(out.Columns,
				columnJSON{Name: c.Name, Type: c.Type.String(), Expr: c.Expr.String()})
		}
	}
	out.Key = columnNames(key, key.Key)
	return out
}

func columnNames(s row.Schema, cols []int) []string {
	out := make([]string, len(cols))
	for i, c := range cols {
		out[i] = s.Columns[c].Name
	}
	return out
}
