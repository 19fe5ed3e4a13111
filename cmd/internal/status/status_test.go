package status

import (
	"testing"
	"time"

	"github.com/tideline/tideline/processors/feed"
	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/align"
	"github.com/tideline/tideline/timeline/catalog"
)

// testCatalog has a view over a stream of its own partitions and a re-keyed one.
func testCatalog() *catalog.Catalog {
	return &catalog.Catalog{
		Pipeline: "p", Version: "1",
		Streams: []catalog.Stream{
			{Name: "a", Topic: "ta"}, {Name: "b", Topic: "tb", Lateness: 30 * time.Microsecond},
		},
		Stages: []catalog.Stage{
			{Name: "a", Group: "ga", Partitions: 2, Inputs: []string{"ta"}, Exchange: "xa"},
			{Name: "v", Group: "gv", Partitions: 1, Inputs: []string{"xa", "tb"}, View: "v"},
		},
		Views: []catalog.View{{Name: "v", Partitions: 1}},
	}
}

func collect(v ...feed.Status) *Report {
	cat := testCatalog()
	c := collector{
		cat: cat, streams: map[string]catalog.Stream{"ta": cat.Streams[0], "tb": cat.Streams[1]},
		ends: map[string][]int64{"ta": {10, 20}, "tb": {5}, "xa": {7}},
	}
	r := &Report{}
	for i, s := range cat.Stages {
		var committed []feed.Status
		if i == 1 {
			committed = v
		}
		r.Stages = append(r.Stages, c.stage(s, committed))
	}
	c.summarise(r)
	return r
}

func status(topic string, offset int64, announced timeline.Time, p align.Progress) feed.Status {
	p.Offset = offset
	return feed.Status{Topic: topic, Offset: offset, Announced: announced, Progress: p}
}

func TestNothingCommitted(t *testing.T) {
	r := collect()
	_, lag := r.Total()
	if lag != 35 || r.Watermark() != timeline.MinTime || r.Views[0].HeldBy.At != timeline.MinTime {
		t.Errorf("lag %d, watermark %v, held by %+v", lag, r.Watermark(), r.Views[0].HeldBy)
	}
}

// What holds a view back is named by its source topic, through exchanges, and a stream's
// lateness counts.
func TestHeldBy(t *testing.T) {
	for name, c := range map[string]struct {
		promises []timeline.Time // of the exchange's senders
		latest   timeline.Time   // of the other stream
		want     Hold
	}{
		"a sender":       {[]timeline.Time{90, 50}, 100, Hold{"ta", 1, 50}},
		"the lateness":   {[]timeline.Time{90, 80}, 100, Hold{"tb", 0, 69}},
		"nothing so far": {[]timeline.Time{90, 80}, timeline.MinTime, Hold{"tb", 0, timeline.MinTime}},
	} {
		r := collect(
			status("xa", 7, 40, align.Progress{MaxAt: timeline.MinTime, Promises: c.promises}),
			status("tb", 3, 40, align.Progress{
				MaxAt: c.latest, Promises: []timeline.Time{timeline.MinTime}, Read: 3, Applied: 2,
				DeadLettered: 1, Late: 1,
			}),
		)
		v := r.Views[0]
		if v.HeldBy != c.want || v.Watermark != 40 {
			t.Errorf("%s: held by %+v, want %+v; watermark %v", name, v.HeldBy, c.want, v.Watermark)
		}
		in := r.Streams[1].Partitions[0]
		if in.Lag() != 2 || in.Read != 3 || in.Late != 1 || in.Position != 3 {
			t.Errorf("%s: input %+v", name, in)
		}
	}
}

// A promise of the source can be more than its data says.
func TestStreamBound(t *testing.T) {
	if got := streamBound([]timeline.Time{200}, 100, 0); got != 200 {
		t.Errorf("got %d", got)
	}
	if got := streamBound(nil, timeline.MinTime, 5); got != timeline.MinTime {
		t.Errorf("got %d", got)
	}
}
