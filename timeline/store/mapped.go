package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"

	ldbstorage "github.com/syndtr/goleveldb/leveldb/storage"
)

// mapped is LevelDB's file storage with tables read through memory maps: a read as of an
// instant lands in the middle of a table nearly every time, and a system call costs more
// than the rest of it. Tables are written once and never changed.
type mapped struct {
	ldbstorage.Storage
	dir string
}

func openMapped(dir string) (ldbstorage.Storage, error) {
	files, err := ldbstorage.OpenFile(dir, false)
	if err != nil {
		return nil, err
	}
	return mapped{files, dir}, nil
}

// Open maps a table; other files, and a table that cannot be mapped, are read as usual.
func (m mapped) Open(fd ldbstorage.FileDesc) (ldbstorage.Reader, error) {
	r, err := m.Storage.Open(fd)
	if err != nil || fd.Type != ldbstorage.TypeTable {
		return r, err
	}
	f, err := os.Open(filepath.Join(m.dir, fmt.Sprintf("%06d.ldb", fd.Num)))
	if err != nil {
		return r, nil
	}
	defer f.Close() // the map outlives the descriptor
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return r, nil
	}
	data, err := syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return r, nil
	}
	return &mappedTable{Reader: r, data: data}, nil
}

// mappedTable is a table in memory. Seek and Read stay with the file.
type mappedTable struct {
	ldbstorage.Reader
	data []byte
}

// ReadAt implements io.ReaderAt. A page that cannot be read, because the disk fails or
// the file was cut, is an error like any other.
func (t *mappedTable) ReadAt(b []byte, off int64) (n int, err error) {
	if off < 0 || off >= int64(len(t.data)) {
		return 0, io.EOF
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if fault := recover(); fault != nil {
			n, err = 0, fmt.Errorf("reading mapped table: %v", fault)
		}
	}()
	if n = copy(b, t.data[off:]); n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// Close unmaps the table. LevelDB closes a table when its last reader is done.
func (t *mappedTable) Close() error {
	data := t.data
	t.data = nil
	return errors.Join(syscall.Munmap(data), t.Reader.Close())
}
