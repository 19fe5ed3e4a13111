package bench

import (
	"github.com/lovoo/goka/storage"
)

// plainStorage is goka's own LevelDB storage below dir.
func plainStorage(dir string) storage.Builder { return storage.DefaultBuilder(dir) }
