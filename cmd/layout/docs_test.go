package layout

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tideline/tideline/processors/plan"
	"github.com/tideline/tideline/processors/spec"
)

// block is a fenced block of a document.
type block struct {
	path  string
	line  int // of its first line
	lang  string
	lines []string
}

func (b *block) at(i int) string { return fmt.Sprintf("%s:%d", b.path, b.line+i) }

// document is a Markdown file: its fenced blocks, and the lines outside of them.
type document struct {
	path   string
	blocks []*block
	prose  []string // by line; empty where a block stands
}

func documents(t *testing.T) []*document {
	t.Helper()
	var all []*document
	walk(t, func(path string, _ int64) {
		if !strings.HasSuffix(path, ".md") {
			return
		}
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatalf("reading document: %v", err)
		}
		all = append(all, parseDocument(path, string(text)))
	})
	return all
}

func parseDocument(path, text string) *document {
	d := &document{path: path}
	var open *block
	for i, line := range strings.Split(text, "\n") {
		fence, isFence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case isFence && open == nil:
			open = &block{path: path, line: i + 2, lang: strings.TrimSpace(fence)}
			d.blocks = append(d.blocks, open)
		case isFence:
			open = nil
		case open != nil:
			open.lines = append(open.lines, line)
		default:
			d.prose = append(d.prose, line)
			continue
		}
		d.prose = append(d.prose, "")
	}
	return d
}

// eachBlock calls fn with every block of a language.
func eachBlock(t *testing.T, lang string, fn func(b *block)) {
	t.Helper()
	n := 0
	for _, d := range documents(t) {
		for _, b := range d.blocks {
			if b.lang == lang {
				fn(b)
				n++
			}
		}
	}
	if n == 0 {
		t.Errorf("no document has a block of %s", lang)
	}
}

// L5.
func TestPipelinesInDocumentsLint(t *testing.T) {
	eachBlock(t, "yaml", func(b *block) {
		text := strings.Repeat("\n", b.line-1) + strings.Join(b.lines, "\n")
		p, err := spec.Parse(b.path, []byte(text))
		if err != nil {
			t.Errorf("%v", err)
			return
		}
		if _, err := plan.Build(p, func(string) (int, error) { return 4, nil }); err != nil {
			t.Errorf("%v", err)
		}
	})
}

// L5: what a Go block shows is compiled, since it stands in an example.
func TestGoInDocumentsIsCompiled(t *testing.T) {
	var examples []string
	for _, f := range goFiles(t) {
		if filepath.Base(f.path) == "example_test.go" {
			examples = append(examples, plain(strings.Split(string(f.text), "\n")))
		}
	}
	eachBlock(t, "go", func(b *block) {
		want := plain(b.lines)
		if !slices.ContainsFunc(examples, func(e string) bool { return strings.Contains(e, want) }) {
			t.Errorf("%s: no example_test.go has this code", b.at(0))
		}
	})
}

// plain joins lines without their indentation.
func plain(lines []string) string {
	var out []string
	for _, l := range lines {
		if l = strings.TrimSpace(l); l != "" {
			out = append(out, l)
		}
	}
	return strings.Join(out, "\n")
}

// command is a command line of a document, split into words.
type command struct {
	at    string
	words []string // without the program's own name
}

// commands returns the lines of a block that run tideline.
func commands(b *block) []command {
	var out []command
	for i := 0; i < len(b.lines); i++ {
		at, line := b.at(i), strings.TrimSpace(b.lines[i])
		for strings.HasSuffix(line, `\`) && i+1 < len(b.lines) {
			i++
			line = strings.TrimSuffix(line, `\`) + " " + strings.TrimSpace(b.lines[i])
		}
		if _, piped, ok := strings.Cut(line, "| "); ok {
			line = piped
		}
		for _, self := range []string{"tideline ", "bin/tideline ", "go run ./cmd/tideline "} {
			if rest, ok := strings.CutPrefix(line, self); ok {
				out = append(out, command{at, split(rest)})
			}
		}
	}
	return out
}

// split splits a command line into words as a shell does, up to what is not the
// command's: a pipe, a redirection, a comment.
func split(line string) []string {
	var words []string
	var word strings.Builder
	quote, open := rune(0), false
	end := func() {
		if open {
			words = append(words, word.String())
		}
		word.Reset()
		open = false
	}
	for _, c := range line {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '\'' || c == '"':
			quote, open = c, true
		case c == ' ':
			end()
		case strings.ContainsRune("|<>&;", c), c == '#' && !open:
			end()
			return words
		default:
			open = true
			word.WriteRune(c)
		}
	}
	end()
	return words
}

// L5: with --help after it, a command line is parsed but not run.
func TestCommandLinesInDocumentsParse(t *testing.T) {
	tideline := build(t)
	eachBlock(t, "sh", func(b *block) {
		for _, c := range commands(b) {
			if slices.Contains(c.words, "--help") {
				continue
			}
			out, err := exec.CommandContext(t.Context(), tideline,
				append(slices.Clone(c.words), "--help")...).CombinedOutput()
			if err != nil {
				t.Errorf("%s: tideline %s\n%s", c.at, strings.Join(c.words, " "), out)
				continue
			}
			usage := "\n  tideline " + c.words[0]
			if !strings.Contains(string(out), usage) {
				t.Errorf("%s: there is no command %q", c.at, c.words[0])
			}
		}
	})
}

// L5: the targets of make that documents name are there.
func TestMakeTargetsInDocumentsExist(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatalf("reading Makefile: %v", err)
	}
	eachBlock(t, "sh", func(b *block) {
		for i, line := range b.lines {
			rest, ok := strings.CutPrefix(strings.TrimSpace(line), "make ")
			if !ok {
				continue
			}
			for _, w := range split(rest) {
				if !strings.Contains(w, "=") && !strings.Contains(string(makefile), "\n"+w+":") {
					t.Errorf("%s: the Makefile has no target %s", b.at(i), w)
				}
			}
		}
	})
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	inline  = regexp.MustCompile("`[^`]*`")
	notSlug = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// L5.
func TestLinksLeadSomewhere(t *testing.T) {
	docs := documents(t)
	anchors := map[string]map[string]bool{}
	for _, d := range docs {
		anchors[d.path] = map[string]bool{}
		for _, line := range d.prose {
			if title := strings.TrimLeft(line, "#"); title != line {
				slug := notSlug.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
				anchors[d.path][strings.ReplaceAll(slug, " ", "-")] = true
			}
		}
	}
	for _, d := range docs {
		for i, line := range d.prose {
			for _, m := range link.FindAllStringSubmatch(inline.ReplaceAllString(line, ""), -1) {
				if strings.Contains(m[1], "://") {
					continue
				}
				path, anchor, _ := strings.Cut(m[1], "#")
				target := d.path
				if path != "" {
					target = filepath.ToSlash(filepath.Join(filepath.Dir(d.path), path))
				}
				if _, err := os.Stat(filepath.Join(root, target)); err != nil {
					t.Errorf("%s:%d: %s is not there", d.path, i+1, m[1])
				} else if anchor != "" && !anchors[target][anchor] {
					t.Errorf("%s:%d: %s has no heading %q", d.path, i+1, target, anchor)
				}
			}
		}
	}
}
