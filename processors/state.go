package processors

import (
	"sync"

	"github.com/tideline/tideline/timeline/store"
)

// ownState is a stage's local state as goka sees it. Once recovered, its offset follows
// the stage's own writes, one after the other, and stops at the first gap: somebody else
// has written to the partition then. A process that lost the partition without knowing
// (it was suspended, or cut off) has writes in flight that land behind those of the new
// owner; were the last of them taken for how far the state is, the process would skip the
// new owner's writes when it gets the partition back. What is behind the gap is read from
// the topic then, which costs time but changes nothing.
type ownState struct {
	*store.Store

	mu        sync.Mutex
	recovered bool
}

// MarkRecovered implements storage.Storage.
func (s *ownState) MarkRecovered() error {
	s.mu.Lock()
	s.recovered = true
	s.mu.Unlock()
	return s.Store.MarkRecovered()
}

// SetOffset implements storage.Storage.
func (s *ownState) SetOffset(offset int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.recovered {
		// goka does not report the first offset of a topic, 0.
		last, err := s.Store.GetOffset(0)
		if err != nil {
			return err
		}
		if offset > last+1 {
			return nil
		}
	}
	return s.Store.SetOffset(offset)
}
