package views

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lovoo/goka"
	"github.com/lovoo/goka/storage"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/catalog"
	"github.com/tideline/tideline/timeline/kafka"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/timeline/store"
)

// Config says which pipeline's views to read, and where to keep replicas.
type Config struct {
	Kafka    kafka.Config
	Pipeline string
	// Dir keeps the replicas, so that a restart reads only what is new; it belongs to
	// one process at a time. Empty: a temporary directory, removed on Close.
	Dir string
}

// View is a local replica of one view. It is safe for concurrent use.
type View struct {
	name      string
	meta      catalog.View
	version   string // of the plan
	pipeline  string
	schema    row.Schema
	keyTypes  []row.Type
	retention timeline.Time // 0: forever

	dir    string // removed on Close if temporary
	temp   bool
	tables *kafka.Tables
	admin  *kgo.Client
	cancel context.CancelFunc
	done   chan struct{}

	stores []atomic.Pointer[store.Store] // by partition; nil until opened

	mu     sync.Mutex
	failed error
}

// Load reads the catalog of a pipeline.
func Load(ctx context.Context, c Config) (*catalog.Catalog, error) {
	var cat *catalog.Catalog
	err := kafka.ReadAll(ctx, c.Kafka, catalog.Topic(c.Pipeline), func(r *kgo.Record) error {
		if string(r.Key) != catalog.Key {
			return nil
		}
		next, err := catalog.Decode(r.Value)
		if err == nil {
			cat = next
		}
		return err
	})
	if errors.Is(err, kafka.ErrNoTopic) || err == nil && cat == nil {
		return nil, fmt.Errorf("%w %q on brokers %v: it has no catalog; run the pipeline first",
			ErrNoPipeline, c.Pipeline, c.Kafka.Brokers)
	}
	return cat, err
}

// Open opens a replica of the named view and returns when it has caught up with what the
// table topic held.
func Open(ctx context.Context, c Config, name string) (*View, error) {
	cat, err := Load(ctx, c)
	if err != nil {
		return nil, err
	}
	return OpenIn(ctx, c, cat, name)
}

// OpenIn is Open with a catalog that has been read already.
func OpenIn(ctx context.Context, c Config, cat *catalog.Catalog, name string) (*View, error) {
	meta, ok := cat.View(name)
	if !ok {
		return nil, fmt.Errorf("opening view: %w", unknownView(name, cat.ViewNames()))
	}
	schema, err := meta.Schema()
	if err != nil {
		return nil, err
	}
	v := newView(cat, *meta, schema, c.Dir)
	if err := v.start(ctx, c); err != nil {
		return nil, errors.Join(fmt.Errorf("opening view %s: %w", v.name, err), v.release())
	}
	return v, nil
}

func newView(cat *catalog.Catalog, meta catalog.View, schema row.Schema, dir string) *View {
	return &View{
		name: meta.Name, meta: meta, version: cat.Version, pipeline: cat.Pipeline,
		schema: schema, keyTypes: catalog.KeyTypes(schema),
		retention: timeline.Duration(meta.Retention),
		dir:       dir, done: make(chan struct{}),
		stores: make([]atomic.Pointer[store.Store], meta.Partitions),
	}
}

func (v *View) start(ctx context.Context, c Config) error {
	var err error
	if v.dir == "" {
		v.temp = true
		if v.dir, err = os.MkdirTemp("", "tideline-view-"); err != nil {
			return fmt.Errorf("making a directory for the replica: %w", err)
		}
	}
	if v.tables, err = kafka.NewTables(c.Kafka); err != nil {
		return err
	}
	if v.admin, err = c.Kafka.NewClient(); err != nil {
		return err
	}
	view, err := goka.NewView(c.Kafka.Brokers, goka.Table(v.meta.Table), passThrough{},
		goka.WithViewHasher(kafka.NewHasher),
		goka.WithViewStorageBuilder(v.openStore),
		goka.WithViewConsumerSaramaBuilder(v.tables.Builder()),
		goka.WithViewTopicManagerBuilder(kafka.NewTopics(v.admin, 0, 0).Builder()),
		goka.WithViewCallback(v.update),
		goka.WithViewAutoReconnect(),
		goka.WithViewBackoffBuilder(func() (goka.Backoff, error) {
			return goka.NewSimpleBackoff(100*time.Millisecond, 5*time.Second), nil
		}),
		goka.WithViewLogger(silent{}),
	)
	if err != nil {
		return err
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	v.cancel = cancel
	go func() {
		err := view.Run(run)
		v.mu.Lock()
		v.failed = err
		v.mu.Unlock()
		close(v.done)
	}()
	select {
	case <-view.WaitRunning():
		return nil
	case <-v.done:
		return v.err()
	case <-ctx.Done():
		return fmt.Errorf("catching up with topic %s: %w", v.meta.Table, ctx.Err())
	}
}

// err is why the replica stopped; nil while it follows its topic.
func (v *View) err() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.failed
}

func (v *View) openStore(_ string, p int32) (storage.Storage, error) {
	order, text := catalog.KeyOrder(v.keyTypes)
	dir := filepath.Join(v.dir, v.meta.Table, strconv.Itoa(int(p)))
	o := store.Options{Dir: dir, Key: order, Text: text, DropState: true}
	st, err := store.Open(o)
	if errors.Is(err, store.ErrCorrupt) {
		// The replica is a cache of the topic: read it anew.
		if err := os.RemoveAll(dir); err != nil {
			return nil, fmt.Errorf("removing damaged replica: %w", err)
		}
		st, err = store.Open(o)
	}
	if err != nil {
		return nil, fmt.Errorf("opening replica of %s/%d: %w", v.meta.Table, p, err)
	}
	v.stores[p].Store(st)
	return st, nil
}

// update is goka's callback for every record of the table topic.
func (v *View) update(ctx goka.UpdateContext, s storage.Storage, key string, value []byte) error {
	if value == nil {
		return s.Delete(key)
	}
	if err := s.Set(key, value); err != nil {
		return err
	}
	if v.retention == 0 || key == "" || key[0] != 0xFF {
		return nil
	}
	// The horizon is the view's, not the partition's: one partition may be far behind,
	// and the others must keep what can still be asked for.
	at, _ := v.Watermark()
	if at == timeline.MinTime {
		return nil
	}
	return v.part(ctx.Partition()).SetHorizon(at - v.retention)
}

// Close stops following the view and frees what it holds.
func (v *View) Close() error {
	if v.cancel != nil {
		v.cancel()
		<-v.done
	}
	return v.release()
}

func (v *View) release() error {
	if v.cancel != nil {
		v.cancel()
		<-v.done
	}
	if v.tables != nil {
		v.tables.Shutdown()
		v.tables = nil
	}
	if v.admin != nil {
		v.admin.Close()
	}
	if v.temp {
		return os.RemoveAll(v.dir)
	}
	return nil
}

// Name returns the view's name.
func (v *View) Name() string { return v.name }

// Schema returns the view's columns and key.
func (v *View) Schema() row.Schema { return v.schema }

// Pipeline returns the pipeline's name and the version of its plan.
func (v *View) Pipeline() (name, version string) { return v.pipeline, v.version }

// passThrough is the codec of table records: readers go to the store itself.
type passThrough struct{}

func (passThrough) Encode(v any) ([]byte, error) {
	b, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("encoding record: want bytes, have %T", v)
	}
	return b, nil
}

func (passThrough) Decode(b []byte) (any, error) { return b, nil }

// silent drops goka's log: errors come out of reads.
type silent struct{}

func (silent) Print(...any)          {}
func (silent) Println(...any)        {}
func (silent) Printf(string, ...any) {}
