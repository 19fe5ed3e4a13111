package plan

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/tideline/tideline/processors/spec"
)

// Error says why a view cannot be planned, and where its SQL says so.
type Error struct {
	View string
	// Pos is the place in the pipeline file, or in the view's SQL if File is empty;
	// the zero value if it is not known.
	Pos spec.Position
	Msg string // what is wrong, and what to write instead

	general bool // joins on the key cannot express it, other operators may
}

// Error returns "file:line:col: view name: message".
func (e *Error) Error() string {
	switch {
	case e.Pos.Line == 0:
		return fmt.Sprintf("view %s: %s", e.View, e.Msg)
	case e.Pos.File == "":
		return fmt.Sprintf("view %s: SQL line %d, column %d: %s",
			e.View, e.Pos.Line, e.Pos.Column, e.Msg)
	}
	return fmt.Sprintf("%s: view %s: %s", e.Pos, e.View, e.Msg)
}

// source is a view's SQL text, to find places in.
type source struct {
	view   *spec.View
	masked string // the SQL with literals, quoted names and comments blanked
}

var quoted = regexp.MustCompile(`(?s)'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|` +
	"`[^`]*`" + `|/\*.*?\*/|--[ \t][^\n]*|#[^\n]*`)

func newSource(v *spec.View) *source {
	return &source{view: v, masked: quoted.ReplaceAllStringFunc(v.SQL, func(s string) string {
		return strings.Repeat(" ", len(s))
	})}
}

// at returns the error for the byte offset; a negative one for no known place.
func (s *source) at(offset int, format string, args ...any) error {
	e := &Error{View: s.view.Name, Msg: fmt.Sprintf(format, args...)}
	if offset < 0 || offset > len(s.view.SQL) {
		e.Pos = s.view.Pos
		return e
	}
	before := s.view.SQL[:offset]
	line := strings.Count(before, "\n")
	col := offset - (strings.LastIndexByte(before, '\n') + 1) + 1
	e.Pos = spec.Position{Line: line + 1, Column: col}
	if s.view.SQLLine > 0 {
		e.Pos.File = s.view.Pos.File
		e.Pos.Line = s.view.SQLLine + line
		e.Pos.Column = col + max(s.view.SQLColumn-1, 0)
	}
	return e
}

// near returns the error for the first place that matches the pattern, which is
// matched without regard to case, outside literals and comments.
func (s *source) near(pattern, format string, args ...any) error {
	offset := -1
	if loc := regexp.MustCompile(`(?i)` + pattern).FindStringIndex(s.masked); loc != nil {
		offset = loc[0]
	}
	return s.at(offset, format, args...)
}

// later is near for what a join on the keys cannot express but other operators may.
func (s *source) later(pattern, format string, args ...any) error {
	err := s.near(pattern, format, args...)
	var e *Error
	if errors.As(err, &e) {
		e.general = true
	}
	return err
}

// word is the pattern for a name as a whole word.
func word(name string) string {
	p := regexp.QuoteMeta(name)
	if regexp.MustCompile(`^\w`).MatchString(name) {
		p = `\b` + p
	}
	if regexp.MustCompile(`\w$`).MatchString(name) {
		p += `\b`
	}
	return p
}
