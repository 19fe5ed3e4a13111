package format

import "bytes"

// The scanner below finds where JSON values end without looking into them. It trusts
// the text to be JSON: what it cuts out is parsed afterwards, or was before.

// eachField calls fn with every field of the object in text, the raw name, the raw
// value and where the value starts, until fn returns false. It reports whether text
// was one object and fn wanted all of it.
func eachField(text []byte, fn func(name, value []byte, start int) bool) bool {
	i := skipSpace(text, 0)
	if i >= len(text) || text[i] != '{' {
		return false
	}
	for {
		i = skipSpace(text, i+1)
		if i >= len(text) || text[i] != '"' {
			return false
		}
		end, ok := skipValue(text, i)
		if !ok {
			return false
		}
		name := text[i+1 : end-1]
		i = skipSpace(text, end)
		if i >= len(text) || text[i] != ':' {
			return false
		}
		start := skipSpace(text, i+1)
		if end, ok = skipValue(text, start); !ok || !fn(name, text[start:end], start) {
			return false
		}
		i = skipSpace(text, end)
		if i >= len(text) {
			return false
		}
		switch text[i] {
		case ',':
		case '}':
			return skipSpace(text, i+1) == len(text)
		default:
			return false
		}
	}
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// skipValue returns where the value starting at b[i] ends; false if it does not.
func skipValue(b []byte, i int) (int, bool) {
	if i >= len(b) {
		return i, false
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipNested(b, i)
	}
	start := i
	for i < len(b) && !endsScalar[b[i]] {
		i++
	}
	return i, i > start
}

var endsScalar = [256]bool{' ': true, '\n': true, '\t': true, '\r': true,
	',': true, '}': true, ']': true, ':': true, '"': true, '{': true, '[': true}

// skipString returns the index after the string whose opening quote is b[i].
func skipString(b []byte, i int) (int, bool) {
	for i++; i < len(b); {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return i, false
		}
		i += n
		slashes := 0
		for b[i-1-slashes] == '\\' { // ends at the opening quote at the latest
			slashes++
		}
		i++
		if slashes%2 == 0 {
			return i, true
		}
	}
	return i, false
}

func skipNested(b []byte, i int) (int, bool) {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1, true
			}
		case '"':
			end, ok := skipString(b, i)
			if !ok {
				return end, false
			}
			i = end
			continue
		}
		i++
	}
	return i, false
}
