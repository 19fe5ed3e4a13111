package embedded

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Broker is an embedded Kafka broker.
type Broker struct {
	cluster *kfake.Cluster
	dir     string
	lock    *os.File
}

const addrFile = "broker.addr"

// ErrRunning says that another process runs the broker of a data directory.
var ErrRunning = errors.New("a broker is running on this data directory")

// Start runs a broker on a free loopback port. Topics, records and commits live in dir
// and survive restarts, kill -9 included; an empty dir keeps them in memory only.
func Start(dir string) (*Broker, error) {
	b := &Broker{dir: dir}
	opts := []kfake.Opt{
		kfake.NumBrokers(1), kfake.Ports(0),
		kfake.GroupMinSessionTimeout(100 * time.Millisecond),
		kfake.BrokerConfigs(map[string]string{
			"log.retention.ms": "-1", "offsets.retention.minutes": "52560000",
		}),
	}
	if dir != "" {
		if err := b.acquire(); err != nil {
			return nil, err
		}
		opts = append(opts, kfake.DataDir(filepath.Join(dir, "kafka")))
	}
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		b.release()
		return nil, fmt.Errorf("starting embedded broker in %s: %w", dir, err)
	}
	b.cluster = cluster
	if dir != "" {
		addr := strings.Join(cluster.ListenAddrs(), ",")
		if err := os.WriteFile(filepath.Join(dir, addrFile), []byte(addr), 0o644); err != nil {
			b.Close()
			return nil, fmt.Errorf("publishing the broker's address: %w", err)
		}
	}
	return b, nil
}

// Find returns the addresses of the broker that another process runs on dir; false if
// there is none.
func Find(dir string) ([]string, bool) {
	text, err := os.ReadFile(filepath.Join(dir, addrFile))
	if err != nil {
		return nil, false
	}
	addrs := strings.Split(strings.TrimSpace(string(text)), ",")
	conn, err := net.DialTimeout("tcp", addrs[0], time.Second)
	if err != nil {
		return nil, false
	}
	conn.Close()
	return addrs, true
}

// acquire takes the directory's lock, which the system drops when the process dies.
func (b *Broker) acquire() error {
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return fmt.Errorf("creating data directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(b.dir, "broker.lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return fmt.Errorf("opening broker lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return fmt.Errorf("locking %s: %w", b.dir, ErrRunning)
	}
	b.lock = f
	return nil
}

func (b *Broker) release() {
	if b.lock != nil {
		b.lock.Close()
		b.lock = nil
	}
}

// Addrs returns the broker's addresses.
func (b *Broker) Addrs() []string { return b.cluster.ListenAddrs() }

// Cluster returns the broker itself, for fault injection in tests.
func (b *Broker) Cluster() *kfake.Cluster { return b.cluster }

// Close stops the broker and frees its data directory.
func (b *Broker) Close() {
	b.cluster.Close()
	if b.dir != "" {
		os.Remove(filepath.Join(b.dir, addrFile))
	}
	b.release()
}
