package kafka_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/IBM/sarama"
	"go.uber.org/goleak"

	"github.com/tideline/tideline/timeline/kafka"
)

// openTables returns a reader of tables that is shut down at the end of the test.
func openTables(t *testing.T, c kafka.Config) sarama.Consumer {
	t.Helper()
	tables, err := kafka.NewTables(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tables.Shutdown)
	consumer, err := tables.Builder()(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	return consumer
}

func follow(
	t *testing.T, tables sarama.Consumer, topic string, partition int32, from int64,
) sarama.PartitionConsumer {
	t.Helper()
	p, err := tables.ConsumePartition(topic, partition, from)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// take waits for the next message of a partition, which must stand at an offset.
func take(t *testing.T, p sarama.PartitionConsumer, offset int64) *sarama.ConsumerMessage {
	t.Helper()
	select {
	case m, ok := <-p.Messages():
		if !ok || m.Offset != offset {
			t.Fatalf("message %+v, want offset %d", m, offset)
		}
		return m
	case err := <-p.Errors():
		t.Fatal(err)
	case <-deadline(t).Done():
		t.Fatalf("no message comes; want offset %d", offset)
	}
	return nil
}

func TestTablesFollowAndReopen(t *testing.T) {
	c := brokers(t)
	topic, cl := newTopic(t, c, 2), manual(t, c)
	write(t, cl, topic, 0, 0, 10)
	write(t, cl, topic, 1, 0, 3)
	tables := openTables(t, c)
	first, other := follow(t, tables, topic, 0, sarama.OffsetOldest), follow(t, tables, topic, 1, 1)
	for i := range int64(4) {
		if m := take(t, first, i); string(m.Value) != fmt.Sprint(i) || m.Topic != topic {
			t.Fatalf("message %d is %+v", i, m)
		}
	}
	take(t, other, 1)
	// Closed in mid-stream, and opened again further back and further on.
	for _, from := range []int64{7, 2, 9} {
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		first = follow(t, tables, topic, 0, from)
		for i := from; i < 10; i++ {
			take(t, first, i)
		}
	}
	take(t, other, 2) // undisturbed
	write(t, cl, topic, 0, 10, 12)
	take(t, first, 10)
	take(t, first, 11)
	first.AsyncClose()
	if _, open := <-first.Messages(); open {
		t.Error("a message comes out of a partition that was closed")
	}
	for range first.Errors() { // closed too, else this would not end
	}
}

// The newest offset is where the partition ends when it is opened.
func TestTablesFromNewest(t *testing.T) {
	c := brokers(t)
	topic, cl := newTopic(t, c, 1), manual(t, c)
	write(t, cl, topic, 0, 0, 5)
	p := follow(t, openTables(t, c), topic, 0, sarama.OffsetNewest)
	// Where the end is looked up is not to be seen from here: write until something comes.
	for n := 5; ; n++ {
		write(t, cl, topic, 0, n, n+1)
		select {
		case m := <-p.Messages():
			if m.Offset < 5 {
				t.Fatalf("offset %d was there before", m.Offset)
			}
			return
		case <-deadline(t).Done():
			t.Fatal("nothing comes")
		default:
		}
	}
}

func TestTablesKnowHighWaterMarks(t *testing.T) {
	c := brokers(t)
	topic, cl := newTopic(t, c, 2), manual(t, c)
	write(t, cl, topic, 0, 0, 6)
	write(t, cl, topic, 1, 0, 4)
	tables := openTables(t, c)
	a, b := follow(t, tables, topic, 0, 2), follow(t, tables, topic, 1, sarama.OffsetOldest)
	take(t, a, 2)
	take(t, b, 0)
	marks := tables.HighWaterMarks()[topic]
	if a.HighWaterMarkOffset() != 6 || b.HighWaterMarkOffset() != 4 || marks[0] != 6 || marks[1] != 4 {
		t.Errorf("high water marks %d and %d, together %v; want 6 and 4",
			a.HighWaterMarkOffset(), b.HighWaterMarkOffset(), marks)
	}
	marks[0] = 99 // the caller's own
	if got := tables.HighWaterMarks()[topic][0]; got != 6 {
		t.Errorf("high water mark %d after the caller changed his copy", got)
	}
	write(t, cl, topic, 0, 6, 8)
	for i := int64(3); i < 8; i++ {
		take(t, a, i)
	}
	if a.HighWaterMarkOffset() != 8 {
		t.Errorf("high water mark %d, want 8", a.HighWaterMarkOffset())
	}
	if parts, err := tables.Partitions(topic); err != nil || !slices.Equal(parts, []int32{0, 1}) {
		t.Errorf("Partitions = %v, %v", parts, err)
	}
	if topics, err := tables.Topics(); err != nil || !slices.Contains(topics, topic) {
		t.Errorf("Topics = %v, %v", topics, err)
	}
}

// A partition that its user has paused delivers what it holds, and no more until it is
// resumed, however often its own queue fills and drains meanwhile.
func TestTablesPauseAndResume(t *testing.T) {
	c := brokers(t)
	topic, cl := newTopic(t, c, 2), manual(t, c)
	write(t, cl, topic, 0, 0, 3)
	tables := openTables(t, c)
	p, probe := follow(t, tables, topic, 0, 0), follow(t, tables, topic, 1, 0)
	for i := range int64(3) {
		take(t, p, i)
	}
	next := int64(3)
	for _, how := range []struct{ pause, resume func() }{
		{p.Pause, p.Resume},
		{func() { tables.Pause(map[string][]int32{topic: {0}}) },
			func() { tables.Resume(map[string][]int32{topic: {0}}) }},
		{func() { tables.PauseAll(); probe.Resume() }, tables.ResumeAll},
	} {
		if p.IsPaused() {
			t.Error("it is paused, though nobody has asked for that")
		}
		how.pause()
		if !p.IsPaused() || probe.IsPaused() {
			t.Errorf("paused: %v, the other: %v", p.IsPaused(), probe.IsPaused())
		}
		write(t, cl, topic, 0, int(next), int(next)+1)
		write(t, cl, topic, 1, int(next), int(next)+1)
		take(t, probe, next-3) // written later, read already
		select {
		case m := <-p.Messages():
			t.Errorf("offset %d comes out of a paused partition", m.Offset)
			next++
			continue
		default:
		}
		how.resume()
		take(t, p, next)
		next++
	}
}

// A partition that was closed while paused delivers when it is opened again.
func TestTablesReopenWhatWasPaused(t *testing.T) {
	c := brokers(t)
	topic, cl := newTopic(t, c, 1), manual(t, c)
	write(t, cl, topic, 0, 0, 3)
	tables := openTables(t, c)
	p := follow(t, tables, topic, 0, 0)
	take(t, p, 0)
	p.Pause()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p = follow(t, tables, topic, 0, 1)
	take(t, p, 1)
	take(t, p, 2)
}

// What goka closes is its share only; Shutdown ends every partition and every goroutine.
func TestTablesShutdown(t *testing.T) {
	c := brokers(t)
	topic := newTopic(t, c, 1)
	write(t, manual(t, c), topic, 0, 0, 3)
	before := goleak.IgnoreCurrent()
	tables, err := kafka.NewTables(c)
	if err != nil {
		t.Fatal(err)
	}
	share, err := tables.Builder()(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	p := follow(t, share, topic, 0, 0)
	take(t, p, 0)
	if err := share.Close(); err != nil {
		t.Fatal(err)
	}
	take(t, p, 1)
	tables.Shutdown()
	for range p.Messages() { // ends
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	goleak.VerifyNone(t, before)
}

// What cannot be read comes out as an error that names the place.
func TestTablesErrorsNameThePartition(t *testing.T) {
	b, c := embeddedBroker(t)
	topic := newTopic(t, c, 1)
	write(t, manual(t, c), topic, 0, 0, 1)
	p := follow(t, openTables(t, c), topic, 0, 0)
	take(t, p, 0)
	refuseFetches(b)
	select {
	case err := <-p.Errors():
		if err.Topic != topic || !strings.Contains(err.Err.Error(), "reading "+topic+"/0") {
			t.Errorf("error %v", err.Err)
		}
	case <-deadline(t).Done():
		t.Fatal("no error comes")
	}
}
