package kafka_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/kafka"
	"github.com/tideline/tideline/timeline/wire"
)

// settled waits for a promise.
func settled(t *testing.T, p *goka.Promise) (m *sarama.ProducerMessage, err error) {
	t.Helper()
	done := make(chan struct{})
	p.ThenWithMessage(func(got *sarama.ProducerMessage, e error) {
		m, err = got, e
		close(done)
	})
	select {
	case <-done:
	case <-deadline(t).Done():
		t.Fatal("the promise is never kept")
	}
	return m, err
}

func TestProducerAsGokaProducer(t *testing.T) {
	c := brokers(t)
	table := newTopic(t, c, 4)
	p, err := kafka.NewProducer(c)
	if err != nil {
		t.Fatal(err)
	}
	g, err := p.Builder()(nil, "", kafka.NewHasher)
	if err != nil {
		t.Fatal(err)
	}
	const at = timeline.Time(1_700_000_000_123_456)
	version := wire.AppendVersion(nil, wire.Version{Stamp: timeline.Stamp{At: at}, Row: []byte("r")})
	mark := wire.AppendWatermark(nil, wire.Watermark{At: timeline.MinTime, Sender: 3})
	before := time.Now().Truncate(time.Millisecond)
	rows := g.EmitWithHeaders(table, "abc", version, goka.Headers{"h": []byte("v")})
	marks := g.Emit(table, wire.WatermarkKey(3), mark)
	tomb := g.Emit(table, "abc", nil)
	if m, err := settled(t, rows); err != nil || m.Offset != 0 || m.Topic != table ||
		m.Partition != kafka.PartitionOf("abc", 4) {
		t.Fatalf("a row: %+v, %v", m, err)
	}
	if m, err := settled(t, marks); err != nil || m.Partition != 3 {
		t.Fatalf("a watermark: %+v, %v", m, err)
	}
	if _, err := settled(t, tomb); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if p.Written() != 3 {
		t.Errorf("Written = %d, want 3", p.Written())
	}
	// The client is shared: it outlives the goka producer that was closed.
	if _, err := settled(t, g.Emit(table, "abc", version)); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(deadline(t)); err != nil {
		t.Fatal(err)
	}
	var got []*kgo.Record
	if err := kafka.ReadAll(deadline(t), c, table, func(r *kgo.Record) error {
		if string(r.Key) == "abc" {
			got = append(got, r)
		} else if r.Timestamp.Before(before) {
			t.Errorf("a watermark without a time is stamped %v", r.Timestamp)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || string(got[0].Value) != string(version) || got[1].Value != nil {
		t.Fatalf("the topic holds %v", got)
	}
	if ms := got[0].Timestamp.UnixMilli(); ms != int64(at)/1000 {
		t.Errorf("the record is stamped %d, its event time is %d µs", ms, at)
	}
	if h := got[0].Headers; len(h) != 1 || h[0].Key != "h" || string(h[0].Value) != "v" {
		t.Errorf("headers %v", h)
	}
}

// Many writes to a partition keep their order, and each knows its offset.
func TestProducerKeepsOrder(t *testing.T) {
	c := brokers(t)
	out := newTopic(t, c, 1)
	p, err := kafka.NewProducer(c)
	if err != nil {
		t.Fatal(err)
	}
	g, err := p.Builder()(nil, "", kafka.NewHasher)
	if err != nil {
		t.Fatal(err)
	}
	const n = 2000
	errs := make(chan error, n)
	for i := range int64(n) {
		g.Emit(out, "k", []byte{byte(i)}).ThenWithMessage(
			func(m *sarama.ProducerMessage, err error) {
				if err == nil && m.Offset != i {
					err = errors.New("out of order")
				}
				errs <- err
			})
	}
	if err := p.Close(deadline(t)); err != nil {
		t.Fatal(err)
	}
	for range n {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
}

func TestProducerErrorsNameTheTopic(t *testing.T) {
	c := brokers(t)
	out := newTopic(t, c, 1)
	p, err := kafka.NewProducer(c)
	if err != nil {
		t.Fatal(err)
	}
	g, err := p.Builder()(nil, "", kafka.NewHasher)
	if err != nil {
		t.Fatal(err)
	}
	_, err = settled(t, g.Emit(out, "k", make([]byte, 2<<20)))
	if err == nil || !strings.Contains(err.Error(), "writing to "+out+"/0") {
		t.Errorf("a record that is too large: %v", err)
	}
	if err := p.Close(deadline(t)); err != nil {
		t.Fatal(err)
	}
}
