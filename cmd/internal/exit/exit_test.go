package exit

import (
	"errors"
	"fmt"
	"testing"

	"github.com/tideline/tideline/views"
)

func TestCode(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, OK},
		{errors.New("x"), Failure},
		{fmt.Errorf("doing: %w", Errorf(Usage, "bad flag")), Usage},
		{With(Problems, errors.New("x")), Problems},
		{fmt.Errorf("doing: %w", &views.NotFinalError{View: "v"}), NotFinal},
		{fmt.Errorf("doing: %w", views.ErrUnknownView), NotFound},
		{views.ErrNoPipeline, NotFound},
		{fmt.Errorf("doing: %w", &views.GoneError{View: "v"}), Gone},
		{views.ErrBadKey, Usage},
	} {
		if got := Code(c.err); got != c.want {
			t.Errorf("Code(%v) = %d, want %d", c.err, got, c.want)
		}
	}
	if With(Usage, nil) != nil {
		t.Error("With(nil) is an error")
	}
}
