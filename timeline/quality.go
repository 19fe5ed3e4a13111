package timeline

import "fmt"

// Quality says what a watermark rests on. Greater is weaker; the zero value is Exact.
type Quality uint8

// The qualities of a watermark, strongest first.
const (
	Exact       Quality = iota // the source's own order or word
	Estimated                  // the greatest event time seen, less the declared lateness
	IdleAssumed                // a quiet partition, believed complete by the clock topic
	Forced                     // advanced by hand
)

// Weaker returns the weaker of q and o, the quality of something built on both.
func (q Quality) Weaker(o Quality) Quality { return max(q, o) }

// String returns the quality in lower case words: "exact", "estimated",
// "idle-assumed" or "forced".
func (q Quality) String() string {
	switch q {
	case Exact:
		return "exact"
	case Estimated:
		return "estimated"
	case IdleAssumed:
		return "idle-assumed"
	case Forced:
		return "forced"
	}
	return fmt.Sprintf("quality(%d)", uint8(q))
}
