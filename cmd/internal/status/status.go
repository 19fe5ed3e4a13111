package status

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tideline/tideline/processors/feed"
	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/catalog"
	"github.com/tideline/tideline/timeline/kafka"
)

// Report is where a pipeline stands, as last committed.
type Report struct {
	Pipeline string
	Version  string // of the plan
	Streams  []Stream
	Stages   []Stage
	Views    []View
}

// Stream is a source topic as the first stage that reads it has read it.
type Stream struct {
	Name       string
	Topic      string
	Partitions []Input
}

// Stage is a goka group.
type Stage struct {
	Name       string
	Group      string
	View       string // empty for a stage that only re-keys a stream
	Partitions []Partition
}

// Partition is one partition of a stage.
type Partition struct {
	Partition int32
	// Watermark is what the stage has told its readers; timeline.MinTime: nothing yet.
	Watermark timeline.Time
	Quality   timeline.Quality
	Lag       int64 // records of its inputs still to be read
	HeldBy    Hold
	Inputs    []Input
}

// Hold is the source partition whose event time is furthest behind.
type Hold struct {
	Topic     string
	Partition int32
	At        timeline.Time // nothing is still to come from it at or before At
}

// Input is one partition of a topic as a stage has read it.
type Input struct {
	Topic     string
	Partition int32
	Position  int64 // first offset still needed
	End       int64
	Latest    timeline.Time // greatest event time; timeline.MinTime: none yet
	Counters
	bound Hold
}

// Counters tell what became of the records of an input. Read is the sum of the next
// three. Heartbeats (records that carry only time, or nothing, as Debezium's tombstones)
// and Raised are part of Applied, Late is part of DeadLettered.
type Counters struct {
	Read, Applied, Duplicates, DeadLettered int64
	Heartbeats, Raised, Late                int64
}

// Add adds other counters.
func (c *Counters) Add(o Counters) {
	c.Read += o.Read
	c.Applied += o.Applied
	c.Duplicates += o.Duplicates
	c.DeadLettered += o.DeadLettered
	c.Heartbeats += o.Heartbeats
	c.Late += o.Late
	c.Raised += o.Raised
}

// Lag is how many records are still to be read.
func (i *Input) Lag() int64 { return max(0, i.End-i.Position) }

// View is a view as its readers may read it.
type View struct {
	Name       string
	Partitions int
	Watermark  timeline.Time // the least over its partitions; timeline.MinTime: none yet
	Quality    timeline.Quality
	HeldBy     Hold
}

// Collect makes the report of the pipeline that a catalog describes.
func Collect(ctx context.Context, cl *kgo.Client, cat *catalog.Catalog) (*Report, error) {
	c := collector{cat: cat, streams: map[string]catalog.Stream{}}
	var topics []string
	for _, s := range cat.Streams {
		c.streams[s.Topic] = s
		topics = append(topics, s.Topic)
	}
	for _, s := range cat.Stages {
		if s.Exchange != "" {
			topics = append(topics, s.Exchange)
		}
		topics = append(topics, s.Exchanges...)
	}
	var err error
	if c.ends, err = kafka.NewTopics(cl, 0, 0).Ends(ctx, topics...); err != nil {
		return nil, err
	}
	adm := kadm.NewClient(cl)
	r := &Report{Pipeline: cat.Pipeline, Version: cat.Version}
	for _, s := range cat.Stages {
		committed, err := feed.FetchStatus(ctx, adm, s.Group)
		if err != nil {
			return nil, fmt.Errorf("looking at stage %s: %w", s.Name, err)
		}
		r.Stages = append(r.Stages, c.stage(s, committed))
	}
	c.summarise(r)
	return r, nil
}

type collector struct {
	cat     *catalog.Catalog
	streams map[string]catalog.Stream // by topic
	ends    map[string][]int64
}

