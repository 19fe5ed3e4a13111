package pipelinetest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/catalog"
	"github.com/tideline/tideline/timeline/kafka"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/timeline/wire"
	"github.com/tideline/tideline/views"
)

// actual is what was read, as answers and in the form of the files.
type actual struct {
	rows, history, dead *answers
	files               map[string]*bytes.Buffer
}

func (r *run) read(ctx context.Context) (*actual, error) {
	a := &actual{
		rows: newAnswers(), history: newAnswers(), dead: newAnswers(),
		files: map[string]*bytes.Buffer{},
	}
	cfg := views.Config{
		Kafka: r.kafka, Pipeline: r.plan.Pipeline.Name, Dir: filepath.Join(r.tmp, "replica"),
	}
	for _, pv := range r.plan.Views {
		v, err := views.Open(ctx, cfg, pv.Name)
		if err != nil {
			return nil, err
		}
		err = errors.Join(a.readRows(ctx, v, r.c.times), a.readHistory(ctx, v), v.Close())
		if err != nil {
			return nil, err
		}
	}
	return a, a.readDead(ctx, r.kafka, r.plan.Pipeline.Name)
}

func (a *actual) readRows(ctx context.Context, v *views.View, times []timeline.Time) error {
	s := v.Schema()
	for _, t := range times {
		_, err := v.Scan(ctx, views.Range{}, func(r row.Row) (bool, error) {
			key, value := split(s, r)
			fields, err := decode(value)
			if err != nil {
				return false, err
			}
			a.rows.add(rowQuestion(v.Name(), t, key), canonical(fields))
			return true, a.write1("expect.jsonl", outRow{
				View: v.Name(), AsOf: millis(t), Key: key, Value: value,
			})
		}, views.AsOf(t))
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *actual) readHistory(ctx context.Context, v *views.View) error {
	s := v.Schema()
	_, err := v.Histories(ctx, views.Range{}, func(key string, h []views.Version) (bool, error) {
		for _, version := range h {
			_, value := split(s, version.Row)
			fields, err := decode(value)
			if err != nil {
				return false, err
			}
			a.history.add(versionQuestion(v.Name(), key, version.From),
				versionAnswer(version.To, fields))
			out := outVersion{View: v.Name(), Key: key, From: millis(version.From), Value: value}
			if version.To != timeline.MaxTime {
				to := millis(version.To)
				out.To = &to
			}
			if err := a.write1("history.jsonl", out); err != nil {
				return false, err
			}
		}
		return true, nil
	})
	return err
}

// readDead reads the dead letters: each record once, whatever stage buried it.
func (a *actual) readDead(ctx context.Context, k kafka.Config, pipeline string) error {
	seen := map[string]bool{}
	return kafka.ReadAll(ctx, k, catalog.DeadLetterTopic(pipeline), func(r *kgo.Record) error {
		d, err := wire.DecodeDeadLetter(r.Value)
		if err != nil || seen[d.DeadLetterKey()] {
			return err
		}
		seen[d.DeadLetterKey()] = true
		ts := json.Number("")
		if d.At != timeline.MinTime {
			ts = millis(d.At)
		}
		a.dead.add(deadQuestion(d.Topic, d.Partition, d.Key, ts.String(), string(d.Reason)), "dead")
		return a.write1("dead.jsonl", outDead{
			Topic: d.Topic, Partition: d.Partition, Key: d.Key, TS: ts, Reason: string(d.Reason),
		})
	})
}

type outRow struct {
	View  string          `json:"view"`
	AsOf  json.Number     `json:"as_of"`
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
}

type outVersion struct {
	View  string          `json:"view"`
	Key   string          `json:"key"`
	From  json.Number     `json:"valid_from"`
	To    *json.Number    `json:"valid_to"`
	Value json.RawMessage `json:"value"`
}

type outDead struct {
	Topic     string      `json:"topic"`
	Partition int32       `json:"partition"`
	Key       *string     `json:"key"`
	TS        json.Number `json:"ts"`
	Reason    string      `json:"reason"`
}

func (a *actual) write1(file string, v any) error {
	if a.files[file] == nil {
		a.files[file] = new(bytes.Buffer)
	}
	e := json.NewEncoder(a.files[file])
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// write puts what was read into dir.
func (a *actual) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("writing what was read: %w", err)
	}
	names := []string{"expect.jsonl", "history.jsonl", "dead.jsonl"}
	sort.Strings(names)
	for _, name := range names {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			return fmt.Errorf("writing what was read: %w", err)
		}
		w := bufio.NewWriter(f)
		if b := a.files[name]; b != nil {
			_, err = w.Write(b.Bytes())
		}
		if err := errors.Join(err, w.Flush(), f.Close()); err != nil {
			return fmt.Errorf("writing what was read: %w", err)
		}
	}
	return nil
}

// split separates a row into its key's text and a JSON object of the other columns.
func split(s row.Schema, r row.Row) (key string, value json.RawMessage) {
	isKey := make([]bool, len(s.Columns))
	vals := make([]row.Value, len(s.Key))
	for i, k := range s.Key {
		isKey[k], vals[i] = true, r[k]
	}
	b := row.AppendRowJSON(nil, s.Columns, r, func(i int) bool { return isKey[i] })
	return row.KeyText(vals), b
}

func decode(value json.RawMessage) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	var fields map[string]any
	err := d.Decode(&fields)
	return fields, err
}

// millis writes an instant in milliseconds, with a fraction if it has one.
func millis(t timeline.Time) json.Number {
	if t%1000 == 0 {
		return json.Number(fmt.Sprint(int64(t) / 1000))
	}
	text := fmt.Sprintf("%d.%03d", t.Millis(), int64(t)-t.Millis()*1000)
	return json.Number(strings.TrimRight(text, "0"))
}

// judge compares what was read with what the folder expects.
func (r *Result) judge(c *testCase, a *actual) {
	view := func(q string) string { return strings.SplitN(q, " ", 2)[0] }
	if c.expect != nil {
		r.Rows += c.expect.total
		r.Differences = append(r.Differences, compare(c.expect, a.rows, view)...)
	}
	if c.history != nil {
		r.Rows += c.history.total
		r.Differences = append(r.Differences, compare(c.history, a.history,
			func(q string) string { return view(q) + " history" })...)
	}
	if c.dead != nil {
		r.Rows += c.dead.total
		r.Differences = append(r.Differences, compare(c.dead, a.dead,
			func(string) string { return "dead letters" })...)
	}
}
