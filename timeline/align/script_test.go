package align

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/tideline/tideline/timeline"
)

// TestScripts runs testdata/*.txt, one merge a file. Times are bare microseconds.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		s := &script{refs: map[string]Ref{}}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			s.out.Reset()
			s.run(t, d)
			if s.out.Len() == 0 {
				return "ok\n"
			}
			return s.out.String()
		})
	})
}

type script struct {
	cfg  Config
	m    *Merge
	out  strings.Builder
	refs map[string]Ref // by "input/offset"
	kept []Progress
}

func (s *script) printf(format string, args ...any) { fmt.Fprintf(&s.out, format, args...) }

// arg scans an integer argument, with a default.
func arg(t *testing.T, d *datadriven.TestData, name string, value int64) int64 {
	d.MaybeScanArgs(t, name, &value)
	return value
}

func (s *script) run(t *testing.T, d *datadriven.TestData) {
	input := int(arg(t, d, "in", 0))
	offset := arg(t, d, "offset", 0)
	at := timeline.Time(arg(t, d, "at", 0))
	sender := int32(arg(t, d, "sender", 0))
	switch d.Cmd {
	case "new":
		// new [memory=BYTES]
		// NAME [log | disordered LATENESS | senders N] [clocked]
		//
		// Starts a merge of the inputs named, one a line.
		s.new(t, d)
	case "push":
		// push in=I offset=O at=T [sender=S n=N output=K] [pos=P [ties]] [heartbeat]
		//
		// Pushes a record and prints its verdict.
		r := Record{Input: input, Sender: sender, Offset: offset, At: at,
			N: uint64(arg(t, d, "n", 0)), Output: uint32(arg(t, d, "output", 0)),
			HasPosition: d.HasArg("pos"), Position: arg(t, d, "pos", 0),
			TiesAllowed: d.HasArg("ties"), TimeOnly: d.HasArg("heartbeat")}
		v, ref, err := s.m.Push(r)
		if err != nil {
			s.printf("error: %v\n", err)
			return
		}
		s.refs[fmt.Sprintf("%d/%d", input, offset)] = ref
		s.printf("%v\n", v)
	case "reject":
		// reject in=I offset=O
		//
		// Takes the place of a record that cannot be decoded.
		s.refs[fmt.Sprintf("%d/%d", input, offset)] = s.m.Reject(input, offset)
	case "promise":
		// promise in=I offset=O at=T [sender=S] [quality=Q]
		//
		// A watermark record in band.
		s.m.Promise(input, sender, offset, at, timeline.Quality(arg(t, d, "quality", 0)))
	case "clock":
		// clock in=I end=E at=T
		//
		// An entry of the clock topic; prints what it proves late.
		s.m.Clock(input, arg(t, d, "end", 0), at)
		s.printLate()
	case "reached":
		// reached in=I offset=O
		//
		// Everything below the offset has been pushed.
		s.m.Reached(input, offset)
	case "end":
		// end in=I at=T
		//
		// The input is complete up to T.
		s.m.End(input, at)
		s.printLate()
	case "next":
		// next
		//
		// Delivers all that is due, then prints the watermark and what holds it back.
		s.next()
	case "mark":
		// mark INPUT/OFFSET ...
		//
		// Marks deliveries and dead letters.
		for _, a := range d.CmdArgs {
			s.m.Mark(s.refs[a.Key])
		}
	case "progress":
		// progress
		//
		// Prints what would be committed, and keeps it for resume.
		s.kept = s.m.Progress()
		s.printProgress()
	case "resume":
		// resume
		//
		// Starts anew with the progress kept.
		m, err := New(s.cfg, s.kept)
		if err != nil {
			s.printf("error: %v\n", err)
			return
		}
		s.m = m
	case "wants":
		// wants
		//
		// Prints which inputs are to be fetched, and what is buffered.
		for i := range s.cfg.Inputs {
			s.printf("%s: %v\n", s.cfg.Inputs[i].Name, s.m.Wants(i))
		}
		n, b := s.m.Buffered()
		s.printf("%d records, %d bytes\n", n, b)
	default:
		t.Fatalf("unknown verb %s", d.Cmd)
	}
}

func (s *script) new(t *testing.T, d *datadriven.TestData) {
	s.cfg = Config{Memory: arg(t, d, "memory", 0), Spool: &memorySpool{}}
	for _, line := range strings.Split(strings.TrimSpace(d.Input), "\n") {
		words := strings.Fields(line)
		in := Input{Name: words[0]}
		for i, word := range words {
			switch word {
			case "disordered":
				in.Disordered = true
				fmt.Sscan(words[i+1], (*int64)(&in.Lateness))
			case "senders":
				fmt.Sscan(words[i+1], &in.Senders)
			case "clocked":
				in.Clocked = true
			}
		}
		s.cfg.Inputs = append(s.cfg.Inputs, in)
	}
	m, err := New(s.cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.m = m
}

func (s *script) printLate() {
	for r, ref, ok := s.m.NextLate(); ok; r, ref, ok = s.m.NextLate() {
		s.refs[fmt.Sprintf("%d/%d", r.Input, r.Offset)] = ref
		s.printf("late: %s offset %d\n", s.cfg.Inputs[r.Input].Name, r.Offset)
	}
}

func (s *script) next() {
	for {
		x, due, err := s.m.Next()
		if err != nil {
			s.printf("error: %v\n", err)
		}
		if !due {
			break
		}
		r := x.Record
		s.refs[fmt.Sprintf("%d/%d", r.Input, r.Offset)] = x.Ref
		s.printf("%d.%d: %s offset %d", int64(x.Stamp.At), x.Stamp.N,
			s.cfg.Inputs[r.Input].Name, r.Offset)
		if s.cfg.Inputs[r.Input].Senders > 0 {
			s.printf(" sender %d (%d, %d)", r.Sender, r.N, r.Output)
		}
		s.printf("\n")
	}
	w, q := s.m.Watermark()
	s.printf("watermark %s %v; held by", bare(w), q)
	for _, h := range s.m.Holding() {
		s.printf(" %s/%d from %s", s.cfg.Inputs[h.Input].Name, h.Sender, bare(h.Bound))
	}
	s.printf("\n")
}

// bare prints a time as a number, or where it has none.
func bare(t timeline.Time) string {
	switch {
	case t <= timeline.MinTime+1:
		return "-inf"
	case t == timeline.MaxTime:
		return "+inf"
	}
	return fmt.Sprint(int64(t))
}

func (s *script) printProgress() {
	for i, p := range s.kept {
		s.printf("%s: offset %d max %s", s.cfg.Inputs[i].Name, p.Offset, bare(p.MaxAt))
		if p.HasPosition {
			s.printf(" position %d", p.Position)
		}
		s.printf(" promises")
		for _, w := range p.Promises {
			s.printf(" %s", bare(w))
		}
		s.printf(" read %d = %d applied + %d duplicates + %d dead + %d heartbeats "+
			"(%d late, %d raised)\n", p.Read, p.Applied, p.Duplicates, p.DeadLettered,
			p.Heartbeats, p.Late, p.Raised)
	}
	c := s.kept[0].Cut
	s.printf("cut %s.%d in %d/%d at (%d, %d), watermark %s %v\n", bare(c.At), c.N, c.Input,
		c.Sender, c.Seq, c.Output, bare(s.kept[0].Watermark), s.kept[0].Quality)
}
