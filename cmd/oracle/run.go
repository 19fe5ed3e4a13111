package oracle

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/tideline/tideline/cmd/pipelinetest"
	"github.com/tideline/tideline/timeline"
)

// errRefused says that the planner refuses a query of the case.
var errRefused = errors.New("refused")

// check runs a case in memory and compares every view at every instant.
func (c *trial) check() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	p, err := c.plan()
	if err != nil {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	if len(c.views) == 0 {
		return fmt.Errorf("%w: no query is small enough", errRefused)
	}
	m, w := newMemory(p, c.seed), c.world()
	rest := c.changes
	for _, ms := range c.instants() {
		n := 0
		for n < len(rest) && rest[n].ms == ms {
			n++
		}
		if err := m.instant(c, timeline.FromMillis(ms), rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
		for i, v := range p.Views {
			rows, err := m.rows(v)
			if err != nil {
				return err
			}
			got, want := lines(rows), lines(w.fresh().eval(c.views[i].q, at(ms)).rows)
			if !slices.Equal(got, want) {
				return fmt.Errorf("view %s at %d\n%s\ngot  %q\nwant %q", v.Name, ms, c.views[i].q.sql(),
					got, want)
			}
		}
	}
	return nil
}

// through runs a case end to end on an embedded broker. What must not matter is drawn.
func (c *trial) through(ctx context.Context) error {
	if _, err := c.plan(); err != nil {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	dir, err := os.MkdirTemp("", "tideline-oracle-")
	if err != nil {
		return fmt.Errorf("making folder of the case: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := c.write(dir); err != nil {
		return err
	}
	rnd := rand.New(rand.NewPCG(c.seed, 3))
	o := pipelinetest.Options{ShuffleSeed: int64(rnd.IntN(1000)), Partitions: c.partitions,
		Processes: 1 + rnd.IntN(2), Timeout: time.Minute}
	if rnd.IntN(3) == 0 {
		o.RestartEvery = 10 + rnd.IntN(30)
	}
	res, err := pipelinetest.Run(ctx, dir, o)
	if err != nil {
		return fmt.Errorf("running with %+v: %w", o, err)
	}
	if res.Passed() {
		return nil
	}
	var b strings.Builder
	for _, d := range res.Differences {
		if !d.Agrees() {
			fmt.Fprintf(&b, "%s: %s\n", d.What, strings.Join(d.Examples, "\n  "))
		}
	}
	return fmt.Errorf("with %+v:\n%s", o, b.String())
}
