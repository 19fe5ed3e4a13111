package feed

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/align"
	"github.com/tideline/tideline/timeline/kafka"
)

// committedInput is what was committed for one input of a partition.
type committedInput struct {
	progress  align.Progress
	announced timeline.Time // greatest watermark announced to the stage's readers
	next      int64         // where fetching goes on
	seals     []seal        // by end; streams only
}

func freshInput() committedInput {
	return committedInput{
		progress:  align.Progress{Offset: -1},
		announced: timeline.MinTime,
	}
}

func (c *Config) fresh() []committedInput {
	out := make([]committedInput, len(c.Inputs))
	for i := range out {
		out[i] = freshInput()
	}
	return out
}

// The metadata of a commit is "1;<announced watermark, µs>;<seals>;<progress>", with the
// seals as "<end>:<at, µs>" and commas between them.
const metadataVersion = "1"

func formatMetadata(announced timeline.Time, seals []seal, p align.Progress) string {
	b := append([]byte(metadataVersion), ';')
	b = strconv.AppendInt(b, int64(announced), 36)
	b = append(b, ';')
	b = appendSeals(b, seals)
	b = append(b, ';')
	return string(p.AppendText(b))
}

func parseMetadata(s string) (committedInput, error) {
	parts := strings.SplitN(s, ";", 4)
	if len(parts) != 4 || parts[0] != metadataVersion {
		return committedInput{}, fmt.Errorf("reading commit metadata %q: "+
			"not written by this version; reset the group's offsets to start anew", s)
	}
	announced, err := strconv.ParseInt(parts[1], 36, 64)
	if err != nil {
		return committedInput{}, fmt.Errorf("reading commit metadata %q: %w", s, err)
	}
	seals, err := parseSeals(parts[2])
	if err != nil {
		return committedInput{}, fmt.Errorf("reading commit metadata %q: %w", s, err)
	}
	p, err := align.ParseProgress(parts[3])
	if err != nil {
		return committedInput{}, fmt.Errorf("reading commit metadata: %w", err)
	}
	return committedInput{progress: p, announced: timeline.Time(announced), seals: seals}, nil
}

func readCommit(offset int64, metadata *string) (committedInput, error) {
	if offset < 0 {
		return freshInput(), nil
	}
	text := ""
	if metadata != nil {
		text = *metadata
	}
	c, err := parseMetadata(text)
	if err == nil && c.progress.Offset != offset {
		err = fmt.Errorf("commit is at offset %d but its metadata says %d: "+
			"offsets of this group were changed by hand; delete the group to start anew",
			offset, c.progress.Offset)
	}
	return c, err
}

// parseFetched sorts an offset fetch response by partition number and input.
func parseFetched(
	cfg *Config, resp *kmsg.OffsetFetchResponse,
) (map[int32][]committedInput, error) {
	out := map[int32][]committedInput{}
	var errs []error
	put := func(topic string, p int32, offset int64, metadata *string) {
		in := cfg.inputOf(topic)
		if in < 0 {
			return
		}
		if out[p] == nil {
			out[p] = cfg.fresh()
		}
		c, err := readCommit(offset, metadata)
		if err != nil {
			errs = append(errs, fmt.Errorf("resuming %s/%d of group %s: %w", topic, p, cfg.Group, err))
			return
		}
		out[p][in] = c
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			put(t.Topic, p.Partition, p.Offset, p.Metadata)
		}
	}
	for _, g := range resp.Groups {
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				put(t.Topic, p.Partition, p.Offset, p.Metadata)
			}
		}
	}
	return out, errors.Join(errs...)
}

func commitErrors(resp *kmsg.OffsetCommitResponse) error {
	if resp == nil {
		return nil
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return fmt.Errorf("committing %s/%d: %w", t.Topic, p.Partition, err)
			}
		}
	}
	return nil
}

// passing says whether an error of a fetch will go away by itself: the broker is away,
// or the group has lost its session and is joining again.
func passing(err error) bool {
	var session *kgo.ErrGroupSession
	if !errors.As(err, &session) {
		return kafka.Away(err)
	}
	for _, e := range []error{
		kerr.UnknownMemberID, kerr.IllegalGeneration, kerr.RebalanceInProgress,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	var broker *kerr.Error
	return kafka.Away(err) || !errors.As(err, &broker)
}

// pollError explains an error of a fetch: it names the place and the cure.
func pollError(group string, f kgo.FetchTopicPartition) error {
	err := fmt.Errorf("reading %s/%d: %w", f.Topic, f.Partition, f.Err)
	var lost *kgo.ErrDataLoss
	var session *kgo.ErrGroupSession
	switch {
	case errors.Is(f.Err, kerr.FencedInstanceID):
		return fmt.Errorf("staying in group %s: %w: another process runs under the same "+
			"instance id; give each its own", group, f.Err)
	case errors.As(f.Err, &session):
		return fmt.Errorf("staying in group %s: %w", group, f.Err)
	case errors.Is(f.Err, kerr.OffsetOutOfRange) || errors.As(f.Err, &lost):
		return fmt.Errorf("%w: records that group %s has not read yet are gone from the topic; "+
			"give the topic a longer retention and rebuild the view", err, group)
	case errors.Is(f.Err, kerr.UnknownTopicOrPartition):
		return fmt.Errorf("%w: the topic does not exist; create it, or correct topic: "+
			"in the pipeline file", err)
	}
	return err
}

// Status is where a group stands at one partition of one input, as last committed.
type Status struct {
	Topic     string
	Partition int32
	Offset    int64 // first offset still needed
	// Announced is the watermark that the stage has told its readers.
	Announced timeline.Time
	// Watermark and Progress are the merge's, as of the commit.
	Progress align.Progress
}

// FetchStatus reads what a group has committed, from anywhere.
func FetchStatus(ctx context.Context, adm *kadm.Client, group string) ([]Status, error) {
	fetched, err := fetchCommits(ctx, adm, group)
	if err != nil {
		if errors.Is(err, kerr.GroupIDNotFound) {
			return nil, nil
		}
		return nil, fmt.Errorf("reading commits of group %s: %w", group, err)
	}
	var out []Status
	for _, o := range fetched.Sorted() {
		if o.Err != nil {
			return nil, fmt.Errorf("reading commits of group %s: %w", group, o.Err)
		}
		c, err := readCommit(o.At, &o.Metadata)
		if err != nil {
			return nil, fmt.Errorf("group %s, %s/%d: %w", group, o.Topic, o.Partition, err)
		}
		out = append(out, Status{
			Topic: o.Topic, Partition: o.Partition, Offset: o.At,
			Announced: c.announced, Progress: c.progress,
		})
	}
	return out, nil
}

// coordinatorPatience is how long a group may be without a coordinator.
const coordinatorPatience = 30 * time.Second

// fetchCommits waits for the group's coordinator: a new cluster makes the topic of
// commits only when it is asked for one, and a coordinator that takes over must load it.
func fetchCommits(
	ctx context.Context, adm *kadm.Client, group string,
) (kadm.OffsetResponses, error) {
	deadline := time.Now().Add(coordinatorPatience)
	for {
		fetched, err := adm.FetchOffsets(ctx, group)
		wait := errors.Is(err, kerr.CoordinatorNotAvailable) ||
			errors.Is(err, kerr.CoordinatorLoadInProgress) || errors.Is(err, kerr.NotCoordinator)
		if !wait || time.Now().After(deadline) {
			return fetched, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
