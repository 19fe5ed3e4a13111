package feed

import (
	"context"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/align"
	"github.com/tideline/tideline/timeline/kafka"
	"github.com/tideline/tideline/timeline/kafka/embedded"
)

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func broker(t *testing.T) kafka.Config {
	t.Helper()
	b, err := embedded.Start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return kafka.Config{Brokers: b.Addrs()}
}

func client(t *testing.T, c kafka.Config) *kgo.Client {
	t.Helper()
	cl, err := c.NewClient(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func TestMetadataRoundTrip(t *testing.T) {
	times := rapid.Map(rapid.Int64(), func(n int64) timeline.Time { return timeline.Time(n) })
	seals := rapid.Custom(func(t *rapid.T) seal {
		return seal{rapid.Int64().Draw(t, "end"), times.Draw(t, "at")}
	})
	rapid.Check(t, func(t *rapid.T) {
		p := align.Progress{
			Offset: rapid.Int64().Draw(t, "offset"), Watermark: times.Draw(t, "watermark"),
			MaxAt: times.Draw(t, "max at"), Read: rapid.Int64().Draw(t, "read"),
			Cut:      align.Cut{At: times.Draw(t, "cut"), N: rapid.Uint64().Draw(t, "n")},
			Promises: rapid.SliceOfN(times, 1, 5).Draw(t, "promises"),
		}
		announced := times.Draw(t, "announced")
		list := rapid.SliceOfN(seals, 0, 3).Draw(t, "seals")
		text := formatMetadata(announced, list, p)
		got, err := parseMetadata(text)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			list = nil
		}
		want := committedInput{progress: p, announced: announced, seals: list}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: %+v came back as %+v", text, want, got)
		}
	})
}

// What other software, other releases or people have committed is refused, with the
// place and the cure.
func TestForeignCommits(t *testing.T) {
	text := func(s string) *string { return &s }
	good := formatMetadata(5, nil, align.Progress{Offset: 17})
	cfg := &Config{Group: "till.bills", Inputs: []Input{{Topic: "other"}, {Topic: "sales"}}}
	for _, test := range []struct {
		metadata *string
		want     string
	}{
		{nil, `reading commit metadata "": not written by this version; reset the group's offsets`},
		{text(""), `reading commit metadata "": not written by this version`},
		{text("consumer-7 was here"), `reading commit metadata "consumer-7 was here": not written`},
		{text("2;a;;b"), "not written by this version"},
		{text("1;?;;b"), `reading commit metadata "1;?;;b": strconv.ParseInt`},
		{text("1;0;7;b"), `seal "7"`},
		{text("1;0;x:7;b"), `seal "x:7"`},
		{text("1;0;;b"), "commit under another group"},
		{text(strings.Replace(good, ";17;", ";16;", 1)),
			"commit is at offset 17 but its metadata says 16: offsets of this group were " +
				"changed by hand; delete the group to start anew"},
	} {
		resp := fetched("sales", 3, 17, test.metadata)
		for _, r := range resp {
			_, err := parseFetched(cfg, r)
			if err == nil || !strings.Contains(err.Error(), test.want) ||
				!strings.Contains(err.Error(), "resuming sales/3 of group till.bills: ") {
				t.Errorf("%v\nwant: %s", err, test.want)
			}
		}
	}
	for _, r := range fetched("sales", 3, 17, &good) {
		got, err := parseFetched(cfg, r)
		if err != nil || len(got) != 1 || got[3][1].progress.Offset != 17 || got[3][1].announced != 5 ||
			!reflect.DeepEqual(got[3][0], freshInput()) {
			t.Errorf("%+v, %v", got, err)
		}
	}
	for _, r := range append(fetched("sales", 3, -1, nil), fetched("elsewhere", 3, 4, text("x"))...) {
		if got, err := parseFetched(cfg, r); err != nil || len(got[3]) > 0 &&
			!reflect.DeepEqual(got[3], cfg.fresh()) {
			t.Errorf("nothing committed is read as %+v, %v", got, err)
		}
	}
}

