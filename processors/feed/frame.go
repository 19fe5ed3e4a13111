package feed

import (
	"encoding/binary"
	"fmt"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/wire"
)

// FrameKind says what a message handed to goka is.
type FrameKind uint8

// The kinds of frames.
const (
	// DataFrame carries one change in merged order.
	DataFrame FrameKind = iota + 1
	// WatermarkFrame says that every change at or before At has been delivered.
	WatermarkFrame
	// DeadFrame carries the dead letter of a record that was not applied.
	DeadFrame
)

// Frame is the value of a message that the feed hands to goka. It never leaves the
// process. Row and Key alias the message.
type Frame struct {
	Kind    FrameKind
	Op      wire.Op
	Quality timeline.Quality // of a watermark
	Input   int
	Stamp   timeline.Stamp // for a watermark only At is set
	Key     []byte
	Row     []byte // of a dead frame: the dead letter's bytes
}

const frameHeader = 24

// appendFrame lays a frame out; the stamp is filled in on delivery.
func appendFrame(dst []byte, kind FrameKind, op uint8, input int, key, row []byte) []byte {
	var h [frameHeader]byte
	h[0], h[1] = byte(kind), op
	binary.LittleEndian.PutUint16(h[2:], uint16(input))
	binary.LittleEndian.PutUint32(h[20:], uint32(len(key)))
	dst = append(dst, h[:]...)
	dst = append(dst, key...)
	return append(dst, row...)
}

func stampFrame(b []byte, s timeline.Stamp) {
	binary.LittleEndian.PutUint64(b[4:], uint64(s.At))
	binary.LittleEndian.PutUint64(b[12:], s.N)
}

func frameKey(b []byte) []byte {
	n := binary.LittleEndian.Uint32(b[20:])
	return b[frameHeader : frameHeader+n : frameHeader+n]
}

// ParseFrame reads a frame.
func ParseFrame(b []byte) (Frame, error) {
	if len(b) < frameHeader {
		return Frame{}, fmt.Errorf("reading frame: %d bytes are too few", len(b))
	}
	n := int(binary.LittleEndian.Uint32(b[20:]))
	if len(b) < frameHeader+n {
		return Frame{}, fmt.Errorf("reading frame: key of %d bytes does not fit", n)
	}
	f := Frame{
		Kind: FrameKind(b[0]), Input: int(binary.LittleEndian.Uint16(b[2:])),
		Stamp: timeline.Stamp{
			At: timeline.Time(binary.LittleEndian.Uint64(b[4:])),
			N:  binary.LittleEndian.Uint64(b[12:]),
		},
		Key: b[frameHeader : frameHeader+n], Row: b[frameHeader+n:],
	}
	if f.Kind == WatermarkFrame {
		f.Quality = timeline.Quality(b[1])
	} else {
		f.Op = wire.Op(b[1])
	}
	return f, nil
}
