package kafka_test

import (
	"testing"

	"github.com/tideline/tideline/timeline/kafka"
	"github.com/tideline/tideline/timeline/wire"
)

func TestPartitionOfRowKeys(t *testing.T) {
	// Kafka: toPositive(murmur2(key)) % n.
	for key, hash := range map[string]int32{"21": -973932308, "abc": 479470107} {
		for n := 1; n < 20; n++ {
			if got, want := kafka.PartitionOf(key, n), (hash&0x7fffffff)%int32(n); got != want {
				t.Errorf("PartitionOf(%q, %d) = %d, want %d", key, n, got, want)
			}
		}
	}
}

// A composite key stands where its first part stands, for goka's hasher, too.
func TestPartitionOfCompositeKeys(t *testing.T) {
	for n := 1; n < 20; n++ {
		want := kafka.PartitionOf("abc", n)
		if got := kafka.PartitionOf("abc\xFE0order-7", n); got != want {
			t.Errorf("a row of key abc goes to %d of %d, not %d", got, n, want)
		}
		h := kafka.NewHasher()
		h.Write([]byte("abc\xFE1"))
		if got := int32(h.Sum32()) % int32(n); got != want {
			t.Errorf("goka puts a row of key abc into %d of %d, not %d", got, n, want)
		}
	}
}

func TestPartitionOfReservedKeys(t *testing.T) {
	for _, p := range []int32{0, 1, 5, 63} {
		if got := kafka.PartitionOf(wire.WatermarkKey(p), 64); got != p {
			t.Errorf("the watermark of partition %d goes to %d", p, got)
		}
	}
	if got := kafka.PartitionOf(wire.WatermarkKey(7), 4); got < 0 || got > 3 {
		t.Errorf("the watermark of a partition that is not there goes to %d of 4", got)
	}
}
