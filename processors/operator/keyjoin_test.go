package operator

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/timeline/wire"
)

var (
	bigint = row.Type{Kind: row.Bigint}
	text   = row.Type{Kind: row.Text}
)

// pair joins orders(status, qty) and payments(amount, note), of whose columns it keeps
// qty and amount, and reads the time of payments.
func pair(kind JoinKind) *KeyJoin {
	j := &KeyJoin{
		View: "pairs",
		Lanes: []Lane{
			{Name: "o", Columns: []row.Column{{Name: "status", Type: text}, {Name: "qty", Type: bigint}},
				Keep: []int{1}},
			{Name: "y", Columns: []row.Column{{Name: "amount", Type: bigint}, {Name: "note", Type: text}},
				Keep: []int{0}, Time: true},
		},
		Key:  []row.Type{text},
		Root: &Join{Kind: kind, L: Leaf(0), R: Leaf(1)},
		Output: []Column{
			{row.Column{Name: "id", Type: text}, Key{Name: "id"}},
			{row.Column{Name: "qty", Type: bigint}, Field{Lane: 0, Name: "o.qty"}},
			{row.Column{Name: "amount", Type: bigint}, Field{Lane: 1, Name: "y.amount"}},
			{row.Column{Name: "paid_at"}, Time{Lane: 1, Name: "y._time"}},
			{row.Column{Name: "oid", Type: text}, KeyField{Lane: 0, Name: "o.id"}},
		},
	}
	if err := j.Init(); err != nil {
		panic(err)
	}
	return j
}

func order(status string, qty int64) []byte { return row.AppendRow(nil, row.Row{status, qty}) }

func payment(amount int64, note string) []byte { return row.AppendRow(nil, row.Row{amount, note}) }

// step is one change and what must come of it.
type step struct {
	lane    int
	op      wire.Op
	at      timeline.Time
	bytes   []byte
	changed bool
	row     string // "none" for no row
}

func TestKeyJoin(t *testing.T) {
	steps := []step{
		{1, wire.Delete, 1, nil, false, "none"},
		{0, wire.Upsert, 2, order("new", 3), true, "[k 3 <nil> <nil> k]"},
		{0, wire.Upsert, 3, order("old", 3), false, "[k 3 <nil> <nil> k]"}, // status is not kept
		{1, wire.Upsert, 4, payment(5, "a"), true, "[k 3 5 1970-01-01T00:00:00.000004Z k]"},
		{1, wire.Upsert, 4, payment(5, "b"), false, "[k 3 5 1970-01-01T00:00:00.000004Z k]"},
		{1, wire.Upsert, 5, payment(5, "b"), true, "[k 3 5 1970-01-01T00:00:00.000005Z k]"},
		{0, wire.Delete, 6, nil, true, "none"}, // the payment stays in the state
		{0, wire.Upsert, 7, order("new", 9), true, "[k 9 5 1970-01-01T00:00:00.000005Z k]"},
		{1, wire.Delete, 8, nil, true, "[k 9 <nil> <nil> k]"},
		{0, wire.Delete, 9, nil, true, "none"},
		{0, wire.Delete, 10, nil, false, "none"},
	}
	j, prev, had := pair(Left), wire.Version{}, false
	for i, s := range steps {
		next, changed, err := j.Apply(prev, had, s.lane, s.op, s.at, "k", s.bytes)
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		got := "none"
		if had || changed {
			got = versionText(t, next)
		}
		if changed != s.changed || got != s.row {
			t.Fatalf("step %d: changed %v, row %s; want %v, %s", i, changed, got, s.changed, s.row)
		}
		if changed {
			prev, had = next, true
		}
	}
	if len(prev.State) != 0 || len(prev.Row) != 0 {
		t.Fatalf("with no rows left, state and row must be empty: %v", prev)
	}
}

func versionText(t *testing.T, v wire.Version) string {
	t.Helper()
	if v.Deleted {
		if len(v.Row) != 0 {
			t.Fatalf("deleted version has a row: %v", v)
		}
		return "none"
	}
	r, err := row.DecodeRow(v.Row)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(r)
}

// A single lane keeps no state: its row is a function of the change.
func TestOneLane(t *testing.T) {
	lane := Lane{Name: "o", Columns: []row.Column{{Name: "n", Type: bigint}}, Keep: []int{0}}
	j := &KeyJoin{View: "v", Lanes: []Lane{lane}, Key: []row.Type{bigint}, Root: Leaf(0),
		Filter: positive{},
		Output: []Column{{row.Column{Name: "id", Type: bigint}, Key{}},
			{row.Column{Name: "n", Type: bigint}, Field{}}}}
	if err := j.Init(); err != nil {
		t.Fatal(err)
	}
	n := func(i int64) []byte { return row.AppendRow(nil, row.Row{i}) }
	if _, changed, _ := j.Apply(wire.Version{}, false, 0, wire.Upsert, 1, "7", n(-1)); changed {
		t.Fatal("a row that the filter drops changed a view without it")
	}
	v, changed, err := j.Apply(wire.Version{}, false, 0, wire.Upsert, 1, "7", n(4))
	if err != nil || !changed || versionText(t, v) != "[7 4]" || len(v.State) != 0 {
		t.Fatalf("got %v, %v, %v", v, changed, err)
	}
	if _, changed, _ := j.Apply(v, true, 0, wire.Upsert, 2, "7", n(4)); changed {
		t.Fatal("the same row again is no change")
	}
	v, changed, err = j.Apply(v, true, 0, wire.Upsert, 3, "7", n(-4))
	if err != nil || !changed || !v.Deleted {
		t.Fatalf("got %v, %v, %v", v, changed, err)
	}
}

