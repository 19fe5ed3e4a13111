package feed

import (
	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/align"
)

// delivery is what a message number stands for until goka marks it.
type delivery struct {
	ref         align.Ref
	hasRef      bool
	watermark   timeline.Time
	isWatermark bool
	marked      bool
}

// deliveries numbers the messages handed to goka. Marks come in any order; a watermark
// counts as settled only when everything delivered before it is marked too, since only
// then does a reader who sees it see all that it promises.
type deliveries struct {
	ring []delivery // ring[i] is delivery base+i
	head int
	base int64
}

func (d *deliveries) add(v delivery) int64 {
	d.ring = append(d.ring, v)
	return d.base + int64(len(d.ring)-d.head-1)
}

// done marks delivery n: released is called for it, settled for each watermark that
// thereby has nothing unmarked before it.
func (d *deliveries) done(n int64, released func(delivery), settled func(timeline.Time)) {
	i := int(n-d.base) + d.head
	if i < d.head || i >= len(d.ring) || d.ring[i].marked {
		return
	}
	d.ring[i].marked = true
	released(d.ring[i])
	for d.head < len(d.ring) && d.ring[d.head].marked {
		if v := d.ring[d.head]; v.isWatermark {
			settled(v.watermark)
		}
		d.head++
		d.base++
	}
	if d.head > 1024 && d.head > len(d.ring)/2 {
		d.ring = append(d.ring[:0], d.ring[d.head:]...)
		d.head = 0
	}
}
