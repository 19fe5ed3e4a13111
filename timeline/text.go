package timeline

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/tideline/tideline/timeline/internal/civil"
)

// String returns t in RFC 3339, UTC with Z, with the fewest of 0, 3 or 6 digits of
// a second that lose nothing; "-inf" for MinTime and "+inf" for MaxTime.
func (t Time) String() string {
	switch t {
	case MinTime:
		return "-inf"
	case MaxTime:
		return "+inf"
	}
	digits := 6
	switch {
	case t%civil.Second == 0:
		digits = 0
	case t%1000 == 0:
		digits = 3
	}
	return string(civil.AppendTime(make([]byte, 0, 32), int64(t), digits))
}

// acceptedTimes lists, for error texts, what ParseTime reads.
const acceptedTimes = "want RFC 3339 (2024-05-01T12:00:00.5Z or 2024-05-01T14:00:00+02:00), " +
	"a date (2024-05-01), milliseconds since 1970 (1714564800000), " +
	"a distance from now (-5m, -1h30m, -2d) or now"

// ParseTime reads an instant as people write it: RFC 3339 or only its date
// (midnight UTC), an integer of milliseconds since the Unix epoch, a signed duration
// relative to now (units w, d, h, m, s, ms, us), or "now". Fractions of a microsecond
// are dropped. The error shows the accepted forms.
func ParseTime(s string, now Time) (Time, error) {
	text := strings.TrimSpace(s)
	if text == "now" {
		return now, nil
	}
	if us, ok := civil.ParseTime(text); ok {
		return Time(us), nil
	}
	if days, ok := civil.ParseDate(text); ok {
		return Time(days * civil.Day), nil
	}
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil && text[0] != '+' {
		if ms > math.MaxInt64/1000 || ms < math.MinInt64/1000 {
			return 0, fmt.Errorf("reading time %q: milliseconds out of range", s)
		}
		return FromMillis(ms), nil
	}
	if d, ok := parseDistance(text); ok {
		if t := now + d; (t < now) == (d < 0) {
			return t, nil
		}
		return 0, fmt.Errorf("reading time %q: out of range", s)
	}
	return 0, fmt.Errorf("reading time %q: %s", s, acceptedTimes)
}

// parseDistance reads a signed duration; Go's own units, and leading weeks and days.
func parseDistance(s string) (Time, bool) {
	if s == "" || s[0] != '-' && s[0] != '+' {
		return 0, false
	}
	var sum time.Duration
	rest := s[1:]
	for _, u := range [...]struct {
		name   byte
		length time.Duration
	}{{'w', 7 * 24 * time.Hour}, {'d', 24 * time.Hour}} {
		i := strings.IndexByte(rest, u.name)
		if i < 0 {
			continue
		}
		n, err := strconv.ParseUint(rest[:i], 10, 16)
		if err != nil {
			return 0, false
		}
		sum += time.Duration(n) * u.length
		rest = rest[i+1:]
	}
	if rest != "" {
		d, err := time.ParseDuration(rest)
		if err != nil || d < 0 || rest[0] == '+' || rest[0] == '-' || sum+d < sum {
			return 0, false
		}
		sum += d
	} else if len(s) == 1 {
		return 0, false
	}
	if s[0] == '-' {
		sum = -sum
	}
	return Duration(sum), true
}
