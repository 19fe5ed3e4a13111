package layout

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// L5: the tour of README.md works as it stands, in a directory that is empty but for the
// command and the test data. What builds, tests or needs a Kafka is left to others.
func TestTourWorks(t *testing.T) {
	here, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	tour := &tour{t: t, dir: t.TempDir()}
	for name, target := range map[string]string{
		"bin": filepath.Dir(build(t)), "testdata": filepath.Join(here, "testdata"),
	} {
		if err := os.Symlink(target, filepath.Join(tour.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	defer tour.stop()
	for _, d := range documents(t) {
		if d.path != "README.md" {
			continue
		}
		for _, b := range d.blocks {
			switch b.lang {
			case "yaml":
				tour.write("pipeline.yaml", b.lines)
			case "sh":
				tour.follow(b)
			}
		}
	}
	if tour.steps < 10 {
		t.Errorf("the tour has only %d steps", tour.steps)
	}
}

// tour is a shell in a directory of its own, and what it left running.
type tour struct {
	t     *testing.T
	dir   string
	steps int
	live  *exec.Cmd
}

func (r *tour) write(name string, lines []string) {
	text := strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// follow runs the lines of a block one by one.
func (r *tour) follow(b *block) {
	for i, line := range b.lines {
		line = strings.TrimSpace(line)
		elsewhere := strings.HasPrefix(line, "go ") || strings.HasPrefix(line, "make ") ||
			strings.HasPrefix(line, "#") || strings.Contains(line, "--brokers")
		if line == "" || elsewhere {
			continue
		}
		r.steps++
		if strings.HasPrefix(line, "bin/tideline run ") && !strings.Contains(line, "--until-end") {
			r.start(b.at(i), line)
			continue
		}
		ctx, cancel := context.WithTimeout(r.t.Context(), 2*time.Minute)
		out, err := r.shell(ctx, line).CombinedOutput()
		cancel()
		if err != nil {
			r.t.Errorf("%s: %s: %v\n%s", b.at(i), line, err, out)
		}
	}
}

func (r *tour) shell(ctx context.Context, line string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "bash", "-c", line)
	cmd.Dir = r.dir
	return cmd
}

// start leaves a command running, as a second terminal would, once it says that it can
// be read.
func (r *tour) start(at, line string) {
	r.live = r.shell(r.t.Context(), "exec "+line)
	says, err := r.live.StderrPipe()
	if err == nil {
		err = r.live.Start()
	}
	if err != nil {
		r.t.Fatalf("%s: %s: %v", at, line, err)
	}
	var said []string
	for lines := bufio.NewScanner(says); lines.Scan(); {
		said = append(said, lines.Text())
		if strings.Contains(lines.Text(), "read it with") {
			go func() { _, _ = io.Copy(io.Discard, says) }()
			return
		}
	}
	r.t.Fatalf("%s: %s ended: %v\n%s", at, line, r.live.Wait(), strings.Join(said, "\n"))
}

// stop ends what runs as Ctrl-C does.
func (r *tour) stop() {
	if r.live == nil {
		return
	}
	if err := r.live.Process.Signal(os.Interrupt); err != nil {
		r.t.Errorf("stopping the run: %v", err)
	}
	if err := r.live.Wait(); err != nil {
		r.t.Errorf("stopping the run: %v", err)
	}
}