func (c *collector) stage(s catalog.Stage, committed []feed.Status) Stage {
	out := Stage{Name: s.Name, Group: s.Group, View: s.View}
	for p := range int32(s.Partitions) {
		part := Partition{Partition: p, Watermark: timeline.MinTime}
		for _, topic := range s.Inputs {
			in := Input{Topic: topic, Partition: p, Latest: timeline.MinTime}
			if ends := c.ends[topic]; int(p) < len(ends) {
				in.End = ends[p]
			}
			in.bound = Hold{Topic: topic, Partition: p, At: timeline.MinTime}
			for i := range committed {
				if committed[i].Topic == topic && committed[i].Partition == p {
					c.read(&in, &part, &committed[i])
				}
			}
			part.Lag += in.Lag()
			if len(part.Inputs) == 0 || in.bound.At < part.HeldBy.At {
				part.HeldBy = in.bound
			}
			part.Inputs = append(part.Inputs, in)
		}
		out.Partitions = append(out.Partitions, part)
	}
	return out
}

// read fills in what was committed for an input of a partition.
func (c *collector) read(in *Input, part *Partition, s *feed.Status) {
	p := &s.Progress
	in.Position, in.Latest = max(s.Offset, 0), p.MaxAt
	in.Counters = Counters{
		Read: p.Read, Applied: p.Applied + p.Heartbeats, Duplicates: p.Duplicates,
		DeadLettered: p.DeadLettered, Heartbeats: p.Heartbeats, Late: p.Late, Raised: p.Raised,
	}
	part.Watermark = max(part.Watermark, s.Announced)
	part.Quality = part.Quality.Weaker(p.Quality)
	if stream, ok := c.streams[in.Topic]; ok {
		in.bound.At = streamBound(p.Promises, p.MaxAt, timeline.Duration(stream.Lateness))
		return
	}
	for sender, at := range p.Promises {
		if sender == 0 || at < in.bound.At {
			in.bound.At, in.bound.Partition = at, int32(sender)
		}
	}
	in.bound.Topic = c.origin(in.Topic)
}

// streamBound is the instant at or before which a stream's partition has nothing to
// bring: by a promise, or by the greatest event time seen.
func streamBound(promises []timeline.Time, latest, lateness timeline.Time) timeline.Time {
	at := timeline.MinTime
	if latest > timeline.MinTime+lateness+1 {
		at = latest - lateness - 1
	}
	if len(promises) > 0 {
		at = max(at, promises[0])
	}
	return at
}

// origin is the source topic behind an exchange. Sender and source partition are the
// same number.
func (c *collector) origin(exchange string) string {
	for _, s := range c.cat.Stages {
		if s.Exchange == exchange && len(s.Inputs) > 0 {
			return s.Inputs[0]
		}
	}
	return exchange
}

// summarise derives streams and views from the stages.
func (c *collector) summarise(r *Report) {
	for _, s := range c.cat.Streams {
		out := Stream{Name: s.Name, Topic: s.Topic}
		for i := range r.Stages {
			for _, p := range r.Stages[i].Partitions {
				for _, in := range p.Inputs {
					if in.Topic == s.Topic {
						out.Partitions = append(out.Partitions, in)
					}
				}
			}
			if len(out.Partitions) > 0 {
				break // other stages read the same records
			}
		}
		r.Streams = append(r.Streams, out)
	}
	for _, v := range c.cat.Views {
		out := View{Name: v.Name, Partitions: v.Partitions, Watermark: timeline.MinTime}
		for i := range r.Stages {
			if r.Stages[i].View == v.Name {
				least(&out, r.Stages[i].Partitions)
			}
		}
		r.Views = append(r.Views, out)
	}
}

func least(v *View, parts []Partition) {
	for i, p := range parts {
		if i == 0 || p.Watermark < v.Watermark {
			v.Watermark, v.HeldBy = p.Watermark, p.HeldBy
		}
		v.Quality = v.Quality.Weaker(p.Quality)
	}
}

// Total sums the counters and the lag over all streams.
func (r *Report) Total() (sum Counters, lag int64) {
	for _, s := range r.Streams {
		for i := range s.Partitions {
			sum.Add(s.Partitions[i].Counters)
			lag += s.Partitions[i].Lag()
		}
	}
	return sum, lag
}

// Watermark is the least over all views; timeline.MinTime if one has none.
func (r *Report) Watermark() timeline.Time {
	at := timeline.MaxTime
	for _, v := range r.Views {
		at = min(at, v.Watermark)
	}
	if len(r.Views) == 0 {
		return timeline.MinTime
	}
	return at
}
