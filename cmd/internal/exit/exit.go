package exit

import (
	"errors"
	"fmt"

	"github.com/tideline/tideline/views"
)

// The exit codes of tideline. They are stable.
const (
	OK       = 0
	Failure  = 1 // anything not named below
	Usage    = 2 // wrong flags or arguments, a key or time that cannot be read
	NotFinal = 3 // the instant is not final yet, or the deadline passed
	NotFound = 4 // no such pipeline, view or row
	Problems = 5 // tests failed, or lint found problems
	Gone     = 6 // the instant lies before the view's horizon
)

// coded is an error with an exit code of its own.
type coded struct {
	error
	code int
}

func (e coded) Unwrap() error { return e.error }

// ExitCode is what [Code] asks for; other packages' errors may have it too.
func (e coded) ExitCode() int { return e.code }

// With gives err an exit code; nil stays nil.
func With(code int, err error) error {
	if err == nil {
		return nil
	}
	return coded{err, code}
}

// Errorf makes an error with an exit code.
func Errorf(code int, format string, args ...any) error {
	return coded{fmt.Errorf(format, args...), code}
}

// Code returns the exit code of an error.
func Code(err error) int {
	var own interface{ ExitCode() int }
	switch {
	case err == nil:
		return OK
	case errors.As(err, &own):
		return own.ExitCode()
	case errors.Is(err, views.ErrNotFinal):
		return NotFinal
	case errors.Is(err, views.ErrUnknownView), errors.Is(err, views.ErrNoPipeline):
		return NotFound
	case errors.Is(err, views.ErrGone):
		return Gone
	case errors.Is(err, views.ErrBadKey):
		return Usage
	}
	return Failure
}
