package processors

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tideline/tideline/processors/feed"
	"github.com/tideline/tideline/processors/format"
	"github.com/tideline/tideline/processors/plan"
	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/kafka"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/timeline/wire"
)

// decoder turns a stream's records into what travels to the operators: the canonical
// record key, and the encoded row of the columns that are wanted.
type decoder struct {
	format  format.Decoder
	columns []int
	// partitions, if not 0, is how many partitions the keys must be spread over by
	// murmur2: the stage reads the topic directly and relies on it.
	partitions int
	// stamped says that the record's timestamp is the event time.
	stamped bool
	row     row.Row
}

func newDecoder(in plan.Input) (feed.Decoder, error) {
	s := in.Stream
	o := format.Options{
		Schema: s.Schema, TimeColumn: s.TimeColumn,
		PositionHeader: s.PositionHeader, HeartbeatPrefix: s.HeartbeatPrefix,
	}
	d := &decoder{
		columns: in.Columns, stamped: s.Format == "json" && s.TimeColumn == "",
	}
	var err error
	switch s.Format {
	case "json":
		d.format, err = format.NewJSON(o)
	case "debezium":
		d.format, err = format.NewDebezium(o)
	default:
		err = fmt.Errorf("format %s cannot be read", s.Format)
	}
	if err != nil {
		return nil, fmt.Errorf("preparing stream %s: %w", s.Name, err)
	}
	return d, nil
}

// Decode implements feed.Decoder.
func (d *decoder) Decode(r *kgo.Record, into *feed.Decoded) error {
	rec := format.Record{
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: r.Key, Value: r.Value,
		Timestamp: timeline.FromTime(r.Timestamp),
		Header:    func(name string) ([]byte, bool) { return header(r, name) },
	}
	c, err := d.format.Decode(rec)
	if err != nil {
		var fe *format.Error
		if errors.As(err, &fe) {
			return &feed.DecodeError{Reason: fe.Reason, At: d.unreadTime(rec), Err: err}
		}
		return err
	}
	into.At, into.Position = c.At, c.Position
	into.HasPosition, into.TiesAllowed = c.HasPosition, c.TiesAllowed
	switch c.Kind {
	case format.Ignore:
		into.Kind = feed.Nothing
		return nil
	case format.TimeOnly:
		into.Kind = feed.Heartbeat
		return nil
	case format.Delete:
		into.Op = wire.Delete
	case format.Upsert:
		into.Op = wire.Upsert
		d.row = d.row[:0]
		for _, i := range d.columns {
			d.row = append(d.row, c.Row[i])
		}
		into.Row = row.AppendRow(into.Row, d.row)
	}
	into.Kind = feed.Change
	key := row.KeyText(c.Key)
	into.Key = append(into.Key, key...)
	return d.checkPlace(r, key, c.At)
}

// unreadTime is what is known of the event time of a record that cannot be read.
func (d *decoder) unreadTime(r format.Record) timeline.Time {
	if d.stamped {
		return r.Timestamp
	}
	return timeline.MinTime
}

// checkPlace refuses a record whose row lives in another partition: read where it is, it
// would never meet the other rows of its key.
func (d *decoder) checkPlace(r *kgo.Record, key string, at timeline.Time) error {
	if d.partitions == 0 {
		return nil
	}
	if want := kafka.PartitionOf(key, d.partitions); want != r.Partition {
		return &feed.DecodeError{Reason: wire.WrongPartition, At: at, Err: fmt.Errorf(
			"key %q belongs in partition %d of %d by murmur2, the record stands in %d; "+
				"if the topic is written with another partitioner, name it in the pipeline file",
			key, want, d.partitions, r.Partition)}
	}
	return nil
}

func header(r *kgo.Record, name string) ([]byte, bool) {
	for i := range r.Headers {
		if r.Headers[i].Key == name {
			return r.Headers[i].Value, true
		}
	}
	return nil, false
}
