package faulttest

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/tideline/tideline/processors"
	"github.com/tideline/tideline/timeline/kafka"
)

// refused checks an error for everything that its reader needs.
func refused(t *testing.T, err error, says ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one that says %q", says)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("error %q does not say %q", err, s)
		}
	}
}

func TestMissingTopic(t *testing.T) {
	w := newWorld(t, shop, 2)
	_, err := w.adm.DeleteTopics(w.ctx, "payments")
	must(t, err)
	_, err = processors.Build(w.ctx, w.k, w.spec)
	refused(t, err, "payments", "does not exist")
}

func TestTopicVanishes(t *testing.T) {
	w := newWorld(t, shop, 2)
	r := w.runner(processors.Options{})
	_, err := w.adm.DeleteTopics(w.ctx, "payments")
	must(t, err)
	refused(t, r.Run(w.ctx), "payments", "does not exist")
}

func TestUnknownColumn(t *testing.T) {
	text := strings.ReplaceAll(shop, "p.amount", "p.amuont")
	w := newWorld(t, text, 2)
	_, err := processors.Build(w.ctx, w.k, w.spec)
	refused(t, err, "amuont", "amount", "pipeline.yaml")
}

func TestSourceGrows(t *testing.T) {
	w := newWorld(t, shop, 2)
	r := w.runner(processors.Options{})
	_, err := w.adm.CreatePartitions(w.ctx, 2, "orders")
	must(t, err)
	refused(t, r.Run(w.ctx), "orders", "4 partitions", "2")
}

func TestInternalTopicDiffers(t *testing.T) {
	w := newWorld(t, rekeyed, 2)
	for _, s := range w.plan().Stages {
		if s.Exchange == nil {
			continue
		}
		must(t, kafka.NewTopics(w.cl, 0, 0).Ensure(w.ctx, s.Exchange.Topic, 3, kafka.Keep))
		refused(t, w.replay(processors.Options{}), s.Exchange.Topic, "3 partitions", "needs 2")
		return
	}
}

func TestTableDiffers(t *testing.T) {
	w := newWorld(t, shop, 2)
	table := w.plan().Views[0].Table
	must(t, kafka.NewTopics(w.cl, 0, 0).Ensure(w.ctx, table, 3, kafka.Keep))
	refused(t, w.replay(processors.Options{}), table, "3 partitions", "needs 2")
}

// TestForeignCommit finds offsets in the group that another program has committed.
func TestForeignCommit(t *testing.T) {
	w := newWorld(t, shop, 2)
	w.produce(sales(0, 10)...)
	group := w.plan().Stages[0].Group
	var offsets kadm.Offsets
	offsets.AddOffset("orders", 0, 3, -1)
	_, err := w.adm.CommitOffsets(w.ctx, group, offsets)
	must(t, err)
	refused(t, w.replay(processors.Options{}), "orders/0", group, "metadata")
}

// TestLostOutputs finds that a topic with a stage's results is gone.
func TestLostOutputs(t *testing.T) {
	w := newWorld(t, rekeyed, 2)
	w.produce(sales(0, 50)...)
	must(t, w.replay(processors.Options{}))
	p := w.plan()
	for _, topic := range []string{p.Views[0].Table, p.Stages[0].Exchange.Topic} {
		_, err := w.adm.DeleteTopics(w.ctx, topic)
		must(t, err)
		refused(t, w.replay(processors.Options{}), topic, "lost", "rebuild")
	}
	// The cure named.
	w.rebuild()
	must(t, w.replay(processors.Options{}))
	clean := newWorld(t, rekeyed, 2)
	clean.produce(sales(0, 50)...)
	must(t, clean.replay(processors.Options{}))
	same(t, "history", w.history(), clean.history())
}

// TestFail stops at records that the pipeline file says to stop at, and says where.
func TestFail(t *testing.T) {
	for _, c := range []struct{ option, value, says string }{
		{"late: fail", `{"status":"late"}`, "late"},
		{"on_error: fail", `{"status":`, "undecodable"},
	} {
		w := newWorld(t, strings.Replace(shop, "lateness: 10s", "lateness: 10s\n    "+c.option, 1), 2)
		w.produce(sales(0, 50)...)
		w.produce(rec("orders", "3", c.value, 1000))
		refused(t, w.replay(processors.Options{}), c.says, c.option, "orders/", "offset")
	}
}
