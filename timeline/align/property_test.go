package align

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// drawManners draws a driver; few records and small memories make spills frequent.
func drawManners(t *rapid.T) manners {
	return manners{
		seed:   rapid.Uint64().Draw(t, "driver"),
		memory: rapid.SampledFrom([]int64{0, 600, 2000, 10000}).Draw(t, "memory"),
		spool:  rapid.Bool().Draw(t, "spool"),
		polite: rapid.Bool().Draw(t, "polite"),
		batch:  rapid.SampledFrom([]int{1, 3, 50}).Draw(t, "batch"),
	}
}

func drawWorld(t *rapid.T) *world {
	seed := rapid.Uint64().Draw(t, "world")
	s := shape{
		inputs: rapid.IntRange(1, 5).Draw(t, "inputs"),
		perLog: rapid.IntRange(0, 60).Draw(t, "per log"),
		span:   int64(rapid.SampledFrom([]int{4, 40, 400}).Draw(t, "span")),
	}
	return randomWorld(rand.New(rand.NewPCG(seed, 1)), s)
}

// However the inputs interleave, whatever the batches, the memory and the spool, the
// deliveries and their stamps are those of the sorted model.
func TestOrderIsThatOfTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, how := drawWorld(t), drawManners(t)
		if err := drive(w, how); err != nil {
			t.Fatalf("%v\n%s", err, w.describe())
		}
	})
}

// Crashes at any step, with any subset marked and commits that reach any subset of the
// inputs, change nothing (A3 to A7).
func TestCrashesDoNotShow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, how := drawWorld(t), drawManners(t)
		how.crashes = rapid.IntRange(1, 6).Draw(t, "crashes")
		how.partial = rapid.Bool().Draw(t, "partial")
		if err := drive(w, how); err != nil {
			t.Fatalf("%v\n%s", err, w.describe())
		}
	})
}

// describe prints a world.
func (w *world) describe() string {
	s := ""
	for i, in := range w.inputs {
		s += fmt.Sprintf("%d: %+v\n", i, in)
		for _, x := range w.logs[i] {
			s += fmt.Sprintf("  %d sender %d at %d", x.offset, x.sender, x.at)
			switch {
			case x.promise:
				s += " promise"
			case x.rejected:
				s += " rejected"
			case x.record.TimeOnly:
				s += " heartbeat"
			default:
				s += fmt.Sprintf(" n %d/%d", x.record.N, x.record.Output)
			}
			if x.record.HasPosition {
				s += fmt.Sprintf(" position %d ties %v", x.record.Position, x.record.TiesAllowed)
			}
			s += "\n"
		}
	}
	return s + fmt.Sprintf("clock: %v\n", w.clock)
}
