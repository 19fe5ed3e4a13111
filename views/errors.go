package views

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tideline/tideline/timeline"
)

// The kinds of errors that callers tell apart with errors.Is. The first two are the
// caller's fault, the third is a matter of time, the fourth of retention.
var (
	ErrUnknownView = errors.New("unknown view")
	ErrBadKey      = errors.New("bad key")
	ErrNotFinal    = errors.New("not yet final")
	ErrGone        = errors.New("history is gone")
	// ErrNoPipeline says that no pipeline of that name has run on these brokers.
	ErrNoPipeline = errors.New("unknown pipeline")
)

// NotFinalError says that an instant lies beyond the view's watermark.
type NotFinalError struct {
	View      string
	Asked     timeline.Time
	Watermark timeline.Time // timeline.MinTime: nothing is final yet
}

func (e *NotFinalError) Error() string {
	if e.Watermark == timeline.MinTime {
		return fmt.Sprintf("reading view %s: %v: nothing is; the pipeline has not "+
			"announced a watermark in every partition", e.View, ErrNotFinal)
	}
	behind := ""
	if e.Asked != timeline.MaxTime {
		behind = fmt.Sprintf(", %s behind", time.Duration(e.Asked-e.Watermark)*time.Microsecond)
	}
	return fmt.Sprintf("reading view %s as of %s: %v: its watermark is %s%s",
		e.View, e.Asked, ErrNotFinal, e.Watermark, behind)
}

// Unwrap makes the error an ErrNotFinal.
func (e *NotFinalError) Unwrap() error { return ErrNotFinal }

// GoneError says that an instant lies before the view's horizon.
type GoneError struct {
	View    string
	Asked   timeline.Time
	Horizon timeline.Time
}

func (e *GoneError) Error() string {
	return fmt.Sprintf("reading view %s as of %s: %v: its horizon is %s; "+
		"a longer retention: keeps more", e.View, e.Asked, ErrGone, e.Horizon)
}

// Unwrap makes the error an ErrGone.
func (e *GoneError) Unwrap() error { return ErrGone }

func unknownView(name string, have []string) error {
	return fmt.Errorf("%w %q; the pipeline has %s", ErrUnknownView, name, strings.Join(have, ", "))
}
