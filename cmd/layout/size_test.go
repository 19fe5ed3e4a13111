package layout

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	maxFileLines     = 600
	maxFunctionLines = 70 // without comments and blank lines
	maxFixture       = 1 << 20
)

// source of the tree: every Go file, by path from the root.
type file struct {
	path string
	text []byte
	fset *token.FileSet
	ast  *ast.File
}

func (f *file) test() bool { return strings.HasSuffix(f.path, "_test.go") }

func (f *file) line(p token.Pos) int { return f.fset.Position(p).Line }

// walk calls fn with every file of the tree that is not hidden or a run's data.
func walk(t *testing.T, fn func(path string, size int64)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if path != root && (name[0] == '.' || name == "tideline-data") {
				return filepath.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err == nil {
			fn(filepath.ToSlash(rel), info.Size())
		}
		return err
	})
	if err != nil {
		t.Fatalf("walking the tree: %v", err)
	}
}

func goFiles(t *testing.T) []*file {
	t.Helper()
	var all []*file
	walk(t, func(path string, _ int64) {
		if !strings.HasSuffix(path, ".go") {
			return
		}
		f := &file{path: path, fset: token.NewFileSet()}
		var err error
		if f.text, err = os.ReadFile(filepath.Join(root, path)); err != nil {
			t.Fatalf("reading source: %v", err)
		}
		f.ast, err = parser.ParseFile(f.fset, path, f.text, parser.ParseComments)
		if err != nil {
			t.Fatalf("parsing source: %v", err)
		}
		all = append(all, f)
	})
	return all
}

// L4.
func TestSizes(t *testing.T) {
	for _, f := range goFiles(t) {
		if n := bytes.Count(f.text, []byte{'\n'}); n > maxFileLines {
			t.Errorf("%s has %d lines; split it: %d at most", f.path, n, maxFileLines)
		}
		lines := codeLines(f)
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			n := 0
			for l := f.line(fn.Body.Lbrace) + 1; l < f.line(fn.Body.Rbrace); l++ {
				if lines[l] {
					n++
				}
			}
			if n > maxFunctionLines {
				t.Errorf("%s:%d: function %s has %d lines of code; %d at most",
					f.path, f.line(fn.Pos()), fn.Name.Name, n, maxFunctionLines)
			}
		}
	}
}

// codeLines tells the lines that hold more than a comment.
func codeLines(f *file) map[int]bool {
	comment := map[int]bool{}
	for _, g := range f.ast.Comments {
		for _, c := range g.List {
			for l := f.line(c.Pos()); l <= f.line(c.End()); l++ {
				comment[l] = true
			}
		}
	}
	code := map[int]bool{}
	for i, text := range strings.Split(string(f.text), "\n") {
		text = strings.TrimSpace(text)
		whole := strings.HasPrefix(text, "//") || strings.HasPrefix(text, "/*")
		code[i+1] = text != "" && !(comment[i+1] && whole)
	}
	return code
}

// L4: the package comment stands in doc.go and nowhere else, and says what it is for.
func TestEveryPackageHasADoc(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles) == 0 {
			continue // tests only
		}
		fset := token.NewFileSet()
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil,
				parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatalf("parsing source: %v", err)
			}
			if name != "doc.go" && f.Doc != nil {
				t.Errorf("%s/%s has a package comment; it belongs into doc.go", p.rel(), name)
			}
			if name != "doc.go" {
				continue
			}
			want := "Package " + p.Name + " "
			if p.Name == "main" {
				want = "Command " + filepath.Base(p.Dir) + " "
			}
			if !strings.HasPrefix(f.Doc.Text(), want) {
				t.Errorf("%s/doc.go does not begin with %q", p.rel(), want)
			}
		}
		if _, err := os.Stat(filepath.Join(p.Dir, "doc.go")); err != nil {
			t.Errorf("package %s has no doc.go", p.rel())
		}
	}
}

// L2: what the core does not do. The store keeps files, but on its caller's goroutine
// and without a clock.
func TestCoreHasNoClockAndNoGoroutine(t *testing.T) {
	clocks := map[string]bool{
		"Now": true, "Since": true, "Until": true, "After": true, "AfterFunc": true,
		"Tick": true, "NewTimer": true, "NewTicker": true, "Sleep": true,
	}
	for _, f := range goFiles(t) {
		dir := filepath.ToSlash(filepath.Dir(f.path))
		if f.test() || !core(dir) && dir != "timeline/store" && dir != "processors/operator" {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s:%d starts a goroutine; its caller steps it", f.path, f.line(n.Pos()))
			case *ast.SelectorExpr:
				x, ok := n.X.(*ast.Ident)
				if ok && x.Name == "time" && clocks[n.Sel.Name] {
					t.Errorf("%s:%d calls time.%s; time is an argument here",
						f.path, f.line(n.Pos()), n.Sel.Name)
				}
			}
			return true
		})
	}
}

// L4: nothing is left for later, and nobody waits for time to pass in a test.
func TestNothingLeftForLater(t *testing.T) {
	for _, f := range goFiles(t) {
		for _, g := range f.ast.Comments {
			for _, c := range g.List {
				for _, word := range []string{"TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"} {
					if strings.Contains(c.Text, word) {
						t.Errorf("%s:%d: %s", f.path, f.line(c.Pos()), word)
					}
				}
			}
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := s.X.(*ast.Ident)
			switch {
			case !ok:
			case x.Name == "time" && s.Sel.Name == "Sleep":
				t.Errorf("%s:%d sleeps; wait for what must happen", f.path, f.line(s.Pos()))
			case f.test() && (x.Name == "t" || x.Name == "b") && strings.HasPrefix(s.Sel.Name, "Skip"):
				t.Errorf("%s:%d skips a test", f.path, f.line(s.Pos()))
			}
			return true
		})
	}
}

func TestFixturesAreSmall(t *testing.T) {
	walk(t, func(path string, size int64) {
		if size > maxFixture && strings.Contains("/"+path, "/testdata/") {
			t.Errorf("%s has %d bytes; a fixture has %d at most", path, size, maxFixture)
		}
	})
}
