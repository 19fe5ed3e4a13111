package kafka_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tideline/tideline/timeline/kafka"
	"github.com/tideline/tideline/timeline/kafka/embedded"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// manual is a client that writes to the partition a record names.
func manual(t *testing.T, c kafka.Config) *kgo.Client {
	t.Helper()
	cl, err := c.NewClient(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// newTopic makes a topic of n partitions.
func newTopic(t *testing.T, c kafka.Config, n int) string {
	t.Helper()
	name := unique(t)
	err := kafka.NewTopics(client(t, c), 0, 0).Ensure(deadline(t), name, n, kafka.Keep)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// write appends records with the values from..to-1, in decimal, to a partition.
func write(t *testing.T, cl *kgo.Client, topic string, partition int32, from, to int) {
	t.Helper()
	records := make([]*kgo.Record, 0, to-from)
	for i := from; i < to; i++ {
		records = append(records, &kgo.Record{
			Topic: topic, Partition: partition, Value: []byte(strconv.Itoa(i)),
		})
	}
	if err := cl.ProduceSync(deadline(t), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// embeddedBroker is a broker that a test does something to.
func embeddedBroker(t *testing.T) (*embedded.Broker, kafka.Config) {
	t.Helper()
	b, err := embedded.Start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b, kafka.Config{Brokers: b.Addrs()}
}

// refuseFetches has the broker answer every fetch that the client may not read.
func refuseFetches(b *embedded.Broker) {
	b.Cluster().ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		b.Cluster().KeepControl()
		fetch := req.(*kmsg.FetchRequest)
		resp := fetch.ResponseKind().(*kmsg.FetchResponse)
		for _, t := range fetch.Topics {
			rt := kmsg.NewFetchResponseTopic()
			rt.Topic, rt.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				rp := kmsg.NewFetchResponseTopicPartition()
				rp.Partition, rp.ErrorCode = p.Partition, kerr.TopicAuthorizationFailed.Code
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp, nil, true
	})
}
