package catalog

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tideline/tideline/timeline/row"
)

// Topic names the catalog topic of a pipeline: one partition, compacted.
func Topic(pipeline string) string { return pipeline + ".catalog" }

// DeadLetterTopic names the topic of the records that were not applied.
func DeadLetterTopic(pipeline string) string { return pipeline + ".dead-letters" }

// Key is the record key of the pipeline's description in the catalog topic.
const Key = "pipeline"

// Catalog describes a running pipeline.
type Catalog struct {
	Format   int      `json:"format"`
	Pipeline string   `json:"pipeline"`
	Version  string   `json:"version"` // of the plan
	Views    []View   `json:"views"`
	Streams  []Stream `json:"streams"`
	Stages   []Stage  `json:"stages"`
}

// format is the version of the record's form that this code writes and reads.
const format = 1

// View is what a reader must know of a view.
type View struct {
	Name       string        `json:"name"`
	SQL        string        `json:"sql"`
	Table      string        `json:"table"` // topic
	Partitions int           `json:"partitions"`
	Columns    []Column      `json:"columns"`
	Key        []string      `json:"key"`       // names of the key columns, in key order
	Retention  time.Duration `json:"retention"` // nanoseconds; 0: forever
	Indexes    [][]string    `json:"indexes,omitempty"`
}

// Column is a column of a view.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// Stream is a source topic.
type Stream struct {
	Name     string        `json:"name"`
	Topic    string        `json:"topic"`
	Lateness time.Duration `json:"lateness,omitempty"` // nanoseconds
}

// Stage is a goka group, for status.
type Stage struct {
	Name       string   `json:"name"`
	Group      string   `json:"group"`
	Partitions int      `json:"partitions"`
	Inputs     []string `json:"inputs"` // topics
	View       string   `json:"view,omitempty"`
	Exchange   string   `json:"exchange,omitempty"`  // topic of a source stage's rows
	Exchanges  []string `json:"exchanges,omitempty"` // topics of an operator's rows
}

// Encode returns the catalog record's value.
func (c *Catalog) Encode() ([]byte, error) {
	c.Format = format
	b, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encoding catalog: %w", err)
	}
	return b, nil
}

// Decode reads a catalog record's value.
func Decode(b []byte) (*Catalog, error) {
	// The format comes first: another one may hold anything else in other types.
	var head struct{ Format int }
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, fmt.Errorf("decoding catalog: %w", err)
	}
	if head.Format != format {
		return nil, fmt.Errorf("decoding catalog: format %d is not known here, only %d; "+
			"reader and pipeline must be of one release", head.Format, format)
	}
	c := new(Catalog)
	if err := json.Unmarshal(b, c); err != nil {
		return nil, fmt.Errorf("decoding catalog: %w", err)
	}
	return c, nil
}

// View returns the view of that name.
func (c *Catalog) View(name string) (*View, bool) {
	i := slices.IndexFunc(c.Views, func(v View) bool { return strings.EqualFold(v.Name, name) })
	if i < 0 {
		return nil, false
	}
	return &c.Views[i], true
}

// ViewNames lists the views in the order of the pipeline file.
func (c *Catalog) ViewNames() []string {
	names := make([]string, len(c.Views))
	for i, v := range c.Views {
		names[i] = v.Name
	}
	return names
}

// Schema returns the view's row schema.
func (v *View) Schema() (row.Schema, error) {
	var s row.Schema
	for _, c := range v.Columns {
		t, err := row.ParseType(c.Type)
		if err != nil {
			return s, fmt.Errorf("reading column %s of view %s: %w", c.Name, v.Name, err)
		}
		s.Columns = append(s.Columns, row.Column{Name: c.Name, Type: t})
	}
	for _, k := range v.Key {
		i := s.Find(k)
		if i < 0 {
			return s, fmt.Errorf("reading view %s: key column %s is not among its columns", v.Name, k)
		}
		s.Key = append(s.Key, i)
	}
	return s, nil
}

// KeyTypes returns the types of a schema's key columns, in key order.
func KeyTypes(s row.Schema) []row.Type {
	types := make([]row.Type, len(s.Key))
	for i, k := range s.Key {
		types[i] = s.Columns[k].Type
	}
	return types
}

// KeyOrder returns the functions that turn a record key into order-preserving bytes and
// back, as the versioned store wants them.
func KeyOrder(types []row.Type) (
	order func(string) ([]byte, error), text func([]byte) (string, error),
) {
	order = func(key string) ([]byte, error) {
		vals, err := row.ParseKeyText(types, key)
		if err != nil {
			return nil, err
		}
		return row.AppendKey(nil, vals...), nil
	}
	text = func(b []byte) (string, error) {
		vals, err := row.DecodeKey(b)
		if err != nil {
			return "", err
		}
		return row.KeyText(vals), nil
	}
	return order, text
}
