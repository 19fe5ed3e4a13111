package pipelinetest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tideline/tideline/cmd/internal/records"
	"github.com/tideline/tideline/processors/spec"
	"github.com/tideline/tideline/timeline"
)

// testCase is a folder, read.
type testCase struct {
	dir      string
	pipeline *spec.Pipeline
	input    []records.Line
	times    []timeline.Time
	expect   *answers // nil: the folder has no such file
	history  *answers
	dead     *answers
}

func load(dir string) (*testCase, error) {
	c := &testCase{dir: dir}
	var err error
	if c.pipeline, err = spec.Load(filepath.Join(dir, "pipeline.yaml")); err != nil {
		return nil, err
	}
	input, err := open(dir, "input.jsonl")
	if err != nil {
		return nil, err
	}
	if input == nil {
		return nil, fmt.Errorf("%s holds no input.jsonl or input.jsonl.gz", dir)
	}
	defer input.Close()
	err = records.Read(input, func(_ int, l records.Line) error {
		c.input = append(c.input, l)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading input of %s: %w", dir, err)
	}
	if err := c.loadTimes(); err != nil {
		return nil, err
	}
	for _, f := range []struct {
		name string
		into **answers
		read func(line) (string, string, error)
	}{
		{"expect.jsonl", &c.expect, expectedRow},
		{"history.jsonl", &c.history, expectedVersion},
		{"dead.jsonl", &c.dead, expectedDead},
	} {
		if *f.into, err = loadAnswers(dir, f.name, f.read); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// open opens name or name.gz in dir; nil if there is neither.
func open(dir, name string) (io.ReadCloser, error) {
	for _, n := range []string{name, name + ".gz"} {
		f, err := records.Open(filepath.Join(dir, n))
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return nil, nil
}

func (c *testCase) loadTimes() error {
	b, err := os.ReadFile(filepath.Join(c.dir, "times.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading instants: %w", err)
	}
	var ms []json.Number
	if err := json.Unmarshal(b, &ms); err != nil {
		return fmt.Errorf("reading %s/times.json: %w", c.dir, err)
	}
	for _, n := range ms {
		t, err := micros(n)
		if err != nil {
			return fmt.Errorf("reading %s/times.json: %w", c.dir, err)
		}
		c.times = append(c.times, t)
	}
	return nil
}

// line is one line of any of the answer files.
type line struct {
	View      string         `json:"view"`
	Key       *string        `json:"key"`
	AsOf      json.Number    `json:"as_of"`
	ValidFrom json.Number    `json:"valid_from"`
	ValidTo   *json.Number   `json:"valid_to"`
	Value     map[string]any `json:"value"`
	Topic     string         `json:"topic"`
	Partition int32          `json:"partition"`
	TS        json.Number    `json:"ts"`
	Reason    string         `json:"reason"`
}

// continues says whether two lines of a history are one interval of a constant value.
func (l *line) continues(next line) bool {
	return l != nil && l.ValidTo != nil && *l.ValidTo == next.ValidFrom && l.View == next.View &&
		l.Key != nil && next.Key != nil && *l.Key == *next.Key &&
		canonical(l.Value) == canonical(next.Value)
}

// answers is a set of answers by what they answer.
type answers struct {
	values map[string][]string // by the question, the canonical answers
	total  int
}

func newAnswers() *answers { return &answers{values: map[string][]string{}} }

func (a *answers) add(question, answer string) {
	a.values[question] = append(a.values[question], answer)
	a.total++
}

func loadAnswers(
	dir, name string, read func(line) (string, string, error),
) (*answers, error) {
	f, err := open(dir, name)
	if err != nil || f == nil {
		return nil, err
	}
	defer f.Close()
	a := newAnswers()
	var last *line
	take := func(l *line) error {
		if l == nil {
			return nil
		}
		question, answer, err := read(*l)
		if err == nil {
			a.add(question, answer)
		}
		return err
	}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		d := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		d.UseNumber()
		var l line
		err := d.Decode(&l)
		if err == nil && last.continues(l) {
			last.ValidTo = l.ValidTo
			continue
		}
		if err == nil {
			err = take(last)
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s/%s, line %d: %w", dir, name, n, err)
		}
		last = &l
	}
	if err := take(last); err != nil {
		return nil, fmt.Errorf("reading %s/%s: %w", dir, name, err)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading %s/%s: %w", dir, name, err)
	}
	return a, nil
}
