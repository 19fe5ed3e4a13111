package wire

import (
	"strconv"
	"strings"
)

// watermarkPrefix begins the record keys of watermarks. Its first byte occurs in no
// UTF-8 text, so no row has such a key.
const watermarkPrefix = "\xffwatermark/"

// WatermarkKey returns the record key under which watermarks are written to a partition
// of a table or exchange topic. It names the partition because the hasher must send
// the record there, and because compaction must keep one in each.
func WatermarkKey(partition int32) string {
	return watermarkPrefix + strconv.FormatInt(int64(partition), 10)
}

// WatermarkPartition returns the partition that a WatermarkKey names, and whether key is
// one at all.
func WatermarkPartition(key string) (int32, bool) {
	digits, ok := strings.CutPrefix(key, watermarkPrefix)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != digits {
		return 0, false
	}
	return int32(n), true
}

// ClockKey returns the record key of a source partition in the clock topic:
// "topic/partition".
func ClockKey(topic string, partition int32) string {
	return topic + "/" + strconv.FormatInt(int64(partition), 10)
}