// fetched is an answer to the question for commits, in the old form and in the new.
func fetched(topic string, p int32, at int64, metadata *string) []*kmsg.OffsetFetchResponse {
	part := kmsg.NewOffsetFetchResponseTopicPartition()
	part.Partition, part.Offset, part.Metadata = p, at, metadata
	one := kmsg.NewOffsetFetchResponseTopic()
	one.Topic, one.Partitions = topic, []kmsg.OffsetFetchResponseTopicPartition{part}
	grouped := kmsg.NewOffsetFetchResponseGroupTopicPartition()
	grouped.Partition, grouped.Offset, grouped.Metadata = p, at, metadata
	two := kmsg.NewOffsetFetchResponseGroupTopic()
	two.Topic, two.Partitions = topic, []kmsg.OffsetFetchResponseGroupTopicPartition{grouped}
	return []*kmsg.OffsetFetchResponse{
		{Topics: []kmsg.OffsetFetchResponseTopic{one}},
		{Groups: []kmsg.OffsetFetchResponseGroup{{
			Topics: []kmsg.OffsetFetchResponseGroupTopic{two},
		}}},
	}
}

func TestFetchStatus(t *testing.T) {
	ctx, cl := deadline(t), client(t, broker(t))
	adm := kadm.NewClient(cl)
	if got, err := FetchStatus(ctx, adm, "nobody"); err != nil || len(got) != 0 {
		t.Fatalf("a group that never was: %v, %v", got, err)
	}
	if err := kafka.NewTopics(cl, 0, 0).Ensure(ctx, "sales", 3, kafka.Keep); err != nil {
		t.Fatal(err)
	}
	commit := func(p int32, at int64, metadata string) {
		t.Helper()
		var o kadm.Offsets
		o.Add(kadm.Offset{Topic: "sales", Partition: p, At: at, LeaderEpoch: -1, Metadata: metadata})
		if resp, err := adm.CommitOffsets(ctx, "bills", o); err != nil || resp.Error() != nil {
			t.Fatal(err, resp.Error())
		}
	}
	commit(2, 9, formatMetadata(50, nil, align.Progress{Offset: 9, Read: 4}))
	commit(0, 3, formatMetadata(40, []seal{{3, 39}}, align.Progress{Offset: 3}))
	got, err := FetchStatus(ctx, adm, "bills")
	if err != nil || len(got) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	if s := got[0]; s.Topic != "sales" || s.Partition != 0 || s.Offset != 3 || s.Announced != 40 {
		t.Errorf("status %+v", s)
	}
	if s := got[1]; s.Partition != 2 || s.Offset != 9 || s.Announced != 50 || s.Progress.Read != 4 {
		t.Errorf("status %+v", s)
	}
	commit(1, 1, "somebody else's")
	if _, err := FetchStatus(ctx, adm, "bills"); err == nil ||
		!strings.Contains(err.Error(), `group bills, sales/1: reading commit metadata`) {
		t.Errorf("a foreign commit: %v", err)
	}
}

func TestCommitErrors(t *testing.T) {
	if err := commitErrors(nil); err != nil {
		t.Error(err)
	}
	p := kmsg.NewOffsetCommitResponseTopicPartition()
	p.Partition = 2
	resp := &kmsg.OffsetCommitResponse{Topics: []kmsg.OffsetCommitResponseTopic{{
		Topic: "sales", Partitions: []kmsg.OffsetCommitResponseTopicPartition{p},
	}}}
	if err := commitErrors(resp); err != nil {
		t.Error(err)
	}
	resp.Topics[0].Partitions[0].ErrorCode = kerr.IllegalGeneration.Code
	if err := commitErrors(resp); !errors.Is(err, kerr.IllegalGeneration) ||
		!strings.Contains(err.Error(), "committing sales/2") {
		t.Error(err)
	}
}

func TestPollErrorsSayTheCure(t *testing.T) {
	for _, test := range []struct {
		err     error
		passing bool
		want    string
	}{
		{kerr.FencedInstanceID, false, "give each its own"},
		{kerr.OffsetOutOfRange, false, "give the topic a longer retention"},
		{&kgo.ErrDataLoss{Topic: "sales"}, false, "give the topic a longer retention"},
		{kerr.UnknownTopicOrPartition, true, "create it, or correct topic:"},
		{kerr.TopicAuthorizationFailed, false, "reading sales/1: "},
		{&kgo.ErrGroupSession{Err: kerr.UnknownMemberID}, true, "staying in group bills"},
		{&kgo.ErrGroupSession{Err: kerr.GroupAuthorizationFailed}, false, "staying in group bills"},
		{&kgo.ErrGroupSession{Err: io.EOF}, true, "staying in group bills"},
	} {
		if got := passing(test.err); got != test.passing {
			t.Errorf("passing(%v) = %v", test.err, got)
		}
		f := kgo.FetchTopicPartition{Topic: "sales"}
		f.Partition, f.Err = 1, test.err
		err := pollError("bills", f)
		if !strings.Contains(err.Error(), test.want) || !errors.Is(err, test.err) {
			t.Errorf("%v\nwant: %s", err, test.want)
		}
	}
}
