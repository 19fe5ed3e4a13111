package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tideline/tideline/cmd/internal/datadir"
	"github.com/tideline/tideline/cmd/internal/exit"
	"github.com/tideline/tideline/cmd/internal/records"
	"github.com/tideline/tideline/cmd/internal/table"
	"github.com/tideline/tideline/timeline/kafka"
)

func (a *app) produceCommand() *cobra.Command {
	var topic string
	cmd := &cobra.Command{
		Use: "produce [FILE]", Short: "Write records from JSON lines to their topics",
		Long: `Reads one record a line from FILE or standard input, plain or gzipped:

  {"topic": "orders", "key": "1001", "value": {"status": "paid"}, "ts": 1748854800000,
   "headers": {"position": "17"}, "partition": 2}

A key or value that is no string is written as its JSON text; null is null. "ts" is the
record's timestamp in milliseconds (default: now). Without "partition" the key decides,
by Kafka's murmur2. Records are written in the order of the lines. At the first bad line
nothing more is written.`,
		Args: cobra.MaximumNArgs(1),
	}
	a.brokerFlags(cmd)
	a.fileFlag(cmd, "a pipeline file: its topics are made on the embedded broker, "+
		"with its number of partitions")
	cmd.Flags().StringVar(&topic, "topic", "", "topic of the lines that name none")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		in, err := a.openInput(args)
		if err != nil {
			return err
		}
		defer in.Close()
		b, err := a.connect(cmd.Context(), datadir.Write)
		if err != nil {
			return err
		}
		defer b.Close()
		p, err := newProducer(b, topic)
		if err != nil {
			return err
		}
		if a.file != "" {
			file, err := a.load()
			if err != nil {
				return err
			}
			p.made = file.Partitions
			if err := ensureSources(cmd.Context(), b, p.cl, p.made, topicsOf(file)...); err != nil {
				return err
			}
		}
		bar := a.progress(-1, "producing", "records")
		err = p.all(cmd.Context(), in, bar.set)
		bar.finish()
		if perr := a.printProduced(p); err == nil {
			err = perr
		}
		return err
	}
	return cmd
}

func (a *app) openInput(args []string) (io.ReadCloser, error) {
	if len(args) == 1 && args[0] != "-" {
		in, err := records.Open(args[0])
		return in, exit.With(exit.Usage, err)
	}
	r, err := records.Unzip(a.in)
	if err != nil {
		return nil, fmt.Errorf("reading standard input: %w", err)
	}
	return io.NopCloser(r), nil
}

// producer writes lines to topics.
type producer struct {
	cl         *kgo.Client
	broker     *datadir.Broker
	topic      string         // default
	made       int            // partitions of topics that are made; 0: the default
	partitions map[string]int // of the topics seen
	robin      map[string]int // next partition for records without key
	read       int64
	skipped    int // wait_watermark lines

	mu      sync.Mutex
	written map[string]int64
	failed  error
}

func newProducer(b *datadir.Broker, topic string) (*producer, error) {
	cl, err := b.Config.NewClient(
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(2*time.Millisecond),
	)
	if err != nil {
		return nil, err
	}
	return &producer{
		cl: cl, broker: b, topic: topic, partitions: map[string]int{},
		robin: map[string]int{}, written: map[string]int64{},
	}, nil
}

// all writes all lines of r, waits until they are safe, and disconnects.
func (p *producer) all(ctx context.Context, r io.Reader, progress func(int64)) error {
	defer p.cl.Close()
	err := records.Read(r, func(_ int, l records.Line) error {
		p.read++
		progress(p.read)
		return p.one(ctx, l)
	})
	if ferr := p.cl.Flush(ctx); ferr != nil && err == nil {
		err = fmt.Errorf("writing records: %w", ferr)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed != nil {
		return p.failed // the cause, of which err may be a consequence
	}
	return err
}

func (p *producer) one(ctx context.Context, l records.Line) error {
	if l.WaitWatermark != nil {
		p.skipped++
		return nil
	}
	r, err := p.record(ctx, l)
	if err != nil {
		return err
	}
	p.mu.Lock()
	failed := p.failed
	p.mu.Unlock()
	if failed != nil {
		return failed
	}
	p.cl.Produce(ctx, r, func(r *kgo.Record, err error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if err == nil {
			p.written[r.Topic]++
		} else if p.failed == nil {
			p.failed = fmt.Errorf("writing to %s/%d: %w", r.Topic, r.Partition, err)
		}
	})
	return nil
}

func (p *producer) record(ctx context.Context, l records.Line) (*kgo.Record, error) {
	topic := l.Topic
	if topic == "" {
		topic = p.topic
	}
	if topic == "" {
		return nil, exit.Errorf(exit.Usage, `no "topic", and no --topic for lines without one`)
	}
	n, err := p.count(ctx, topic)
	if err != nil {
		return nil, err
	}
	r := &kgo.Record{Topic: topic, Value: l.Value, Timestamp: time.Now()}
	if l.TS != nil {
		r.Timestamp = time.UnixMilli(*l.TS)
	}
	for _, h := range l.Headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
	}
	if l.Key != nil {
		r.Key = []byte(*l.Key)
	}
	switch {
	case l.Partition != nil && int(*l.Partition) >= n:
		return nil, fmt.Errorf("partition %d: topic %s has only %d", *l.Partition, topic, n)
	case l.Partition != nil:
		r.Partition = *l.Partition
	case l.Key != nil:
		r.Partition = kafka.PartitionOf(*l.Key, n)
	default:
		r.Partition = int32(p.robin[topic] % n)
		p.robin[topic]++
	}
	return r, nil
}

// count returns the partitions of a topic; the embedded broker gets it if it has none.
func (p *producer) count(ctx context.Context, topic string) (int, error) {
	if n := p.partitions[topic]; n > 0 {
		return n, nil
	}
	if err := ensureSources(ctx, p.broker, p.cl, p.made, topic); err != nil {
		return 0, err
	}
	n, err := kafka.NewTopics(p.cl, 0, 0).Count(ctx, topic)
	if err != nil {
		return 0, fmt.Errorf("%w; create it before producing to it", err)
	}
	p.partitions[topic] = n
	return n, nil
}

func (a *app) printProduced(p *producer) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var topics []string
	for t := range p.written {
		topics = append(topics, t)
	}
	slices.Sort(topics)
	tab := table.New("TOPIC", ">RECORDS")
	for _, t := range topics {
		if a.json {
			err := a.printJSON(map[string]any{"topic": t, "records": p.written[t]})
			if err != nil {
				return err
			}
			continue
		}
		tab.Add(t, digits(p.written[t]))
	}
	if p.skipped > 0 {
		a.note("skipped %s: only tideline test waits", count(p.skipped, "wait_watermark line"))
	}
	if a.json || a.quiet {
		return nil
	}
	return tab.Print(a.out)
}
