package layout

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tideline/tideline/processors/spec"
)

func readDocument(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatalf("reading document: %v", err)
	}
	return string(text)
}

// L5: the reference of the pipeline file has every key that the reader takes. An unknown
// key makes it say which ones it knows.
func TestReferenceHasEveryKey(t *testing.T) {
	reference := readDocument(t, "docs/pipeline.md")
	n := 0
	for _, file := range []string{
		"zzzzzzzz: 1",
		"streams: {s: {zzzzzzzz: 1}}",
		"views: {v: {zzzzzzzz: 1}}",
	} {
		_, err := spec.Parse("p.yaml", []byte(file))
		if err == nil {
			t.Fatalf("%s is taken", file)
		}
		_, valid, ok := strings.Cut(err.Error(), "valid are ")
		if !ok {
			t.Fatalf("%s: %v does not list the valid keys", file, err)
		}
		valid, _, _ = strings.Cut(valid, "\n")
		for _, key := range strings.Split(valid, ", ") {
			n++
			if !strings.Contains(reference, "| `"+key+"` |") {
				t.Errorf("docs/pipeline.md does not describe %s", key)
			}
		}
	}
	if n < 20 {
		t.Errorf("the pipeline file has only %d keys", n)
	}
}

var (
	commandName = regexp.MustCompile(`(?m)^  ([a-z-]+) +[A-Z]`)
	flagName    = regexp.MustCompile(`(?m)^ +(?:-\w, )?(--[a-z-]+)`)
)

// L5: the reference of the command line has every command and every flag.
func TestReferenceHasEveryFlag(t *testing.T) {
	reference := readDocument(t, "docs/cli.md")
	tideline := build(t)
	help := func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), tideline, append(args, "--help")...).Output()
		if err != nil {
			t.Fatalf("tideline %v --help: %v", args, err)
		}
		return string(out)
	}
	names := commandName.FindAllStringSubmatch(help(), -1)
	if len(names) < 10 {
		t.Fatalf("there are only %d commands", len(names))
	}
	for _, m := range names {
		name := m[1]
		if name == "help" {
			continue
		}
		if !regexp.MustCompile(`(?m)^## .*\b` + name + `\b`).MatchString(reference) {
			t.Errorf("docs/cli.md does not describe %s", name)
		}
		for _, f := range flagName.FindAllStringSubmatch(help(name), -1) {
			if f[1] != "--help" && !strings.Contains(reference, "`"+f[1]+"`") {
				t.Errorf("docs/cli.md does not describe %s of %s", f[1], name)
			}
		}
	}
}
