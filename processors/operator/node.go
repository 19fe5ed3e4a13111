package operator

import (
	"fmt"
	"strings"

	"github.com/tideline/tideline/timeline/row"
)

// JoinKind says which unmatched rows a join keeps.
type JoinKind uint8

// The kinds of joins.
const (
	Inner JoinKind = iota
	Left
	Right
	Full
)

var joinNames = [...]string{"inner", "left", "right", "full"}

// String returns the kind as it is written in SQL, in lower case.
func (k JoinKind) String() string {
	if int(k) < len(joinNames) {
		return joinNames[k]
	}
	return fmt.Sprintf("join(%d)", k)
}

// Node is a node of the join tree: a Leaf or a *Join.
type Node interface {
	// eval says whether the node has a row under the key, and switches off the
	// lanes whose row does not take part in it.
	eval(e *Env) (bool, error)
	// off switches off all lanes below the node.
	off(e *Env)
	// check refuses lanes that are out of range or appear twice.
	check(seen []bool) error
}

// Leaf stands for the row of one lane; its value is the lane's index.
type Leaf int

func (l Leaf) eval(e *Env) (bool, error) { return e.Lanes[l].On, nil }

func (l Leaf) off(e *Env) { e.Lanes[l].On = false }

func (l Leaf) check(seen []bool) error {
	if int(l) < 0 || int(l) >= len(seen) || seen[l] {
		return fmt.Errorf("checking join tree: lane %d of %d is missing or used twice",
			int(l), len(seen))
	}
	seen[l] = true
	return nil
}

// Join joins two sides that share the record key. Cond is what must hold beyond
// the equality of the keys: nil for nothing; a value other than true, null
// included, is no match. A full join has no Cond, or it could yield two rows (O3).
type Join struct {
	Kind JoinKind
	L, R Node
	Cond Expr
}

func (j *Join) eval(e *Env) (bool, error) {
	l, err := j.L.eval(e)
	if err != nil {
		return false, err
	}
	r, err := j.R.eval(e)
	if err != nil {
		return false, err
	}
	match := l && r
	if match && j.Cond != nil {
		if match, err = holds(j.Cond, e); err != nil {
			return false, err
		}
	}
	if match {
		return true, nil
	}
	if !l || j.Kind == Inner || j.Kind == Right {
		j.L.off(e)
		l = false
	}
	if !r || j.Kind == Inner || j.Kind == Left {
		j.R.off(e)
		r = false
	}
	return l || r, nil
}

func (j *Join) off(e *Env) {
	j.L.off(e)
	j.R.off(e)
}

func (j *Join) check(seen []bool) error {
	if j.Kind == Full && j.Cond != nil {
		return fmt.Errorf("checking join tree: a full join takes no condition beyond the key")
	}
	if err := j.L.check(seen); err != nil {
		return err
	}
	return j.R.check(seen)
}

// holds evaluates a condition in SQL's three-valued logic: null is not true.
func holds(c Expr, e *Env) (bool, error) {
	v, err := c.Eval(e)
	if err != nil {
		return false, &exprError{c, err}
	}
	b, _ := v.(bool)
	return b, nil
}

// exprError carries the expression that failed up to where view and key are known.
type exprError struct {
	expr Expr
	err  error
}

func (e *exprError) Error() string { return fmt.Sprintf("%s: %v", e.expr, e.err) }

func (e *exprError) Unwrap() error { return e.err }

// AnyOn is true if at least one of the lanes has a row: then the coalesce of their
// keys is the record key, else it is null.
type AnyOn struct{ Lanes []int }

// Eval returns a boolean, never null.
func (a AnyOn) Eval(e *Env) (row.Value, error) {
	for _, l := range a.Lanes {
		if e.Lanes[l].On {
			return true, nil
		}
	}
	return false, nil
}

func (a AnyOn) String() string { return fmt.Sprintf("any of inputs %v has a row", a.Lanes) }

// And is true if every condition is true; else it is false. It stops at the first
// that is not true.
type And []Expr

// Eval returns a boolean, never null.
func (a And) Eval(e *Env) (row.Value, error) {
	for _, c := range a {
		v, err := c.Eval(e)
		if b, _ := v.(bool); err != nil || !b {
			return false, err
		}
	}
	return true, nil
}

func (a And) String() string {
	parts := make([]string, len(a))
	for i, c := range a {
		parts[i] = c.String()
	}
	return strings.Join(parts, " and ")
}
