package pipelinetest

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"sort"
	"strings"

	"github.com/tideline/tideline/timeline"
)

// Questions and answers are texts: "view @ instant key" and the canonical value. Numbers
// compare by value, strings bytewise.

func rowQuestion(view string, asOf timeline.Time, key string) string {
	return fmt.Sprintf("%s as of %d key %q", view, int64(asOf), key)
}

func versionQuestion(view, key string, from timeline.Time) string {
	return fmt.Sprintf("%s key %q from %d", view, key, int64(from))
}

func deadQuestion(topic string, partition int32, key *string, ts, reason string) string {
	k := "null"
	if key != nil {
		k = fmt.Sprintf("%q", *key)
	}
	return fmt.Sprintf("%s/%d key %s at %s: %s", topic, partition, k, ts, reason)
}

func expectedRow(l line) (string, string, error) {
	t, err := micros(l.AsOf)
	if err != nil {
		return "", "", fmt.Errorf("as_of: %w", err)
	}
	if l.Key == nil {
		return "", "", fmt.Errorf("key is missing")
	}
	return rowQuestion(l.View, t, *l.Key), canonical(l.Value), nil
}

func expectedVersion(l line) (string, string, error) {
	from, err := micros(l.ValidFrom)
	if err != nil {
		return "", "", fmt.Errorf("valid_from: %w", err)
	}
	if l.Key == nil {
		return "", "", fmt.Errorf("key is missing")
	}
	to := timeline.MaxTime
	if l.ValidTo != nil {
		if to, err = micros(*l.ValidTo); err != nil {
			return "", "", fmt.Errorf("valid_to: %w", err)
		}
	}
	return versionQuestion(l.View, *l.Key, from), versionAnswer(to, l.Value), nil
}

func versionAnswer(to timeline.Time, value map[string]any) string {
	return fmt.Sprintf("to %s: %s", to, canonical(value))
}

func expectedDead(l line) (string, string, error) {
	return deadQuestion(l.Topic, l.Partition, l.Key, l.TS.String(), l.Reason), "dead", nil
}

// micros reads milliseconds, possibly with a fraction.
func micros(n json.Number) (timeline.Time, error) {
	r, ok := new(big.Rat).SetString(n.String())
	if !ok {
		return 0, fmt.Errorf("%q is not a number of milliseconds", n)
	}
	r.Mul(r, big.NewRat(1000, 1))
	if !r.IsInt() || !r.Num().IsInt64() {
		return 0, fmt.Errorf("%q ms is no whole number of microseconds", n)
	}
	return timeline.Time(r.Num().Int64()), nil
}

// canonical returns the one text of a JSON value: sorted fields, numbers by value.
// Booleans count as 1 and 0, as they do in SQL.
func canonical(v any) string {
	var b strings.Builder
	writeCanonical(&b, v)
	return b.String()
}

func writeCanonical(b *strings.Builder, v any) {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		if v {
			b.WriteString("1")
		} else {
			b.WriteString("0")
		}
	case json.Number:
		if r, ok := new(big.Rat).SetString(v.String()); ok {
			b.WriteString(r.RatString())
		} else {
			b.WriteString(v.String())
		}
	case string:
		fmt.Fprintf(b, "%q", v)
	case []any:
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			writeCanonical(b, e)
		}
		b.WriteByte(']')
	case map[string]any:
		names := make([]string, 0, len(v))
		for n := range v {
			names = append(names, n)
		}
		sort.Strings(names)
		b.WriteByte('{')
		for i, n := range names {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(n + ": ")
			writeCanonical(b, v[n])
		}
		b.WriteByte('}')
	default:
		fmt.Fprintf(b, "%v", v)
	}
}

// Difference is how answers differ from what was expected.
type Difference struct {
	What                  string // a view, its history, or the dead letters
	Expected              int
	Wrong, Missing, Extra int
	Examples              []string
}

// Agrees says whether there is no difference.
func (d *Difference) Agrees() bool { return d.Wrong+d.Missing+d.Extra == 0 }

const examples = 5

func (d *Difference) example(format string, args ...any) {
	if len(d.Examples) < examples {
		d.Examples = append(d.Examples, fmt.Sprintf(format, args...))
	}
}

// compare holds actual against expected. group tells which report a question belongs to.
func compare(expected, actual *answers, group func(question string) string) []*Difference {
	reports := map[string]*Difference{}
	report := func(question string) *Difference {
		g := group(question)
		if reports[g] == nil {
			reports[g] = &Difference{What: g}
		}
		return reports[g]
	}
	for _, q := range questions(expected, actual) {
		want, got := expected.values[q], actual.values[q]
		slices.Sort(want)
		slices.Sort(got)
		d := report(q)
		d.Expected += len(want)
		for i := range max(len(want), len(got)) {
			switch {
			case i >= len(got):
				d.Missing++
				d.example("missing: %s: %s", q, want[i])
			case i >= len(want):
				d.Extra++
				d.example("extra:   %s: %s", q, got[i])
			case want[i] != got[i]:
				d.Wrong++
				d.example("wrong:   %s: want %s, have %s", q, want[i], got[i])
			}
		}
	}
	out := make([]*Difference, 0, len(reports))
	for _, d := range reports {
		out = append(out, d)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].What < out[j].What })
	return out
}

func questions(a, b *answers) []string {
	all := make([]string, 0, len(a.values))
	for q := range a.values {
		all = append(all, q)
	}
	for q := range b.values {
		if _, ok := a.values[q]; !ok {
			all = append(all, q)
		}
	}
	sort.Strings(all)
	return all
}
