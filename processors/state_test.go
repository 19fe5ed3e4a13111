package processors

import (
	"testing"

	"github.com/tideline/tideline/timeline/store"
)

// TestOwnStateStopsAtGap takes the writes of a stage that is not alone: after recovery up
// to offset 5, its own are 6 and 7, somebody else's 8, and its own again 9.
func TestOwnStateStopsAtGap(t *testing.T) {
	st, err := store.Open(store.Options{
		Dir: t.TempDir(), Key: func(k string) ([]byte, error) { return []byte(k), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &ownState{Store: st}
	defer s.Close()
	set := func(offset int64) {
		t.Helper()
		if err := s.SetOffset(offset); err != nil {
			t.Fatal(err)
		}
	}
	for _, recovered := range []int64{2, 5} { // compaction leaves gaps
		set(recovered)
	}
	if err := s.MarkRecovered(); err != nil {
		t.Fatal(err)
	}
	for _, own := range []int64{6, 7, 9, 10} {
		set(own)
	}
	if got, err := s.GetOffset(-1); err != nil || got != 7 {
		t.Errorf("offset %d, %v; want 7: what comes after it has not been read", got, err)
	}
}

// TestOwnStateFromNothing begins with an empty topic, of whose first offset goka does not
// tell.
func TestOwnStateFromNothing(t *testing.T) {
	st, err := store.Open(store.Options{
		Dir: t.TempDir(), Key: func(k string) ([]byte, error) { return []byte(k), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &ownState{Store: st}
	defer s.Close()
	if err := s.MarkRecovered(); err != nil {
		t.Fatal(err)
	}
	for _, own := range []int64{1, 2, 4} {
		if err := s.SetOffset(own); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.GetOffset(-1); err != nil || got != 2 {
		t.Errorf("offset %d, %v; want 2", got, err)
	}
}
