package layout

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const (
	module = "github.com/tideline/tideline"
	root   = "../.." // of the module, from here
)

// pkg is a package of the module, as `go list` describes it.
type pkg struct {
	Dir, ImportPath, Name string
	GoFiles, TestGoFiles  []string
	XTestGoFiles          []string
	Imports               []string // without those of tests
}

// rel is the import path within the module; "" for the module itself.
func (p *pkg) rel() string {
	return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
}

// goList runs `go list` and returns its output.
func goList(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...)
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list %v: %v\n%s", args, err, exit.Stderr)
		}
		t.Fatalf("go list %v: %v", args, err)
	}
	return out
}

func packages(t *testing.T) []*pkg {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(string(goList(t, "-json", "./..."))))
	var all []*pkg
	for {
		p := new(pkg)
		if err := dec.Decode(p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("reading go list: %v", err)
		}
		all = append(all, p)
	}
	if len(all) < 10 {
		t.Fatalf("go list knows %d packages only", len(all))
	}
	return all
}

// under says whether a path is one of the trees or lies in one.
func under(path string, trees ...string) bool {
	return slices.ContainsFunc(trees, func(tree string) bool {
		return path == tree || strings.HasPrefix(path, tree+"/")
	})
}

// L1.
func TestImportsPointOneWay(t *testing.T) {
	for _, p := range packages(t) {
		from, _, _ := strings.Cut(p.rel(), "/")
		var allowed []string
		switch from {
		case "cmd":
			allowed = []string{"cmd", "processors", "views", "emitters", "timeline"}
		case "processors", "views", "emitters":
			allowed = []string{from, "timeline"}
		case "timeline":
			allowed = []string{"timeline"}
		default:
			t.Errorf("package %s lies outside cmd, processors, views, emitters and timeline",
				p.ImportPath)
		}
		for _, path := range p.Imports {
			to, ours := strings.CutPrefix(path, module+"/")
			if !ours {
				continue
			}
			if !under(to, allowed...) {
				t.Errorf("%s imports %s; %s may import %v", p.rel(), to, from, allowed)
			}
			if a, b := source(p.rel()), source(to); a != "" && b != "" && a != b {
				t.Errorf("%s imports %s; emitters do not know each other", p.rel(), to)
			}
		}
	}
}

// source is the emitter that a package belongs to; "" if it belongs to none.
func source(rel string) string {
	name, ok := strings.CutPrefix(rel, "emitters/")
	if !ok {
		return ""
	}
	name, _, _ = strings.Cut(name, "/")
	return name
}

// core says whether a package belongs to the core of timeline.
func core(rel string) bool {
	return under(rel, "timeline") && !under(rel, "timeline/kafka", "timeline/store")
}

// L2: what the core does not import. What it does not call is in size_test.go.
func TestCoreImportsNoMachine(t *testing.T) {
	machine := []string{
		"os", "net", "log", "syscall", "io/fs", "io/ioutil", "context",
		"math/rand", "math/rand/v2", "crypto/rand", "path/filepath",
	}
	seen := 0
	for _, p := range packages(t) {
		if !core(p.rel()) {
			continue
		}
		seen++
		for _, path := range p.Imports {
			if under(path, machine...) {
				t.Errorf("%s imports %s; the core gets what it needs from its caller", p.rel(), path)
			}
		}
	}
	if seen < 5 {
		t.Errorf("the core of timeline has only %d packages", seen)
	}
}

// L3.
func TestOutsideLibrariesHaveOneHome(t *testing.T) {
	homes := map[string][]string{
		"github.com/dolthub/go-mysql-server": {"processors/plan"},
		"github.com/dolthub/vitess":          {"processors/plan"},
		"github.com/syndtr/goleveldb":        {"timeline/store"},
		"github.com/twmb/franz-go/pkg/kfake": {"timeline/kafka/embedded"},
		"github.com/apache/arrow":            {"views/arrow", "cmd/tideline"},
		"github.com/lovoo/goka": {
			"processors", "processors/feed", "views", "timeline/kafka", "timeline/store",
		},
		"github.com/IBM/sarama":    {"processors/feed", "timeline/kafka"},
		"github.com/spf13/cobra":   {"cmd"},
		"github.com/twmb/franz-go": {"processors", "views", "emitters", "timeline/kafka", "cmd"},
		"gopkg.in/yaml.v3":         {"processors/spec", "cmd"},
	}
	for _, p := range packages(t) {
		for _, path := range p.Imports {
			for library, home := range homes {
				if !under(path, library) || slices.Contains(home, p.rel()) {
					continue
				}
				// A home may be a whole tree, but the homes of goka and of the SQL
				// engine are single packages.
				tree := library == "github.com/spf13/cobra" ||
					library == "github.com/twmb/franz-go" || library == "gopkg.in/yaml.v3" ||
					library == "github.com/apache/arrow"
				if !tree || !under(p.rel(), home...) {
					t.Errorf("%s imports %s, whose home is %v", p.rel(), path, home)
				}
			}
		}
	}
	pure := []string{"github.com/lovoo", "github.com/IBM", "github.com/twmb", "github.com/dolthub"}
	for _, p := range packages(t) {
		if !under(p.rel(), "processors/operator", "processors/spec", "processors/format") {
			continue
		}
		for _, path := range p.Imports {
			if under(path, pure...) {
				t.Errorf("%s imports %s; it knows neither Kafka nor the SQL engine", p.rel(), path)
			}
		}
	}
}

// A service that reads views links neither the SQL engine nor the processors.
func TestViewsLinkNoEngine(t *testing.T) {
	for _, view := range []string{"./views", "./views/arrow", "./timeline/..."} {
		deps := strings.Fields(string(goList(t, "-deps", view)))
		for _, path := range deps {
			if under(path, "github.com/dolthub", module+"/processors", module+"/cmd") {
				t.Errorf("%s links %s", view, path)
			}
		}
		if len(deps) == 0 {
			t.Error(fmt.Errorf("go list -deps %s is empty", view))
		}
	}
}
