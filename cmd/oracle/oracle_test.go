package oracle

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/tideline/tideline/cmd/pipelinetest"
	"github.com/tideline/tideline/processors/operator"
)

// soak is how long the random tests run: TIDELINE_SOAK, else a few seconds.
func soak(t *testing.T, short time.Duration) time.Duration {
	s := os.Getenv("TIDELINE_SOAK")
	if s == "" {
		return short
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatalf("reading TIDELINE_SOAK: %v", err)
	}
	return d
}

func firstSeed() uint64 {
	if os.Getenv("TIDELINE_SOAK") == "" {
		return 1
	}
	return uint64(time.Now().UnixNano())
}

var names = regexp.MustCompile(`"[^"]*"|\bt\d+\b|'[^']*'|\d+`)

// TestKept runs the cases that failed once.
func TestKept(t *testing.T) {
	dirs, err := filepath.Glob("../../testdata/cases/oracle-*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("there are %d folders: %v", len(dirs), err)
	}
	for _, dir := range dirs {
		res, err := pipelinetest.Run(t.Context(), dir, pipelinetest.Options{})
		if err != nil || !res.Passed() {
			t.Errorf("%s: %+v, %v", dir, res, err)
		}
	}
}

// keepFailure makes a failing case smaller, shows it and writes it as a pipeline test.
func keepFailure(t *testing.T, c *trial, check func(*trial) error) {
	end := time.Now().Add(time.Minute)
	homeless := errors.Is(check(c), operator.ErrNullKey) // a smaller query may be at fault itself
	small := c.shrink(func(c *trial) bool {
		if time.Now().After(end) {
			return false
		}
		err := check(c)
		return err != nil && !errors.Is(err, errRefused) &&
			errors.Is(err, operator.ErrNullKey) == homeless
	})
	dir := fmt.Sprintf("../../testdata/cases/oracle-%d", c.seed)
	t.Errorf("seed %d: %v\n%s\n%s\nkept in %s: %v", c.seed, check(small), small.yaml(),
		small.input(), dir, small.write(dir))
}

func TestInMemory(t *testing.T) {
	end := time.Now().Add(soak(t, 15*time.Second))
	refused, cases, failed := 0, 0, 0
	why := map[string]int{}
	for seed := firstSeed(); time.Now().Before(end) && failed < 3; seed++ {
		c := draw(seed, 40)
		cases++
		err := c.check()
		if errors.Is(err, errRefused) {
			refused++
			why[names.ReplaceAllString(err.Error(), "_")]++
		} else if err != nil {
			failed++
			keepFailure(t, c, (*trial).check)
		}
	}
	t.Logf("%d cases, %d refused", cases, refused)
	if refused > cases/20 {
		t.Error("more than one case in twenty is refused")
	}
	for w, n := range why {
		if n > cases/200 {
			t.Logf("%d: %s", n, w)
		}
	}
}

func TestThroughBroker(t *testing.T) {
	end := time.Now().Add(soak(t, 10*time.Second))
	refused, cases, failed := 0, 0, 0
	through := func(c *trial) error { return c.through(t.Context()) }
	for seed := firstSeed() + 1<<40; time.Now().Before(end) && failed < 1; seed++ {
		c := draw(seed, 60)
		cases++
		if err := through(c); errors.Is(err, errRefused) {
			refused++
		} else if err != nil {
			failed++
			t.Logf("seed %d: %v", seed, err)
			keepFailure(t, c, through)
		}
	}
	t.Logf("%d cases, %d refused", cases, refused)
}
