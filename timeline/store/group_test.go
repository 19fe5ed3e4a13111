package store

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/wire"
)

// ScanGroup finds in every group what Before finds key by key, whatever waits for a
// flush, and nothing of other groups.
func TestScanGroup(t *testing.T) {
	dir := t.TempDir()
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		s, err := Open(Options{
			Dir:         fmt.Sprintf("%s/%d", dir, run),
			Key:         func(k string) ([]byte, error) { return []byte(k + "\xFF"), nil },
			Group:       func(k []byte) int { return bytes.IndexByte(k, '/') + 1 },
			NewestCache: rapid.SampledFrom([]int{600, 1 << 20}).Draw(t, "cache"),
		})
		must(t, err)
		defer func() { must(t, s.Close()) }()
		keys := map[string]bool{}
		for at := range timeline.Time(rapid.IntRange(1, 40).Draw(t, "steps")) {
			key := rapid.SampledFrom([]string{"a/", "a/1", "a/2", "b/1", "b/", "ab/1", "plain"}).
				Draw(t, "key")
			keys[key] = true
			switch rapid.IntRange(0, 5).Draw(t, "op") {
			case 0:
				must(t, s.Flush())
			case 1:
				must(t, s.Set(key, removal(stamp(at, 0))))
			case 2:
				must(t, s.Delete(key))
			default:
				must(t, s.Set(key, record(stamp(at, 0), fmt.Sprint(key, at))))
			}
			limit := stamp(timeline.Time(rapid.Int64Range(0, int64(at)+1).Draw(t, "limit")), 0)
			group := rapid.SampledFrom([]string{"a/", "b/", "ab/", "c/"}).Draw(t, "group")
			if got, want := groupRows(t, s, group, limit), pointRows(t, s, keys, group, limit); got != want {
				t.Fatalf("group %s before %v: got %s, want %s", group, limit, got, want)
			}
		}
	})
}

func groupRows(t *rapid.T, s *Store, group string, st timeline.Stamp) string {
	var out []string
	must(t, s.ScanGroup(group, st, func(k []byte, v wire.Version) (bool, error) {
		out = append(out, fmt.Sprintf("%q=%s", k, v.Row))
		return true, nil
	}))
	if !slices.IsSorted(out) {
		t.Fatalf("not in order: %v", out)
	}
	return fmt.Sprint(out)
}

func pointRows(t *rapid.T, s *Store, keys map[string]bool, group string, st timeline.Stamp) string {
	var out []string
	for k := range keys {
		if len(k) < len(group) || k[:len(group)] != group {
			continue
		}
		v, ok, err := s.Before(k, st)
		must(t, err)
		if ok && !v.Deleted {
			out = append(out, fmt.Sprintf("%q=%s", k+"\xFF", v.Row))
		}
	}
	slices.Sort(out)
	return fmt.Sprint(out)
}
