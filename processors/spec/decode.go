package spec

import (
	"fmt"
	"os"
	"strings"

	"gopkg.in/yaml.v3"
)

// Load reads and validates a pipeline file.
func Load(path string) (*Pipeline, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading pipeline: %w", err)
	}
	return Parse(path, data)
}

// Parse reads and validates a pipeline from YAML. file is used in messages only. The
// error is of type Problems.
func Parse(file string, data []byte) (*Pipeline, error) {
	d := &decoder{file: file}
	p := &Pipeline{File: file}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		msg := strings.TrimPrefix(err.Error(), "yaml: ")
		return nil, Problems{{Position{File: file}, "reading YAML: " + msg}}
	}
	if len(doc.Content) == 0 {
		return nil, Problems{{Position{file, 1, 1}, "the file is empty; " +
			"it must declare pipeline, streams and views"}}
	}
	d.lines = strings.Split(string(data), "\n")
	d.pipeline(p, doc.Content[0])
	p.validate(&d.problems)
	if err := d.problems.err(); err != nil {
		return nil, err
	}
	return p, nil
}

type decoder struct {
	file     string
	lines    []string
	problems Problems
}

func (d *decoder) pos(n *yaml.Node) Position { return Position{d.file, n.Line, n.Column} }

func (d *decoder) bad(n *yaml.Node, format string, args ...any) {
	d.problems.add(d.pos(n), format, args...)
}

// field is one entry that a mapping may hold.
type field struct {
	name string
	read func(n *yaml.Node)
}

// mapping reads a mapping of known entries; where names it in messages.
func (d *decoder) mapping(n *yaml.Node, where string, fields []field) {
	d.entries(n, where, func(k, v *yaml.Node) {
		for _, f := range fields {
			if f.name == k.Value {
				f.read(v)
				return
			}
		}
		names := make([]string, len(fields))
		for i, f := range fields {
			names[i] = f.name
		}
		hint := Suggest(k.Value, names)
		if hint == "" {
			hint = "; valid are " + strings.Join(names, ", ")
		}
		d.bad(k, "unknown key %q in %s%s", k.Value, where, hint)
	})
}

// entries calls f for each entry of a mapping, and reports repeated keys.
func (d *decoder) entries(n *yaml.Node, where string, f func(k, v *yaml.Node)) {
	n = deref(n)
	if n.Kind != yaml.MappingNode {
		if n.Tag != "!!null" {
			d.bad(n, "%s must be a mapping of names to values", where)
		}
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], deref(n.Content[i+1])
		if line, dup := seen[k.Value]; dup {
			d.bad(k, "%q appears twice in %s, first on line %d", k.Value, where, line)
			continue
		}
		seen[k.Value] = k.Line
		f(k, v)
	}
}

func deref(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// The readers of single values follow. Each reports what does not fit.

func (d *decoder) text(n *yaml.Node, what string, to *string) {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		d.bad(n, "%s must be text", what)
		return
	}
	*to = n.Value
}

func (d *decoder) oneOf(n *yaml.Node, what string, to *string, valid ...string) {
	var s string
	d.text(n, what, &s)
	for _, v := range valid {
		if s == v {
			*to = s
			return
		}
	}
	if n.Kind == yaml.ScalarNode {
		d.bad(n, "%s %q is not known%s; valid are %s", what, n.Value,
			Suggest(n.Value, valid), orList(valid))
	}
}

func (d *decoder) list(n *yaml.Node, what string, to *[]string) {
	n = deref(n)
	if n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		*to = []string{n.Value} // a single column may stand without brackets
		return
	}
	if n.Kind != yaml.SequenceNode {
		d.bad(n, "%s must be a list of columns like [id]", what)
		return
	}
	*to = []string{}
	for _, c := range n.Content {
		var s string
		d.text(deref(c), what, &s)
		*to = append(*to, s)
	}
}
