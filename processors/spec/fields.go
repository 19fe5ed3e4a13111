package spec

import (
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/tideline/tideline/timeline/row"
)

func (d *decoder) pipeline(p *Pipeline, n *yaml.Node) {
	d.mapping(n, "the pipeline", []field{
		{"pipeline", func(v *yaml.Node) { d.text(v, "pipeline", &p.Name) }},
		{"partitions", func(v *yaml.Node) {
			i, err := strconv.Atoi(v.Value)
			if err != nil || i < 1 {
				d.bad(v, "partitions must be a positive number, not %q", v.Value)
			}
			p.Partitions = i
		}},
		{"streams", func(v *yaml.Node) {
			d.entries(v, "streams", func(k, v *yaml.Node) {
				p.Streams = append(p.Streams, d.stream(k, v))
			})
		}},
		{"views", func(v *yaml.Node) {
			d.entries(v, "views", func(k, v *yaml.Node) {
				p.Views = append(p.Views, d.view(k, v))
			})
		}},
	})
}

func (d *decoder) stream(k, n *yaml.Node) Stream {
	s := Stream{Name: k.Value, Pos: d.pos(k)}
	where := "stream " + s.Name
	var order string
	var key []string
	var keyNode *yaml.Node
	d.mapping(n, where, []field{
		{"topic", func(v *yaml.Node) { d.text(v, "topic", &s.Topic) }},
		{"format", func(v *yaml.Node) { d.text(v, "format", &s.Format) }},
		{"key", func(v *yaml.Node) { keyNode = v; d.list(v, "key", &key) }},
		{"columns", func(v *yaml.Node) { d.columns(v, where, &s) }},
		{"time", func(v *yaml.Node) {
			d.mapping(v, "time of "+where, []field{
				{"column", func(v *yaml.Node) { d.text(v, "time column", &s.TimeColumn) }},
			})
		}},
		{"order", func(v *yaml.Node) { d.oneOf(v, "order", &order, "log", "disordered") }},
		{"lateness", d.duration("lateness", &s.Lateness)},
		{"delay", d.duration("delay", &s.Delay)},
		{"max_ahead", d.positive("max_ahead", &s.MaxAhead)},
		{"late", d.failing("late", &s.LateFail)},
		{"on_error", d.failing("on_error", &s.ErrorFail)},
		{"partitioner", func(v *yaml.Node) {
			d.oneOf(v, "partitioner", &s.Partitioner, partitioners...)
		}},
		{"position", func(v *yaml.Node) {
			d.mapping(v, "position of "+where, []field{
				{"header", func(v *yaml.Node) { d.text(v, "position header", &s.PositionHeader) }},
			})
		}},
		{"heartbeats", func(v *yaml.Node) {
			d.mapping(v, "heartbeats of "+where, []field{
				{"key_prefix", func(v *yaml.Node) {
					d.text(v, "heartbeat key prefix", &s.HeartbeatPrefix)
				}},
			})
		}},
	})
	s.Disordered = order == "disordered" || (order == "" && !databaseFormat(s.Format))
	if keyNode != nil {
		d.key(keyNode, &s, key)
	}
	return s
}

// databaseFormat says whether a format's topics follow commit order.
func databaseFormat(format string) bool { return format == "debezium" }

func (d *decoder) key(n *yaml.Node, s *Stream, key []string) {
	for _, name := range key {
		i := columnNamed(s.Schema.Columns, name)
		if i < 0 {
			d.bad(n, "key column %q of stream %s is not among its columns%s",
				name, s.Name, Suggest(name, names(s.Schema.Columns)))
			continue
		}
		s.Schema.Key = append(s.Schema.Key, i)
	}
	if len(s.Schema.Key) == 0 {
		s.Schema.Key = []int{} // reported already, or empty: validate says so
	}
}

func (d *decoder) columns(n *yaml.Node, where string, s *Stream) {
	d.entries(n, "columns of "+where, func(k, v *yaml.Node) {
		var text string
		d.text(v, "the type of column "+k.Value, &text)
		c := row.Column{Name: k.Value}
		if text != "" {
			t, err := row.ParseType(text)
			if err != nil {
				d.bad(v, "column %s of %s: %v", k.Value, where, err)
				t = row.Type{Kind: row.Text} // go on, to report what else is wrong
			}
			c.Type = t
		}
		if msg := checkName(k.Value, false); msg != "" {
			d.bad(k, "column name %q of %s %s", k.Value, where, msg)
		}
		s.Schema.Columns = append(s.Schema.Columns, c)
	})
}

func (d *decoder) view(k, n *yaml.Node) View {
	v := View{Name: k.Value, Pos: d.pos(k)}
	where := "view " + v.Name
	d.mapping(n, where, []field{
		{"sql", func(n *yaml.Node) { d.sql(n, &v) }},
		{"retention", func(n *yaml.Node) {
			if v.Forever = n.Value == "forever"; !v.Forever {
				d.positive("retention", &v.Retention)(n)
			}
		}},
		{"indexes", func(n *yaml.Node) {
			if n.Kind != yaml.SequenceNode {
				d.bad(n, "indexes of %s must be a list of lists of columns like [[name]]", where)
				return
			}
			for _, c := range n.Content {
				var cols []string
				d.list(c, "an index", &cols)
				v.Indexes = append(v.Indexes, cols)
			}
		}},
		{"key", func(n *yaml.Node) { d.list(n, "key", &v.Key) }},
	})
	return v
}

// sql notes where the text stands in the file, so that errors can point into it.
func (d *decoder) sql(n *yaml.Node, v *View) {
	d.text(n, "sql", &v.SQL)
	switch n.Style {
	case yaml.LiteralStyle:
		v.SQLLine = n.Line + 1
		if n.Line < len(d.lines) {
			l := d.lines[n.Line]
			v.SQLColumn = len(l) - len(strings.TrimLeft(l, " ")) + 1
		}
	case yaml.DoubleQuotedStyle, yaml.SingleQuotedStyle:
		v.SQLLine, v.SQLColumn = n.Line, n.Column+1
	case yaml.FoldedStyle:
		v.SQLLine = n.Line + 1
	default:
		v.SQLLine, v.SQLColumn = n.Line, n.Column
	}
}

func (d *decoder) duration(what string, to *time.Duration) func(n *yaml.Node) {
	return func(n *yaml.Node) {
		dur, err := ParseDuration(n.Value)
		if err != nil {
			d.bad(n, "%s: %v", what, err)
		}
		*to = dur
	}
}

// positive is duration for entries where zero has no meaning.
func (d *decoder) positive(what string, to *time.Duration) func(n *yaml.Node) {
	return func(n *yaml.Node) {
		before := len(d.problems)
		d.duration(what, to)(n)
		if *to == 0 && len(d.problems) == before {
			d.bad(n, "%s must be more than zero; leave it out for the default", what)
		}
	}
}

func (d *decoder) failing(what string, to *bool) func(n *yaml.Node) {
	return func(n *yaml.Node) {
		var s string
		d.oneOf(n, what, &s, "dead-letter", "fail")
		*to = s == "fail"
	}
}
