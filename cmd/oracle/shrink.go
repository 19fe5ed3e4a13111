package oracle

import "slices"

// shrink makes a case smaller as long as it fails: fewer views, changes and streams, and
// smaller queries.
func (c *trial) shrink(fails func(*trial) bool) *trial {
	for {
		smaller := c.step(fails)
		if smaller == nil {
			return c
		}
		c = smaller
	}
}

func (c *trial) step(fails func(*trial) bool) *trial {
	for i := range c.views {
		out := *c
		out.views = slices.Delete(slices.Clone(c.views), i, i+1)
		if len(out.views) > 0 && out.whole() && fails(&out) {
			return &out
		}
	}
	for n := len(c.changes) / 2; n > 0; n /= 2 {
		for i := 0; i+n <= len(c.changes); i += n {
			out := *c
			out.changes = slices.Delete(slices.Clone(c.changes), i, i+n)
			if fails(&out) {
				return &out
			}
		}
	}
	for i, v := range c.views {
		for _, q := range v.q.smaller() {
			out := *c
			out.views = slices.Clone(c.views)
			out.views[i].q = q
			if out.whole() && fails(&out) {
				return &out
			}
		}
	}
	if c.partitions > 1 {
		out := *c
		out.partitions--
		if fails(&out) {
			return &out
		}
	}
	return nil
}

// whole says whether every table and column that a query names is there.
func (c *trial) whole() (ok bool) {
	defer func() { ok = recover() == nil }()
	w := c.world()
	for _, v := range c.views {
		w.views[v.name].bind(w, c)
	}
	return true
}

// bind evaluates a query's expressions over no row: it panics where a name is unknown.
func (q *query) bind(w *world, c *trial) {
	s := &scope{cols: q.from.bind(w, c)}
	exprs := append([]expr{q.where, q.having}, q.groups...)
	for _, it := range q.items {
		exprs = append(exprs, it.expr)
	}
	for _, e := range exprs {
		if e != nil {
			visit(e, func(e expr) {
				if r, ok := e.(colRef); ok {
					r.eval(s)
				}
			})
		}
	}
}

func (f *from) bind(w *world, c *trial) []column {
	if f.l != nil {
		cols := append(f.l.bind(w, c), f.r.bind(w, c)...)
		visit(f.on, func(e expr) {
			if r, ok := e.(colRef); ok {
				r.eval(&scope{cols: cols})
			}
		})
		return cols
	}
	if f.sub != nil {
		f.sub.bind(w, c)
	}
	if f.asOf != "" {
		return append([]column{}, w.from(f, 0).cols...)
	}
	return w.from(f, 0).cols
}

func visit(e expr, f func(expr)) {
	f(e)
	for _, x := range operands(e) {
		visit(x, f)
	}
}

func operands(e expr) []expr {
	switch e := e.(type) {
	case binary:
		return []expr{e.l, e.r}
	case not:
		return []expr{e.x}
	case isNull:
		return []expr{e.x}
	case coalesce:
		return e.args
	case aggregate:
		if e.arg != nil {
			return []expr{e.arg}
		}
	}
	return nil
}

// smaller returns queries with one part less.
func (q *query) smaller() (out []*query) {
	add := func(change func(*query)) {
		x := *q
		change(&x)
		out = append(out, &x)
	}
	for _, f := range q.from.smaller() {
		add(func(x *query) { x.from = f })
	}
	if q.where != nil {
		add(func(x *query) { x.where = nil })
		for _, e := range operands(q.where) {
			if condition(e) {
				add(func(x *query) { x.where = e })
			}
		}
	}
	if q.having != nil && len(q.groups) > 0 {
		add(func(x *query) { x.having = nil })
		for _, e := range operands(q.having) {
			if condition(e) {
				add(func(x *query) { x.having = e })
			}
		}
	}
	if q.distinct {
		add(func(x *query) { x.distinct = false })
	}
	for i := range q.items {
		if len(q.items) > 1 {
			add(func(x *query) { x.items = slices.Delete(slices.Clone(q.items), i, i+1) })
		}
	}
	for i, g := range q.groups {
		add(func(x *query) {
			x.groups = slices.Delete(slices.Clone(q.groups), i, i+1)
			x.items = slices.DeleteFunc(slices.Clone(q.items), func(it item) bool { return it.expr == g })
		})
	}
	return out
}

func condition(e expr) bool {
	switch e := e.(type) {
	case binary:
		return e.op != "+" && e.op != "-" && e.op != "*"
	case not, isNull:
		return true
	}
	return false
}

func (f *from) smaller() (out []*from) {
	if f.sub != nil {
		for _, q := range f.sub.smaller() {
			x := *f
			x.sub = q
			out = append(out, &x)
		}
	}
	if f.l == nil {
		return out
	}
	out = append(out, f.l)
	if f.r.asOf == "" {
		out = append(out, f.r)
	}
	for _, l := range f.l.smaller() {
		x := *f
		x.l = l
		out = append(out, &x)
	}
	for _, r := range f.r.smaller() {
		x := *f
		x.r = r
		out = append(out, &x)
	}
	if f.kind != "INNER" {
		x := *f
		x.kind = "INNER"
		out = append(out, &x)
	}
	if b, ok := f.on.(binary); ok && b.op == "AND" {
		x := *f
		x.on = b.l
		out = append(out, &x)
	}
	return out
}
