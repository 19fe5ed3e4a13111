package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/schollz/progressbar/v3"
)

// bar is a progress bar on a terminal, and nothing elsewhere.
type bar struct{ b *progressbar.ProgressBar }

// progress starts a bar towards total, or one without an end if total is negative.
func (a *app) progress(total int64, what, unit string) bar {
	if a.quiet || a.json || !isTerminal(a.err) {
		return bar{}
	}
	return bar{progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(a.err),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString(unit),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionSetWidth(30),
	)}
}

func (b bar) set(n int64) {
	if b.b != nil {
		_ = b.b.Set64(n) // a bar that cannot be drawn must not stop the work
	}
}

func (b bar) describe(text string) {
	if b.b != nil {
		b.b.Describe(text)
	}
}

func (b bar) finish() {
	if b.b != nil {
		_ = b.b.Finish()
	}
}

// count writes a number of things: "1 row", "2 rows".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return digits(int64(n)) + " " + thing + "s"
}

// digits groups a number by thousands.
func digits(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// size writes a number of bytes for people.
func size(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return count(int(n), "byte")
}

// parseSize reads a number of bytes, such as 64MiB, 1GB or 4096.
func parseSize(s string) (int64, error) {
	units := []struct {
		name string
		size int64
	}{
		{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30},
		{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"", 1},
	}
	for _, u := range units {
		if n := len(s) - len(u.name); n > 0 && s[n:] == u.name {
			v, err := strconv.ParseInt(s[:n], 10, 64)
			if err == nil && v > 0 && v < 1<<62/u.size {
				return v * u.size, nil
			}
		}
	}
	return 0, fmt.Errorf("reading size %q: want a number with KiB, MiB or GiB", s)
}
