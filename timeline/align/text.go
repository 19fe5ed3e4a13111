package align

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tideline/tideline/timeline"
)

// progressVersion begins the text form of a Progress.
const progressVersion = "1"

// AppendText appends p as text for the metadata of a Kafka commit:
//
//	1;offset;cut;watermark,quality;max at,position;counters;promises
//
// in decimal, but for the promises: their distances from the watermark as varints in
// base64. 200 senders fit into Kafka's 4,096 bytes whatever their promises are.
func (p Progress) AppendText(dst []byte) []byte {
	number := func(sep byte, v int64) {
		dst = append(dst, sep)
		dst = strconv.AppendInt(dst, v, 10)
	}
	dst = append(dst, progressVersion...)
	number(';', p.Offset)
	number(';', int64(p.Cut.At))
	number(',', int64(p.Cut.Input))
	number(',', int64(p.Cut.Sender))
	dst = strconv.AppendUint(append(dst, ','), p.Cut.Seq, 10)
	number(',', int64(p.Cut.Output))
	dst = strconv.AppendUint(append(dst, ','), p.Cut.N, 10)
	number(';', int64(p.Watermark))
	number(',', int64(p.Quality))
	number(';', int64(p.MaxAt))
	dst = append(dst, ',')
	if p.HasPosition {
		dst = strconv.AppendInt(dst, p.Position, 10)
	}
	sep := byte(';')
	for _, c := range p.counterFields() {
		number(sep, *c)
		sep = ','
	}
	dst = append(dst, ';')
	var packed []byte
	for _, w := range p.Promises {
		// The difference may wrap around; so does the sum that undoes it.
		packed = binary.AppendVarint(packed, int64(p.Watermark)-int64(w))
	}
	return base64.RawURLEncoding.AppendEncode(dst, packed)
}

// counterFields are the counters in the order of the text form.
func (p *Progress) counterFields() []*int64 {
	return []*int64{
		&p.Read, &p.Applied, &p.Duplicates, &p.DeadLettered, &p.Late, &p.Raised, &p.Heartbeats,
	}
}

// ParseProgress reads what AppendText wrote. Its error says what is wrong with s; s may
// be anything.
func ParseProgress(s string) (Progress, error) {
	p, err := parseProgress(s)
	if err != nil {
		return Progress{}, fmt.Errorf("parsing progress %.60q: %w: the commit is not one of "+
			"this pipeline, or of a newer version; commit under another group", s, err)
	}
	return p, nil
}

func parseProgress(s string) (Progress, error) {
	var p Progress
	parts := strings.Split(s, ";")
	if parts[0] != progressVersion {
		return p, fmt.Errorf("version %.10q, not %s", parts[0], progressVersion)
	}
	if len(parts) != 7 {
		return p, fmt.Errorf("%d parts, not 7", len(parts))
	}
	r := numbers{}
	r.open(parts[1], 1)
	p.Offset = r.int(64)
	r.open(parts[2], 6)
	p.Cut.At = timeline.Time(r.int(64))
	p.Cut.Input = int(r.int(32))
	p.Cut.Sender = int32(r.int(32))
	p.Cut.Seq = r.uint(64)
	p.Cut.Output = uint32(r.uint(32))
	p.Cut.N = r.uint(64)
	r.open(parts[3], 2)
	p.Watermark = timeline.Time(r.int(64))
	p.Quality = timeline.Quality(r.uint(8))
	r.open(parts[4], 2)
	p.MaxAt = timeline.Time(r.int(64))
	if p.HasPosition = r.more(); p.HasPosition {
		p.Position = r.int(64)
	}
	fields := p.counterFields()
	r.open(parts[5], len(fields))
	for _, c := range fields {
		*c = r.int(64)
	}
	if r.err != nil {
		return p, r.err
	}
	if p.Quality > timeline.Forced {
		return p, fmt.Errorf("quality %d is not known", p.Quality)
	}
	return p, p.parsePromises(parts[6])
}

func (p *Progress) parsePromises(s string) error {
	packed, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return fmt.Errorf("promises: %w", err)
	}
	for len(packed) > 0 {
		d, n := binary.Varint(packed)
		if n <= 0 {
			return errors.New("promises: they end in the middle of one")
		}
		p.Promises = append(p.Promises, timeline.Time(int64(p.Watermark)-d))
		packed = packed[n:]
	}
	return nil
}

// numbers reads comma-separated numbers and keeps the first error.
type numbers struct {
	fields []string
	err    error
}

func (r *numbers) open(s string, n int) {
	r.fields = strings.Split(s, ",")
	if len(r.fields) != n && r.err == nil {
		r.err = fmt.Errorf("%q: %d numbers, not %d", s, len(r.fields), n)
	}
}

// more says whether the next field has something in it.
func (r *numbers) more() bool { return len(r.fields) > 0 && r.fields[0] != "" }

func (r *numbers) next() string {
	if len(r.fields) == 0 {
		return "" // too few: open has noted it
	}
	s := r.fields[0]
	r.fields = r.fields[1:]
	return s
}

func (r *numbers) int(bits int) int64 {
	v, err := strconv.ParseInt(r.next(), 10, bits)
	if err != nil && r.err == nil {
		r.err = err
	}
	return v
}

func (r *numbers) uint(bits int) uint64 {
	v, err := strconv.ParseUint(r.next(), 10, bits)
	if err != nil && r.err == nil {
		r.err = err
	}
	return v
}
