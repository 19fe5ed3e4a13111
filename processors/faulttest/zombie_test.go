package faulttest

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// shared says whether every stage's group is at rest with n members.
func (w *world) shared(n int) bool {
	w.t.Helper()
	for _, s := range w.plan().Stages {
		groups, err := w.adm.DescribeGroups(w.ctx, s.Group)
		must(w.t, err)
		if g := groups[s.Group]; g.State != "Stable" || len(g.Members) != n {
			return false
		}
	}
	return true
}

// TestZombie suspends a worker in the middle of its writes until another has taken over
// and done everything. Woken up, its remaining writes land behind those of the other.
// Then it gets the partitions back, and must know what the other wrote.
func TestZombie(t *testing.T) {
	for _, pipeline := range []string{rekeyed} {
		w := newWorld(t, pipeline, 2)
		t.Run(w.spec.Name, func(t *testing.T) {
			w.t = t
			var orders, payments []*kgo.Record
			for i := range int64(6000) {
				key := fmt.Sprint(i % 1000)
				orders = append(orders, rec("orders", key, fmt.Sprintf(`{"status":"s%d"}`, i), i*10))
				if i%6 == 0 {
					payments = append(payments, rec("payments", fmt.Sprint(i/6), `{"amount":1}`, 60_000+i*10))
				}
			}
			// Time must pass in both topics for changes to be released.
			for i := range int64(60) {
				for k := range 20 {
					orders = append(orders, rec("payments", fmt.Sprint(10_000+k), `{"amount":0}`, i*1000))
				}
			}
			for k := range 20 {
				payments = append(payments,
					rec("orders", fmt.Sprint(10_000+k), `{"status":"end"}`, 130_000),
					rec("payments", fmt.Sprint(10_000+k), `{"amount":9}`, 130_000))
			}
			all := append(copies(orders), copies(payments)...)
			want := undisturbed(t, pipeline, 2, all)
			c := &crew{t: t, w: w, wire: newTripwire(w.broker),
				rnd: rand.New(rand.NewPCG(1, 1)), on: map[int]*process{}}
			c.start(0, false)
			w.until("the first is at work", func() bool { return len(w.status()) > 0 })
			zombie := c.on[0]
			tripped := c.wire.arm(kmsg.Produce, 40, func() {
				_ = zombie.cmd.Process.Signal(syscall.SIGSTOP)
			})
			w.produce(orders...)
			c.await(tripped)
			c.start(2, false)
			w.until("the other has done everything", w.consumedUpTo(48_000))
			zombie.signal(t, syscall.SIGCONT)
			// The embedded broker never drops a member whose connection is lost while it
			// waits to join or to sync, so nobody may die before the groups are at rest.
			w.until("both share every group", func() bool { return w.shared(2) })
			other := c.on[2]
			other.kill()
			<-other.done
			delete(c.on, 2)
			w.produce(payments...)
			w.until("the woken one has done the rest", w.consumedUpTo(119_000))
			zombie.stop(t)
			delete(c.on, 0)
			c.start(0, true)
			c.on[0].wait(t)
			w.export().equals(t, want)
		})
	}
}
