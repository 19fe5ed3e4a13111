package feed

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tideline/tideline/timeline"
)

// seal is the promise of a bounded replay, which rests on nothing in the log: whatever
// stands in the partition at offset end or behind it is later than at. It is committed
// before anybody hears of it. If it were not, a replay that tells its readers that all is
// final and dies before it commits would leave a successor who takes earlier changes,
// and changes what was final.
type seal struct {
	end int64
	at  timeline.Time
}

func appendSeals(dst []byte, seals []seal) []byte {
	for i, s := range seals {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(dst, s.end, 10)
		dst = append(dst, ':')
		dst = strconv.AppendInt(dst, int64(s.at), 10)
	}
	return dst
}

func parseSeals(text string) ([]seal, error) {
	if text == "" {
		return nil, nil
	}
	var out []seal
	for part := range strings.SplitSeq(text, ",") {
		end, at, _ := strings.Cut(part, ":")
		e, err := strconv.ParseInt(end, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("seal %q: %w", part, err)
		}
		a, err := strconv.ParseInt(at, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("seal %q: %w", part, err)
		}
		out = append(out, seal{e, timeline.Time(a)})
	}
	return out, nil
}

// resumeSeals takes over the seals of a commit that its progress does not hold yet. A
// bounded replay goes as far as another has gone that knew a later end.
func (w *worker) resumeSeals(i int, c *committedInput) {
	l := &w.lanes[i]
	for _, s := range c.seals {
		if len(c.progress.Promises) != 1 || c.progress.Promises[0] < s.at {
			l.seals = append(l.seals, s)
			if l.end >= 0 {
				l.end = max(l.end, s.end)
			}
		}
	}
}

// passSeals promises the merge what the seals say that lie before the lane's next record.
func (w *worker) passSeals(i int, next int64) {
	l := &w.lanes[i]
	for l.passed < len(l.seals) && l.seals[l.passed].end <= next {
		w.merge.Promise(i, 0, next-1, l.seals[l.passed].at, timeline.Exact)
		l.passed++
	}
}

// sealed says whether it is committed that lane i has nothing at or before at behind its
// end, and asks for the commit if it is not.
func (w *worker) sealed(i int, at timeline.Time) bool {
	l := &w.lanes[i]
	n := len(l.seals)
	if n == 0 || l.seals[n-1].end < l.end {
		l.seals = append(l.seals, seal{end: l.end, at: at})
		l.passed = len(l.seals) // it takes effect with the end of the lane
		w.sealing = true
	} else if l.seals[n-1].at < at {
		l.seals[n-1].at = at
		w.sealing = true
	}
	durable := w.durable.Load()
	if durable == nil {
		return false
	}
	s := (*durable)[i]
	return len(s) > 0 && s[len(s)-1].end >= l.end && s[len(s)-1].at >= at
}

// commitSeals has new seals committed without delay.
func (w *worker) commitSeals() {
	if !w.sealing {
		return
	}
	w.sealing = false
	w.snap(true)
	select {
	case w.s.hurry <- struct{}{}:
	default: // a commit is due already
	}
}

// committed is told that a snapshot has been committed.
func (w *worker) committed(snap *snapshot) {
	w.durable.Store(&snap.seals)
	select {
	case w.wake <- struct{}{}:
	default:
	}
}
