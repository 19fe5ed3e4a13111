package processors

import (
	"fmt"
	"os"

	"github.com/tideline/tideline/timeline/align"
)

// spool puts a merge's overflow into files of a directory of its own.
type spool struct{ dir string }

// Create implements align.Spool. The file is unlinked at once: it vanishes with the
// process, however that ends.
func (s spool) Create() (align.SpoolFile, error) {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, fmt.Errorf("creating spool directory: %w", err)
	}
	f, err := os.CreateTemp(s.dir, "run-*")
	if err != nil {
		return nil, fmt.Errorf("creating spool file: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, fmt.Errorf("unlinking spool file: %w", err)
	}
	return f, nil
}
