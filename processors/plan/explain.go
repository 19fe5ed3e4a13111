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
	kind := s.kind()
	fmt.Fprintf(b, "%s %s, %s\n", kind, s.Name, count(s.Partitions, "partition"))
	line("group", "%s", s.Group)
	if s.Op != nil {
		line("table", "%s", s.Table())
	}
	for i, in := range s.Inputs {
		line(fmt.Sprintf("input %d", i), "%s", s.inputText(in))
	}
	line("key", "%s", s.recordKey())
	if s.Op != nil {
		s.explainOperator(line)
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

// kind is source, view, or stage for what stands between.
func (s *Stage) kind() string {
	switch {
	case s.View != nil:
		return "view"
	case s.Op != nil:
		return "stage"
	}
	return "source"
}

func (s *Stage) inputText(in Input) string {
	if in.Stream == nil {
		return fmt.Sprintf("%s (signed rows): %s", in.Topic, strings.Join(in.Exchange.Names, ", "))
	}
	from := fmt.Sprintf("%s, %s", in.Stream.Format, in.Stream.Partitioner)
	if in.Exchange != nil {
		from = "re-keyed from stream " + in.Stream.Name
	} else if s.Op != nil {
		from += ", read directly"
	}
	return fmt.Sprintf("%s (%s): %s", in.Topic, from, columnList(in.Stream, in.Columns))
}

// recordKey says what the stage's record keys are made of.
func (s *Stage) recordKey() string {
	in := s.Inputs[0]
	if in.Stream != nil {
		return keyText(in.Stream)
	}
	if s.View != nil {
		if len(s.View.Schema.Key) == 0 {
			return "* (one row)"
		}
		return strings.Join(columnNames(s.View.Schema, s.View.Schema.Key), ", ")
	}
	var parts []string
	for _, in := range s.Inputs {
		parts = append(parts, in.Exchange.keyText())
	}
	return strings.Join(parts, "; ")
}

func (x *Exchange) keyText() string {
	key := x.Route.Key
	text := "*"
	if len(key.Partition) > 0 {
		text = strings.Join(pick(x.Names, key.Partition), ", ")
	}
	if key.Lane != 0 {
		text += fmt.Sprintf(" / input %c", key.Lane)
		if len(key.Identity) > 0 {
			text += " / " + strings.Join(pick(x.Names, key.Identity), ", ")
		}
	}
	return text
}

func pick(names []string, at []int) []string {
	out := make([]string, len(at))
	for i, a := range at {
		out[i] = names[a]
	}
	return out
}

func (s *Stage) explainOperator(line func(label, format string, args ...any)) {
	if s.Join != nil && (len(s.Inputs) > 1 || s.Join.Filter != nil) {
		s.explainJoin(line)
	} else if s.Join == nil {
		line("does", "%s", s.operatorText())
	}
	line("state", "%s", s.stateText())
	if s.Join != nil && s.View != nil {
		for i, c := range s.Join.Output {
			mark := ""
			for pos, k := range s.View.Schema.Key {
				if k == i {
					mark = fmt.Sprintf(", key %d", pos+1)
				}
			}
			line("emits", "%s %s%s = %s", c.Name, c.Type, mark, c.Expr)
		}
	} else if s.View != nil {
		line("keeps", "%s", schemaText(s.View.Schema))
	}
	for _, x := range s.Outputs {
		line("sends", "%s, %s: %s", x.Topic, count(x.Partitions, "partition"), x.Route)
	}
	if s.View != nil {
		line("retention", "%s", s.View.retention())
	}
}

// operatorText says what the operator does.
func (s *Stage) operatorText() string {
	switch op := s.Op.(type) {
	case *operator.BagJoin:
		return op.Kind.String() + " join" + ifText(op.Cond)
	case *operator.TemporalJoin:
		return s.what + ifText(op.Cond)
	case *operator.Aggregate:
		var parts []string
		for _, c := range op.Input[:op.Groups] {
			parts = append(parts, c.Type.String())
		}
		for _, g := range op.Aggs {
			parts = append(parts, g.Func.String())
		}
		return fmt.Sprintf("group by %s: %s", count(op.Groups, "column"), strings.Join(parts, ", "))
	case *operator.Collect:
		return "keep the row under each key"
	}
	return s.what
}

func ifText(c operator.Expr) string {
	if c == nil {
		return ""
	}
	return " if " + c.String()
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
	switch s.Op.(type) {
	case *operator.BagJoin:
		return "the rows of both inputs"
	case *operator.TemporalJoin:
		return "the rows of input 0, with their history"
	case *operator.Aggregate:
		return "an accumulator for each aggregate"
	case *operator.Collect:
		return "none beside the row"
	}
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
	Name       string         `json:"name"`
	Kind       string         `json:"kind"` // source, stage or view
	Group      string         `json:"group"`
	Table      string         `json:"table,omitempty"`
	Partitions int            `json:"partitions"`
	Inputs     []inputJSON    `json:"inputs"`
	Exchange   *exchangeJSON  `json:"exchange,omitempty"`
	Outputs    []exchangeJSON `json:"outputs,omitempty"`
	Operator   string         `json:"operator,omitempty"`
	Join       string         `json:"join,omitempty"`
	Where      string         `json:"where,omitempty"`
	State      string         `json:"state,omitempty"`
	Key        []string       `json:"key"`
	Columns    []columnJSON   `json:"columns,omitempty"`
	Retention  string         `json:"retention,omitempty"`
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
	Key        string   `json:"key,omitempty"`
}

type columnJSON struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Expr string `json:"expr,omitempty"`
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
		ij := inputJSON{Topic: in.Topic, Rekeyed: in.Exchange != nil}
		if in.Stream != nil {
			ij.Stream, ij.Columns = in.Stream.Name, columnNames(in.Stream.Schema, in.Columns)
		} else {
			ij.Columns = in.Exchange.Names
		}
		out.Inputs = append(out.Inputs, ij)
	}
	if x := s.Exchange; x != nil {
		out.Exchange = &exchangeJSON{Topic: x.Topic, Partitions: x.Partitions,
			Senders: x.Senders, Columns: columnNames(x.Stream.Schema, x.Columns)}
	}
	for _, x := range s.Outputs {
		out.Outputs = append(out.Outputs, exchangeJSON{Topic: x.Topic, Partitions: x.Partitions,
			Senders: x.Senders, Columns: x.Names, Key: x.keyText()})
	}
	out.Kind = s.kind()
	if s.Op != nil {
		out.Table, out.State = s.Table(), s.stateText()
		out.Operator = s.operatorText()
	}
	if s.Join != nil {
		if len(s.Inputs) > 1 {
			out.Join = s.nodeText(s.Join.Root)
		}
		if s.Join.Filter != nil {
			out.Where = s.Join.Filter.String()
		}
	}
	switch {
	case s.View != nil:
		out.Retention = s.View.retention()
		out.Key = columnNames(s.View.Schema, s.View.Schema.Key)
		for i, c := range s.View.Schema.Columns {
			cj := columnJSON{Name: c.Name, Type: c.Type.String()}
			if s.Join != nil {
				cj.Expr = s.Join.Output[i].Expr.String()
			}
			out.Columns = append(out.Columns, cj)
		}
	case s.Inputs[0].Stream != nil:
		out.Key = columnNames(s.Inputs[0].Stream.Schema, s.Inputs[0].Stream.Schema.Key)
	default:
		out.Key = []string{s.recordKey()}
	}
	return out
}

func columnNames(s row.Schema, cols []int) []string {
	out := make([]string, len(cols))
	for i, c := range cols {
		out[i] = s.Columns[c].Name
	}
	return out
}
