package processors

import (
	"io"
	"log/slog"
	"time"

	"github.com/tideline/tideline/timeline/kafka"
)

// Options say where and how a pipeline runs. Kafka.Brokers and Dir are required.
type Options struct {
	Kafka kafka.Config
	// Dir keeps the local state of the stages: a cache of the table topics.
	Dir string
	// InstanceID makes this process a static member of the stages' groups: a restart
	// within SessionTimeout keeps its partitions. It must be unique among the processes
	// of a pipeline. Empty: partitions move as soon as the process leaves.
	InstanceID string
	// SessionTimeout is how long a silent process keeps its partitions; default 45 s.
	SessionTimeout time.Duration
	// Memory bounds the changes waiting for their turn, in bytes over all stages and
	// partitions of this process; default 256 MiB. What does not fit goes to disk.
	Memory int64
	// UntilEnd makes the run a bounded replay: every stream is read to the end it had at
	// the start, all of that becomes final, and Run returns.
	UntilEnd bool
	// CommitEvery paces commits, default 500 ms, 100 ms in a bounded replay;
	// WatermarkEvery paces the watermarks
	// that stages tell each other, default 5 ms.
	CommitEvery, WatermarkEvery time.Duration
	// ClockEvery paces the entries of the clock topic, default 100 ms.
	ClockEvery time.Duration
	// Now is the wall clock, default time.Now.
	Now func() time.Time
	// Log receives what an operator may want to know; default: nothing.
	Log *slog.Logger
}

func (o *Options) fill() {
	if o.Memory == 0 {
		o.Memory = 256 << 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if o.CommitEvery == 0 {
		o.CommitEvery = 500 * time.Millisecond
		if o.UntilEnd {
			o.CommitEvery = 100 * time.Millisecond // the end shows in the commits
		}
	}
	if o.WatermarkEvery == 0 {
		o.WatermarkEvery = 5 * time.Millisecond
	}
	if o.ClockEvery == 0 {
		o.ClockEvery = 100 * time.Millisecond
	}
}