// positive is a filter: lane 0's first column is above zero; 13 fails.
type positive struct{}

func (positive) Eval(e *Env) (row.Value, error) {
	n := e.Lanes[0].Vals[0].(int64)
	if n == 13 {
		return nil, errors.New("bad luck")
	}
	return n > 0, nil
}

func (positive) String() string { return "n > 0" }

func TestApplyErrors(t *testing.T) {
	j := pair(Inner)
	j.Filter = positive{}
	good, _, err := j.Apply(wire.Version{}, false, 0, wire.Upsert, 1, "k", order("new", 1))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		prev wire.Version
		lane int
		op   wire.Op
		row  []byte
		want string
	}{
		{"lane", good, 2, wire.Upsert, nil, "there is no lane 2"},
		{"signed", good, 0, wire.Insert, order("", 1), "has no meaning for a keyed input"},
		{"state", wire.Version{State: []byte{9}}, 1, wire.Delete, nil, "rebuild the view"},
		{"short", good, 1, wire.Upsert, row.AppendRow(nil, row.Row{int64(1)}), "1 columns instead of 2"},
		{"row", good, 1, wire.Upsert, []byte{0xFE}, "taking change of y"},
	} {
		_, _, err := j.Apply(c.prev, true, c.lane, c.op, 1, "k", c.row)
		if err == nil || !strings.Contains(err.Error(), c.want) ||
			!strings.Contains(err.Error(), `view pairs under key "k"`) {
			t.Errorf("%s: got error %v, want %q", c.name, err, c.want)
		}
	}
	bad, _, err := j.Apply(wire.Version{}, false, 0, wire.Upsert, 1, "k", order("new", 13))
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = j.Apply(bad, true, 1, wire.Upsert, 1, "k", payment(1, ""))
	want := `updating view pairs under key "k": evaluating condition n > 0: bad luck`
	if err == nil || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
}

func TestInit(t *testing.T) {
	for name, breakIt := range map[string]func(j *KeyJoin){
		"no lanes":     func(j *KeyJoin) { j.Lanes = nil },
		"no tree":      func(j *KeyJoin) { j.Root = nil },
		"lane missing": func(j *KeyJoin) { j.Root = Leaf(0) },
		"lane twice":   func(j *KeyJoin) { j.Root = &Join{L: Leaf(0), R: Leaf(0)} },
		"lane unknown": func(j *KeyJoin) { j.Root = &Join{L: Leaf(0), R: Leaf(2)} },
		"full and cond": func(j *KeyJoin) {
			j.Root = &Join{Kind: Full, L: Leaf(0), R: Leaf(1), Cond: positive{}}
		},
		"keep order": func(j *KeyJoin) { j.Lanes[0].Keep = []int{1, 0} },
		"keep range": func(j *KeyJoin) { j.Lanes[0].Keep = []int{2} },
	} {
		j := pair(Inner)
		breakIt(j)
		if err := j.Init(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// O1: the same arguments give the same bytes, from any goroutine, and the results do
// not share memory with one another or with what Apply reuses.
func TestConcurrentApply(t *testing.T) {
	j := pair(Full)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			key := fmt.Sprintf("k%d", g)
			var prev wire.Version
			for i := range 200 {
				next, _, err := j.Apply(prev, i > 0, 0, wire.Upsert, 0, key, order("", int64(i)))
				if err != nil || next.Deleted {
					t.Errorf("applying: %v", err)
					return
				}
				prev = next
			}
			if got := versionText(t, prev); got != fmt.Sprintf("[%s 199 <nil> <nil> %s]", key, key) {
				t.Errorf("got %s", got)
			}
		}()
	}
	wg.Wait()
}

// Damaged state answers with an error or with some version, never with a panic.
func TestDamagedState(t *testing.T) {
	j := pair(Full)
	rapid.Check(t, func(t *rapid.T) {
		prev := wire.Version{State: rapid.SliceOf(rapid.Byte()).Draw(t, "state"),
			Row: rapid.SliceOf(rapid.Byte()).Draw(t, "row")}
		bytes := rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
		_, _, _ = j.Apply(prev, true, rapid.IntRange(0, 1).Draw(t, "lane"), wire.Upsert, 1, "k", bytes)
	})
}

func BenchmarkApply(b *testing.B) {
	for _, kind := range []JoinKind{Inner, Full} {
		b.Run(kind.String(), func(b *testing.B) {
			j := pair(kind)
			prev, _, err := j.Apply(wire.Version{}, false, 1, wire.Upsert, 1, "order-1", payment(5, "x"))
			if err != nil {
				b.Fatal(err)
			}
			rows := [][]byte{order("new", 1), order("new", 2)}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if prev, _, err = j.Apply(prev, true, 0, wire.Upsert, 2, "order-1", rows[i&1]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
