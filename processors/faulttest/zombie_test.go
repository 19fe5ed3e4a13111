package faulttest

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

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
			joins := c.wire.arm(kmsg.SyncGroup, 2, func() {})
			zombie.signal(t, syscall.SIGCONT)
			c.await(joins)
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
