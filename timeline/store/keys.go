package store

import (
	"encoding/binary"
	"math"

	"github.com/tideline/tideline/timeline"
)

const (
	dataPrefix = 'd'
	stampSize  = 16
)

// The store's own keys. They begin with 'm', data keys with 'd': they cannot meet.
var (
	formatKey    = []byte("mformat")
	horizonKey   = []byte("mhorizon")
	newestKey    = []byte("mnewest")
	offsetKey    = []byte("moffset")
	watermarkKey = []byte("mwatermark")
)

// afterStamps, appended to a data prefix, orders after every version of that key
// and before the versions of the next.
const afterStamps = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"

// lastStamp orders after every stamp that a message can have.
var lastStamp = timeline.Stamp{At: timeline.MaxTime, N: math.MaxUint64}

// appendDataKey appends the data key of a version; prefix is 'd' and the order key.
func appendDataKey(dst []byte, prefix string, st timeline.Stamp) []byte {
	return appendStamp(append(dst, prefix...), st)
}

// appendStamp appends st so that newer stamps order first.
func appendStamp(dst []byte, st timeline.Stamp) []byte {
	at := uint64(st.At) ^ 1<<63 // signed to unsigned order
	dst = binary.BigEndian.AppendUint64(dst, ^at)
	return binary.BigEndian.AppendUint64(dst, ^st.N)
}

// splitDataKey parts a data key into its prefix ('d' and the order key) and stamp.
func splitDataKey(key []byte) (prefix []byte, st timeline.Stamp, ok bool) {
	n := len(key) - stampSize
	if n < 1 || key[0] != dataPrefix {
		return nil, st, false
	}
	at := ^binary.BigEndian.Uint64(key[n:])
	st.At = timeline.Time(at ^ 1<<63)
	st.N = ^binary.BigEndian.Uint64(key[n+8:])
	return key[:n], st, true
}

// justBefore returns the greatest stamp less than st; false if there is none.
func justBefore(st timeline.Stamp) (timeline.Stamp, bool) {
	if st.N > 0 {
		return timeline.Stamp{At: st.At, N: st.N - 1}, true
	}
	if st.At == timeline.MinTime {
		return st, false
	}
	return timeline.Stamp{At: st.At - 1, N: math.MaxUint64}, true
}

// endOf returns the last stamp that instant t can have.
func endOf(t timeline.Time) timeline.Stamp {
	return timeline.Stamp{At: t, N: math.MaxUint64}
}

// appendMetaStamp and metaStamp are the stored form of a stamp among the store's
// own keys: plain, 16 bytes big endian.
func appendMetaStamp(dst []byte, st timeline.Stamp) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(st.At))
	return binary.BigEndian.AppendUint64(dst, st.N)
}

func metaStamp(b []byte) (timeline.Stamp, bool) {
	if len(b) != stampSize {
		return timeline.Stamp{}, false
	}
	at := timeline.Time(binary.BigEndian.Uint64(b))
	return timeline.Stamp{At: at, N: binary.BigEndian.Uint64(b[8:])}, true
}
