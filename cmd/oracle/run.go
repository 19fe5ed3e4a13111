package oracle

import (
	"errors"
	"fmt"
	"slices"

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
			got, want := lines(rows), lines(w.eval(c.views[i].q, at(ms)).rows)
			if !slices.Equal(got, want) {
				return fmt.Errorf("view %s at %d\n%s\ngot  %q\nwant %q", v.Name, ms, c.views[i].q.sql(),
					got, want)
			}
		}
	}
	return nil
}
