package faulttest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tideline/tideline/processors"
	"github.com/tideline/tideline/processors/spec"
	"github.com/tideline/tideline/timeline/kafka"
)

// workerEnv holds a worker's job, as JSON, in a process that is one.
const workerEnv = "TIDELINE_FAULTTEST_WORKER"

// job is what a worker process is to do.
type job struct {
	Brokers  []string
	File     string // the pipeline
	Dir      string
	Instance string // static member; empty: dynamic
	UntilEnd bool
	Memory   int64
	Session  time.Duration
	Log      bool
	Measure  bool // say how much heap was live at most
}

func TestMain(m *testing.M) {
	text := os.Getenv(workerEnv)
	if text == "" {
		os.Exit(m.Run())
	}
	if err := work(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// work is the life of a worker process: until SIGTERM, or the end of a bounded replay.
func work(text string) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return fmt.Errorf("reading job: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	k := kafka.Config{Brokers: j.Brokers}
	pipeline, err := spec.Load(j.File)
	if err != nil {
		return err
	}
	p, err := processors.Build(ctx, k, pipeline)
	if err != nil {
		return err
	}
	o := processors.Options{
		Kafka: k, Dir: j.Dir, InstanceID: j.Instance, UntilEnd: j.UntilEnd,
		Memory: j.Memory, SessionTimeout: j.Session,
		CommitEvery: 20 * time.Millisecond, WatermarkEvery: time.Millisecond,
		ClockEvery: 20 * time.Millisecond,
	}
	if j.Log {
		o.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	r, err := processors.New(p, o)
	if err != nil {
		return err
	}
	if !j.Measure {
		return r.Run(ctx)
	}
	peak := watchHeap()
	err = r.Run(ctx)
	fmt.Println("peak heap", peak())
	return err
}

// watchHeap samples what the heap holds after each garbage collection, which it makes
// frequent, until the function returned is called for the greatest.
func watchHeap() func() uint64 {
	debug.SetGCPercent(20)
	stop, peak := make(chan struct{}), make(chan uint64)
	go func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		most := uint64(0)
		for {
			select {
			case <-tick.C:
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapAlloc)
			case <-stop:
				peak <- most
				return
			}
		}
	}()
	return func() uint64 { close(stop); return <-peak }
}

// process is a worker process as the test sees it.
type process struct {
	name string
	cmd  *exec.Cmd
	out  *output
	done chan struct{} // closed when it has ended
	err  error         // how, once done

	mu     sync.Mutex
	killed bool // by the test, so that its end is no failure
}

// output is what a process said, readable at any time.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// spawn starts a worker process; the test fails if it ends by itself with an error.
func spawn(t *testing.T, name string, j job) *process {
	t.Helper()
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{name: name, out: &output{}, done: make(chan struct{})}
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), workerEnv+"="+string(text))
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() { p.kill(); <-p.done })
	return p
}

// kill ends the process at once; kill -9.
func (p *process) kill() {
	p.mu.Lock()
	p.killed = true
	p.mu.Unlock()
	_ = p.cmd.Process.Kill()
}

// ended says whether the process is no more.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatalf("signalling %s: %v", p.name, err)
	}
}

// stop ends the process as an operator would.
func (p *process) stop(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	p.wait(t)
}

// wait returns when the process has ended, which must not be with an error of its own.
func (p *process) wait(t *testing.T) {
	t.Helper()
	select {
	case <-p.done:
	case <-t.Context().Done():
		t.Fatalf("waiting for %s: %v\n%s", p.name, t.Context().Err(), p.out)
	}
	p.check(t)
}

// check fails the test if the process has failed by itself.
func (p *process) check(t *testing.T) {
	t.Helper()
	select {
	case <-p.done:
	default:
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var exit *exec.ExitError
	if errors.As(p.err, &exit) {
		// Told to stop before it was ready to listen.
		status, ok := exit.Sys().(syscall.WaitStatus)
		if ok && status.Signaled() && status.Signal() == syscall.SIGTERM {
			return
		}
	}
	if p.err != nil && !p.killed {
		t.Fatalf("worker %s failed: %v\n%s", p.name, p.err, p.out)
	}
}
