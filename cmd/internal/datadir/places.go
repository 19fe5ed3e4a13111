package datadir

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Place is a directory that is ours until closed.
type Place struct {
	Dir  string // empty: none was free
	ID   string // of an instance
	lock *os.File
}

// Close lets others have it.
func (p *Place) Close() {
	if p.lock != nil {
		p.lock.Close()
	}
}

// Instance takes the directory for the local state of a process that runs a pipeline,
// with the identity under which it keeps its partitions over a restart. Without an id
// the first free one of this data directory is taken, or a new one made up.
func Instance(dir, id string) (*Place, error) {
	dir = filepath.Join(dir, "instances")
	if id != "" {
		l, err := lock(filepath.Join(dir, id+".lock"))
		if errors.Is(err, errLocked) {
			return nil, fmt.Errorf("instance %s is running already on this data directory; "+
				"give each process its own --instance", id)
		}
		return &Place{Dir: filepath.Join(dir, id), ID: id, lock: l}, err
	}
	for n := 1; ; n++ {
		slot := filepath.Join(dir, strconv.Itoa(n)+".slot")
		l, err := lock(slot)
		if errors.Is(err, errLocked) {
			continue
		}
		if err != nil {
			return nil, err
		}
		id, err := slotID(l)
		if err != nil {
			l.Close()
			return nil, fmt.Errorf("reading instance id from %s: %w", slot, err)
		}
		return &Place{Dir: filepath.Join(dir, id), ID: id, lock: l}, nil
	}
}

// slotID reads the identity kept in a slot, or puts a random one there: it must differ
// from that of every other machine.
func slotID(f *os.File) (string, error) {
	b := make([]byte, 64)
	n, _ := f.ReadAt(b, 0)
	if id := strings.TrimSpace(string(b[:n])); id != "" {
		return id, nil
	}
	raw := make([]byte, 6)
	if _, err := rand.Read(raw); err != nil {
		return "", err
	}
	id := hex.EncodeToString(raw)
	_, err := f.WriteAt([]byte(id+"\n"), 0)
	return id, err
}

// Replica takes the directory for the replica of a view. While another process has it,
// Dir is empty: the reader makes a temporary one. Replicas from different clusters
// stay apart, since their topics may have the same names.
func Replica(dir string, brokers []string, pipeline, view string) (*Place, error) {
	cluster := "embedded"
	if len(brokers) > 0 {
		sorted := slices.Sorted(slices.Values(brokers))
		h := fnv.New64a()
		h.Write([]byte(strings.Join(sorted, ",")))
		cluster = "kafka-" + strconv.FormatUint(h.Sum64(), 16)
	}
	path := filepath.Join(dir, "replicas", cluster, pipeline, strings.ToLower(view))
	l, err := lock(path + ".lock")
	if errors.Is(err, errLocked) {
		return &Place{}, nil
	}
	if err != nil {
		return nil, err
	}
	return &Place{Dir: path, lock: l}, nil
}
