package align

import (
	"errors"
	"strings"
	"testing"

	"github.com/tideline/tideline/timeline"
)

func TestNewRefusesWhatDoesNotFit(t *testing.T) {
	two := []Input{{Name: "a"}, {Name: "b", Senders: 2}}
	stale := Progress{Offset: 5, MaxAt: 1, Promises: []timeline.Time{1}}
	far := stale
	far.Cut = Cut{At: 1, Input: 7}
	for want, c := range map[string]struct {
		inputs []Input
		resume []Progress
	}{
		"no inputs":                          {},
		"progress of 1 inputs for 2":         {two, []Progress{{}}},
		"input 0 (x): -1 senders":            {[]Input{{Name: "x", Senders: -1}}, nil},
		"promises of 1 lanes, the input has": {two, []Progress{{}, stale}},
		"cut in lane 7/0":                    {two, []Progress{far, {}}},
	} {
		_, err := New(Config{Inputs: c.inputs}, c.resume)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %s", err, want)
		}
	}
}

// A sender that lags behind the others of its exchange piles up what they say. The memory
// stays bounded, and what comes out is all that went in, in order.
func TestMemoryStaysBounded(t *testing.T) {
	const memory, records = 100_000, 20_000
	spool := &memorySpool{}
	m, err := New(Config{
		Inputs: []Input{{Name: "a", Senders: 2}, {Name: "b"}}, Memory: memory, Spool: spool,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	delivered := 0
	drain := func() {
		for {
			d, due, err := m.Next()
			if err != nil {
				t.Fatal(err)
			}
			if !due {
				break
			}
			if int64(d.Stamp.At) != int64(delivered)+1 {
				t.Fatalf("delivery %d is at %d", delivered, d.Stamp.At)
			}
			delivered++
			m.Mark(d.Ref)
		}
		if m.used() > memory+recordOverhead+100 {
			t.Fatalf("%d bytes in use", m.used())
		}
	}
	for i := range records {
		r := Record{Offset: int64(i), At: timeline.Time(i + 1), Data: make([]byte, 20)}
		if _, _, err := m.Push(r); err != nil {
			t.Fatal(err)
		}
		drain()
	}
	if spool.made == 0 || delivered != 0 {
		t.Fatalf("%d runs, %d delivered", spool.made, delivered)
	}
	m.End(1, records)
	for at := timeline.Time(0); at <= records; at += 100 {
		m.Promise(0, 1, records+int64(at), at, timeline.Exact)
		drain()
	}
	m.Promise(0, 0, 2*records+1, records, timeline.Exact)
	drain()
	if delivered != records || spool.open != 0 {
		t.Fatalf("%d delivered, %d files open", delivered, spool.open)
	}
	if p := m.Progress()[0]; p.Applied != records || p.Offset != 2*records+2 {
		t.Fatalf("%+v", p)
	}
}

// brokenSpool fails at the n-th of creating, writing, reading and closing.
type brokenSpool struct {
	memorySpool
	left int
}

type brokenFile struct {
	SpoolFile
	s *brokenSpool
}

var errBroken = errors.New("no space left")

func (s *brokenSpool) fail() error {
	s.left--
	if s.left < 0 {
		return errBroken
	}
	return nil
}

func (s *brokenSpool) Create() (SpoolFile, error) {
	if err := s.fail(); err != nil {
		return nil, err
	}
	f, err := s.memorySpool.Create()
	return brokenFile{f, s}, err
}

func (f brokenFile) WriteAt(b []byte, at int64) (int, error) {
	if err := f.s.fail(); err != nil {
		return 0, err
	}
	return f.SpoolFile.WriteAt(b, at)
}

func (f brokenFile) ReadAt(b []byte, at int64) (int, error) {
	if err := f.s.fail(); err != nil {
		return 0, err
	}
	return f.SpoolFile.ReadAt(b, at)
}

func (f brokenFile) Close() error {
	return errors.Join(f.s.fail(), f.SpoolFile.Close())
}

func TestSpoolFailuresAreTold(t *testing.T) {
	for left, want := range []string{
		"spilling 9 records of a: no space left",
		"spilling 9 records of a: no space left",
		"reading spilled records back: no space left",
		"deleting a spool file: no space left",
	} {
		m, err := New(Config{
			Inputs: []Input{{Name: "a"}, {Name: "b"}}, Memory: 1400,
			Spool: &brokenSpool{left: left},
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 9 {
			if _, _, err := m.Push(Record{Offset: int64(i), At: 5, Data: []byte("x")}); err != nil {
				t.Fatal(err)
			}
		}
		_, _, err = m.Next()
		m.End(1, 10)
		for due := true; due && err == nil; {
			_, due, err = m.Next()
		}
		if !errors.Is(err, errBroken) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %s", err, want)
		}
	}
}

func TestVerdictsHaveNames(t *testing.T) {
	if s := Accepted.String() + " " + Waiting.String() + " " + Verdict(99).String(); s !=
		"accepted waiting unknown" {
		t.Fatal(s)
	}
}
