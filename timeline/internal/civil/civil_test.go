package civil

import (
	"testing"
	"time"
)

// TestEveryDate goes through all days of years 0 to 9999 beside package time.
func TestEveryDate(t *testing.T) {
	at := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	buf := make([]byte, 0, 16)
	std := make([]byte, 0, 16)
	for days := int64(MinDays); days <= MaxDays; days++ {
		buf = AppendDate(buf[:0], days)
		std = at.AppendFormat(std[:0], time.DateOnly)
		got, ok := ParseDate(string(buf))
		if string(buf) != string(std) || !ok || got != days {
			t.Fatalf("day %d is %s, want %s; it reads as %d, %v", days, buf, std, got, ok)
		}
		at = at.AddDate(0, 0, 1)
	}
}

func TestOtherYears(t *testing.T) {
	for days, want := range map[int64]string{
		MaxDays + 1: "+10000-01-01", MinDays - 1: "-1-12-31", 1 << 31: "+5881580-07-12",
	} {
		if got := string(AppendDate(nil, days)); got != want {
			t.Errorf("day %d: got %s, want %s", days, got, want)
		}
		if _, ok := ParseDate(want); ok {
			t.Errorf("%s was read", want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, s := range []string{"", "2024-05-01", "2024-05-01T12:00:00", "2024-05-01T24:00:00Z",
		"2024-05-01T12:60:00Z", "2024-05-01T12:00:60Z", "2024-05-01T12:00:00.Z",
		"2024-05-01T12:00:00ZZ", "2024-05-01T12:00:00+0200", "2024-05-01T12:00:00+24:00",
		"2023-02-29T12:00:00Z", "2024-00-01T12:00:00Z", "2024-01-00T12:00:00Z",
		"2024-05-01x12:00:00Z", "2024-05-01T12:00:00+", "2024-05-01T12:00:00.5"} {
		if got, ok := ParseTime(s); ok {
			t.Errorf("%q reads as %d", s, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("2024-05-01T12:00:00.5+02:00")
	f.Fuzz(func(t *testing.T, s string) {
		if days, ok := ParseDate(s); ok && string(AppendDate(nil, days)) != s {
			t.Fatalf("%q reads as day %d", s, days)
		}
		_, _ = ParseTime(s) // whatever it says, it does not panic
	})
}
