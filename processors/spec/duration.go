package spec

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var dayPart = regexp.MustCompile(`([0-9]*\.?[0-9]+)([dw])`)

// ParseDuration reads a duration in Go's syntax plus d (24 hours) and w (7 days):
// "30d", "1w12h", "10000ms". It refuses negative ones.
func ParseDuration(s string) (time.Duration, error) {
	text := strings.TrimSpace(s)
	bad := fmt.Errorf("%q is not a duration; write for example 500ms, 2s, 1h30m, 30d or 2w", s)
	var days time.Duration
	rest := dayPart.ReplaceAllStringFunc(text, func(part string) string {
		n, err := strconv.ParseFloat(part[:len(part)-1], 64)
		unit := 24 * time.Hour
		if part[len(part)-1] == 'w' {
			unit *= 7
		}
		if v := n * float64(unit); err == nil && v < 1<<62 {
			days += time.Duration(v)
		} else {
			days = -1 << 62
		}
		return ""
	})
	if days < 0 {
		return 0, bad
	}
	if rest == "" && text != "" {
		return days, nil
	}
	d, err := time.ParseDuration(rest)
	if err != nil || (rest != text && strings.ContainsAny(rest, "+-")) {
		return 0, bad
	}
	if d < 0 {
		return 0, fmt.Errorf("%q is negative; a duration here must not be", s)
	}
	if d += days; d < 0 {
		return 0, bad
	}
	return d, nil
}
