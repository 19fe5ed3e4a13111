package arrow

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// partialSuffix marks the file that is being written.
const partialSuffix = ".partial"

// CheckPath returns an error, with the valid extensions, if WriteFile would not know
// which format to write at path. It opens nothing.
func CheckPath(path string) error {
	_, err := writerFor(path)
	return err
}

// WriteFile writes the rows of rd to a file in the format that its extension names
// (.arrow: IPC file, .arrows: IPC stream, .parquet) and returns how many it wrote. It
// writes aside, to path + ".partial", and renames when all is on disk, replacing a file
// of that name; on an error it removes what it wrote and leaves such a file alone. Two
// exports to one path at the same time disturb each other. The caller still releases rd.
func WriteFile(
	ctx context.Context, path string, rd *Reader, progress Progress,
) (rows int64, err error) {
	write, err := writerFor(path)
	if err != nil {
		return 0, err
	}
	aside := path + partialSuffix
	f, err := os.Create(aside)
	if err != nil {
		return 0, fmt.Errorf("creating export file: %w", err)
	}
	defer func() {
		if err != nil {
			// The first error matters; both of these may fail because of it.
			_ = f.Close()
			_ = os.Remove(aside)
		}
	}()
	rows, err = write(ctx, f, rd, progress)
	if err != nil {
		return rows, fmt.Errorf("exporting to %s: %w", path, err)
	}
	if err = f.Sync(); err == nil {
		err = f.Close()
	}
	if err == nil {
		err = os.Rename(aside, path)
	}
	if err != nil {
		return rows, fmt.Errorf("completing export file: %w", err)
	}
	return rows, nil
}

type writeFunc func(
	ctx context.Context, w io.Writer, rd *Reader, progress Progress,
) (int64, error)

func writerFor(path string) (writeFunc, error) {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".arrow":
		return WriteIPCFile, nil
	case ".arrows":
		return WriteIPCStream, nil
	case ".parquet":
		return WriteParquet, nil
	}
	return nil, fmt.Errorf("choosing export format of %q: the extension must be .arrow "+
		"(IPC file), .arrows (IPC stream) or .parquet", path)
}
