package civil

import "strconv"

// Microseconds in a day and in a second.
const (
	Day    = 24 * 60 * 60 * Second
	Second = 1_000_000
)

// Bounds of what can be written as text and read back: the years 0 to 9999.
const (
	MinDays   = -719528             // 0000-01-01
	MaxDays   = 2932896             // 9999-12-31
	MinMicros = MinDays * Day       // 0000-01-01T00:00:00Z
	MaxMicros = (MaxDays+1)*Day - 1 // 9999-12-31T23:59:59.999999Z
)

// Days of the 400 years after which the calendar repeats, and the day number,
// counted from 0000-03-01, of 1970-01-01. Years are taken to begin in March, so
// that the leap day is their last.
const (
	cycleDays  = 146097
	epochShift = 719468
)

// AppendDate appends days since 1970-01-01 as YYYY-MM-DD.
func AppendDate(dst []byte, days int64) []byte {
	y, m, d := fromDays(days)
	switch {
	case y > 9999:
		dst = strconv.AppendInt(append(dst, '+'), y, 10)
	case y < 0:
		dst = strconv.AppendInt(dst, y, 10)
	default:
		dst = append2(append2(dst, int(y/100)), int(y%100))
	}
	dst = append2(append(dst, '-'), m)
	return append2(append(dst, '-'), d)
}

// AppendTime appends microseconds since the epoch in RFC 3339 with Z, with the
// first digits of the second's fraction (0 to 6); finer ones are cut off.
func AppendTime(dst []byte, micros int64, digits int) []byte {
	days, rest := floorDiv(micros, Day)
	dst = append(AppendDate(dst, days), 'T')
	sec := int(rest / Second)
	dst = append(append2(dst, sec/3600), ':')
	dst = append(append2(dst, sec/60%60), ':')
	dst = append2(dst, sec%60)
	if digits > 0 {
		frac := int(rest % Second)
		dst = append(dst, '.')
		for unit := 100_000; digits > 0 && unit > 0; digits-- {
			dst = append(dst, byte('0'+frac/unit%10))
			unit /= 10
		}
	}
	return append(dst, 'Z')
}

// ParseDate reads YYYY-MM-DD, a date of the calendar.
func ParseDate(s string) (days int64, ok bool) {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return 0, false
	}
	century, ok1 := parse2(s)
	year, ok2 := parse2(s[2:])
	m, ok3 := parse2(s[5:])
	d, ok4 := parse2(s[8:])
	if !ok1 || !ok2 || !ok3 || !ok4 || m < 1 || m > 12 || d < 1 {
		return 0, false
	}
	y := int64(century*100 + year)
	if d > daysIn(y, m) {
		return 0, false
	}
	return toDays(y, m, d), true
}

// ParseTime reads an RFC 3339 time with any offset; T, t or a blank separates date
// and time. Digits finer than a microsecond are dropped. Leap seconds are refused.
func ParseTime(s string) (micros int64, ok bool) {
	const least = len("2006-01-02T15:04:05Z")
	if len(s) < least || s[13] != ':' || s[16] != ':' {
		return 0, false
	}
	if c := s[10]; c != 'T' && c != 't' && c != ' ' {
		return 0, false
	}
	days, ok := ParseDate(s[:10])
	h, ok1 := parse2(s[11:])
	m, ok2 := parse2(s[14:])
	sec, ok3 := parse2(s[17:])
	if !ok || !ok1 || !ok2 || !ok3 || h > 23 || m > 59 || sec > 59 {
		return 0, false
	}
	micros = days*Day + int64(h*3600+m*60+sec)*Second
	frac, s, ok := parseFraction(s[19:])
	if !ok {
		return 0, false
	}
	offset, ok := parseOffset(s)
	return micros + frac - offset, ok
}

// parseFraction reads an optional ".digits" and returns it in microseconds, with
// what follows it.
func parseFraction(s string) (micros int64, rest string, ok bool) {
	if s == "" || s[0] != '.' {
		return 0, s, true
	}
	i, unit := 1, int64(Second/10)
	for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		micros += int64(s[i]-'0') * unit
		unit /= 10
	}
	return micros, s[i:], i > 1
}

// parseOffset reads Z, z or ±hh:mm, the whole of s, in microseconds east of UTC.
func parseOffset(s string) (micros int64, ok bool) {
	if s == "Z" || s == "z" {
		return 0, true
	}
	if len(s) != 6 || s[3] != ':' || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	h, ok1 := parse2(s[1:])
	m, ok2 := parse2(s[4:])
	if !ok1 || !ok2 || h > 23 || m > 59 {
		return 0, false
	}
	micros = int64(h*60+m) * 60 * Second
	if s[0] == '-' {
		micros = -micros
	}
	return micros, true
}

func fromDays(days int64) (y int64, m, d int) {
	era, doe := floorDiv(days+epochShift, cycleDays)
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153 // months since March
	d = int(doy - (153*mp+2)/5 + 1)
	y = yoe + era*400
	if mp < 10 {
		return y, int(mp + 3), d
	}
	return y + 1, int(mp - 9), d
}

func toDays(y int64, m, d int) int64 {
	mp := int64(m+9) % 12
	if m <= 2 {
		y--
	}
	era, yoe := floorDiv(y, 400)
	doy := (153*mp+2)/5 + int64(d) - 1
	return era*cycleDays + yoe*365 + yoe/4 - yoe/100 + doy - epochShift
}

func daysIn(y int64, m int) int {
	switch m {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

func floorDiv(a, b int64) (quo, rest int64) {
	quo, rest = a/b, a%b
	if rest < 0 {
		quo, rest = quo-1, rest+b
	}
	return quo, rest
}

func append2(dst []byte, n int) []byte {
	return append(dst, byte('0'+n/10), byte('0'+n%10))
}

func parse2(s string) (int, bool) {
	hi, lo := s[0]-'0', s[1]-'0'
	return int(hi)*10 + int(lo), hi <= 9 && lo <= 9
}
