package kafka

import (
	"bytes"
	"hash"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tideline/tideline/timeline/wire"
)

// Murmur2 is the hash that Kafka's Java producer takes of record keys
// (org.apache.kafka.common.utils.Utils.murmur2), seed 0x9747b28c.
func Murmur2(data []byte) uint32 {
	const (
		seed uint32 = 0x9747b28c
		m    uint32 = 0x5bd1e995
		r           = 24
	)
	h := seed ^ uint32(len(data))
	for len(data) >= 4 {
		k := uint32(data[0]) | uint32(data[1])<<8 | uint32(data[2])<<16 | uint32(data[3])<<24
		k *= m
		k ^= k >> r
		k *= m
		h *= m
		h ^= k
		data = data[4:]
	}
	switch len(data) {
	case 3:
		h ^= uint32(data[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(data[1]) << 8
		fallthrough
	case 1:
		h ^= uint32(data[0])
		h *= m
	}
	h ^= h >> 13
	h *= m
	h ^= h >> 15
	return h
}

// keySplit ends the part of a composite record key that decides the partition. It does not
// occur in UTF-8, so no plain key holds it.
const keySplit = 0xFE

// placing returns the part of a record key that decides its partition.
func placing(key []byte) []byte {
	if i := bytes.IndexByte(key, keySplit); i >= 0 {
		return key[:i]
	}
	return key
}

// PartitionOf returns the partition that holds a record key in a topic of n partitions:
// murmur2 for a row's key, of a composite key the part before the byte 0xFE, and the
// partition it names for the reserved key of a watermark.
func PartitionOf(key string, n int) int32 {
	if len(key) > 0 && key[0] == 0xFF {
		if p, ok := wire.WatermarkPartition(key); ok && int(p) < n {
			return p
		}
	}
	return int32(Murmur2(placing([]byte(key)))&0x7fffffff) % int32(n)
}

// partitioner places records as PartitionOf says.
func partitioner() kgo.Partitioner {
	return kgo.BasicConsistentPartitioner(func(string) func(*kgo.Record, int) int {
		return func(r *kgo.Record, n int) int { return int(PartitionOf(string(r.Key), n)) }
	})
}

// NewHasher is the hasher for goka's WithHasher and WithViewHasher: murmur2 masked to
// 31 bits, so that goka's int32 arithmetic agrees with Kafka's.
func NewHasher() hash.Hash32 { return &hasher{} }

type hasher struct{ buf []byte }

func (h *hasher) Write(p []byte) (int, error) { h.buf = append(h.buf, p...); return len(p), nil }
func (h *hasher) Sum(b []byte) []byte {
	s := h.Sum32()
	return append(b, byte(s>>24), byte(s>>16), byte(s>>8), byte(s))
}
func (h *hasher) Reset()         { h.buf = h.buf[:0] }
func (h *hasher) Size() int      { return 4 }
func (h *hasher) BlockSize() int { return 4 }

func (h *hasher) Sum32() uint32 {
	if len(h.buf) > 0 && h.buf[0] == 0xFF {
		if p, ok := wire.WatermarkPartition(string(h.buf)); ok {
			return uint32(p)
		}
	}
	return Murmur2(placing(h.buf)) & 0x7fffffff
}
