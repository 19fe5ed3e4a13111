package kafka

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A partition is fetched if its queue has room and its user wants more, whatever the
// order in which the two change their mind.
func TestPartitionPausesForQueueAndUser(t *testing.T) {
	cl, err := Config{Brokers: []string{"127.0.0.1:1"}}.NewClient()
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	p := newTablePartition(&Tables{cl: cl}, topicPartition{"t", 0}, 0)
	fill := func() { p.add(make([]*kgo.Record, queueHigh+1)) }
	drain := func() {
		for p.take() != nil { // the queue ends
		}
	}
	pause, resume := func() { p.hold(true) }, func() { p.hold(false) }
	for i, step := range []struct {
		do     func()
		paused bool
	}{
		{fill, true}, {drain, false},
		{pause, true}, {resume, false},
		{pause, true}, {fill, true}, {drain, true}, {resume, false},
		{fill, true}, {pause, true}, {resume, true}, {drain, false},
	} {
		step.do()
		if got := len(cl.PauseFetchPartitions(nil)) > 0; got != step.paused {
			t.Errorf("after step %d it is paused: %v, want %v", i, got, step.paused)
		}
	}
}
