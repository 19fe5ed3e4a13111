package datadir

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tideline/tideline/cmd/internal/exit"
	"github.com/tideline/tideline/timeline/kafka"
	"github.com/tideline/tideline/timeline/kafka/embedded"
)

// patience is how long to wait for the broker of another command to end or to appear.
const patience = 10 * time.Second

// Use says what a command wants of the broker.
type Use int

// The uses.
const (
	// Read needs a data directory that exists.
	Read Use = iota
	// Write makes the data directory if it is not there.
	Write
	// Serve is Write for a command that keeps the broker for others to use.
	Serve
)

// Broker is a connection to Kafka or to the embedded broker.
type Broker struct {
	Config kafka.Config
	// Embedded says that it is the embedded broker, Own that this process runs it.
	Embedded, Own bool

	broker  *embedded.Broker
	serving *os.File
}

// Connect returns the given brokers, or else the embedded broker of the data
// directory: another process's if one runs it, else our own.
func Connect(ctx context.Context, brokers []string, dir string, use Use) (*Broker, error) {
	if len(brokers) > 0 {
		return &Broker{Config: kafka.Config{Brokers: brokers}}, nil
	}
	if _, err := os.Stat(filepath.Join(dir, "kafka")); use == Read && err != nil {
		return nil, exit.Errorf(exit.NotFound, "opening data directory %s: nothing has run there; "+
			"name another with --data, or a Kafka cluster with --brokers", dir)
	}
	b := &Broker{Embedded: true}
	var err error
	if use == Serve {
		// The lock comes before the broker: whoever finds the broker running then
		// knows that it stays.
		b.serving, err = lock(servingLock(dir))
		if err != nil && !errors.Is(err, errLocked) {
			return nil, err
		}
	}
	if err := b.startOrFind(ctx, dir); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

func servingLock(dir string) string { return filepath.Join(dir, "serving.lock") }

// startOrFind starts the broker, or finds the one of a serving process. A broker of a
// command that will soon end is waited for: it would vanish under us.
func (b *Broker) startOrFind(ctx context.Context, dir string) error {
	deadline := time.Now().Add(patience)
	for {
		broker, err := embedded.Start(dir)
		if err == nil {
			b.broker, b.Own, b.Config.Brokers = broker, true, broker.Addrs()
			return nil
		}
		if !errors.Is(err, embedded.ErrRunning) {
			return err
		}
		last := time.Now().After(deadline)
		if last || b.serving == nil && held(servingLock(dir)) {
			if addrs, ok := embedded.Find(dir); ok {
				b.Config.Brokers = addrs
				return nil
			}
		}
		if last {
			return fmt.Errorf("waiting for the broker of %s: %w", dir, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the broker of %s: %w", dir, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Close lets go of the broker, and stops it if it is our own.
func (b *Broker) Close() {
	if b.broker != nil {
		b.broker.Close()
	}
	if b.serving != nil {
		b.serving.Close()
	}
}
