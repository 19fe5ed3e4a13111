package faulttest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// job is what worker number i does in this world. One of the three is a static member.
func (w *world) job(i int, untilEnd bool) job {
	j := job{
		Brokers: w.k.Brokers, File: w.file, UntilEnd: untilEnd,
		Dir:     filepath.Join(w.tmp, fmt.Sprint("worker-", i)),
		Session: 400 * time.Millisecond,
		Memory:  1 << 20, // so little that inputs are paused and changes go to disk
		Log:     os.Getenv("TIDELINE_FAULT_LOG") != "",
	}
	if i%2 == 1 {
		j.Instance = fmt.Sprint("worker-", i)
	}
	return j
}

// tripwire acts at the n-th request of a kind that the broker sees from when it was set.
type tripwire struct {
	mu    sync.Mutex
	key   int16
	left  int
	total int // requests of any kind until it trips anyhow
	act   func()
}

// newTripwire watches a broker; it is set by arm.
func newTripwire(b *kfake.Cluster) *tripwire {
	w := &tripwire{}
	b.Control(func(r kmsg.Request) (kmsg.Response, error, bool) {
		b.KeepControl()
		w.see(r.Key())
		return nil, nil, false
	})
	return w
}

func (w *tripwire) see(key int16) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.act == nil {
		return
	}
	w.total--
	if key == w.key {
		w.left--
	}
	if w.left <= 0 || w.total <= 0 {
		w.act()
		w.act = nil
	}
}

// arm sets the wire; the channel is closed when it has tripped and act has returned. act
// runs while the request waits, so it must not ask the broker anything.
func (w *tripwire) arm(key kmsg.Key, n int, act func()) <-chan struct{} {
	tripped := make(chan struct{})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.key, w.left, w.total = key.Int16(), n, 300
	w.act = func() { act(); close(tripped) }
	return tripped
}

func env(name string, def int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return def
}

// moments are the kinds of requests before which faults strike.
var moments = []kmsg.Key{kmsg.Produce, kmsg.Produce, kmsg.OffsetCommit, kmsg.Fetch,
	kmsg.JoinGroup, kmsg.SyncGroup, kmsg.OffsetFetch, kmsg.InitProducerID}

// crew is the workers of one crash test.
type crew struct {
	t    *testing.T
	w    *world
	wire *tripwire
	rnd  *rand.Rand
	on   map[int]*process
	log  []string
}

func (c *crew) start(i int, untilEnd bool) {
	c.on[i] = spawn(c.t, fmt.Sprint(i), c.w.job(i, untilEnd))
}

func (c *crew) pick() int {
	ids := make([]int, 0, len(c.on))
	for i := range 3 {
		if c.on[i] != nil {
			ids = append(ids, i)
		}
	}
	return ids[c.rnd.IntN(len(ids))]
}

// await waits for a tripwire, or for the pipeline to have nothing more to do.
func (c *crew) await(tripped <-chan struct{}) {
	c.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		idle := true
		for _, p := range c.on {
			p.check(c.t)
			idle = idle && p.ended()
		}
		select {
		case <-tripped:
			return
		case <-tick.C:
			if idle { // a bounded replay that is complete
				return
			}
		case <-c.w.ctx.Done():
			c.t.Fatalf("waiting for a fault's moment: %v\n%v", context.Cause(c.w.ctx), c.log)
		}
	}
}

// strike deals one fault: it kills or suspends a worker, or stops it in good order, at a
// moment of the seed's choice, and brings the crew back to one to three workers.
func (c *crew) strike(untilEnd bool) {
	c.t.Helper()
	i, key, n := c.pick(), moments[c.rnd.IntN(len(moments))], 1+c.rnd.IntN(30)
	p := c.on[i]
	begun := time.Now()
	defer func() {
		c.log = append(c.log, fmt.Sprintf("worker %d of %d at %v %d: %v\n", i, len(c.on),
			key.Name(), n, time.Since(begun).Round(time.Millisecond)))
	}()
	switch kind := c.rnd.IntN(10); {
	case kind == 0 && len(c.on) > 1:
		c.suspend(i, key, n)
	case kind == 1 && !untilEnd:
		c.await(c.wire.arm(key, n, func() {}))
		p.stop(c.t)
		delete(c.on, i)
	default:
		c.await(c.wire.arm(key, n, p.kill))
		<-p.done
		delete(c.on, i)
	}
	for want := 1 + c.rnd.IntN(3); len(c.on) < want; {
		j := c.rnd.IntN(3)
		if c.on[j] == nil {
			c.start(j, untilEnd)
		}
	}
}

// suspend holds a worker until the broker has given it up and another has done its
// work, and lets it go on: a zombie, which still believes that its partitions are its own.
func (c *crew) suspend(i int, key kmsg.Key, n int) {
	c.t.Helper()
	p := c.on[i]
	c.await(c.wire.arm(key, n, func() { _ = p.cmd.Process.Signal(syscall.SIGSTOP) }))
	// The others notice at the join that follows the end of the session.
	c.await(c.wire.arm(kmsg.SyncGroup, 2, func() {}))
	c.await(c.wire.arm(kmsg.OffsetCommit, 3, func() {}))
	_ = p.cmd.Process.Signal(syscall.SIGCONT)
	// It hears that it was given up when it next speaks to the group.
	c.await(c.wire.arm(kmsg.JoinGroup, 1, func() {}))
}

// crash feeds the input in portions, each between two faults, and compares in the end.
func crash(t *testing.T, pipeline string, input []*kgo.Record, faults int, seed uint64) {
	t.Helper()
	want := undisturbed(t, pipeline, 4, input)
	w := newWorld(t, pipeline, 4)
	c := &crew{
		t: t, w: w, wire: newTripwire(w.broker),
		rnd: rand.New(rand.NewPCG(seed, 3)), on: map[int]*process{},
	}
	defer func() {
		if t.Failed() || testing.Verbose() {
			t.Logf("seed %d: %v", seed, c.log)
			for _, p := range c.on {
				if !t.Failed() {
					break
				}
				t.Logf("worker %s said:\n%s", p.name, p.out)
			}
		}
	}()
	rest := shuffled(input, seed)
	c.start(0, false)
	for n := faults; n > 0; n-- {
		k := len(rest) / n
		w.produce(rest[:k]...)
		rest = rest[k:]
		c.strike(false)
	}
	w.produce(rest...)
	for i, p := range c.on { // the live ones make way for a bounded replay
		p.kill()
		<-p.done
		delete(c.on, i)
	}
	c.start(0, true)
	c.start(1, true)
	for range 1 + faults/10 {
		c.strike(true)
		if len(c.on) == 0 {
			c.start(2, true)
		}
	}
	for _, p := range c.on {
		p.wait(t)
	}
	w.export().equals(t, want)
}

// TestCrashes deals random faults to worker processes while they work.
func TestCrashes(t *testing.T) {
	faults := env("TIDELINE_KILLS", 8)
	seed := uint64(env("TIDELINE_SEED", 1))
	t.Run("recorded", func(t *testing.T) {
		pipeline, input := recorded(t, "keyjoin-mix")
		crash(t, pipeline, input, faults-faults/2, seed)
	})
	t.Run("generated", func(t *testing.T) {
		crash(t, mixPipeline, generated(2_000+500*faults, seed), faults/2, seed+1)
	})
}
