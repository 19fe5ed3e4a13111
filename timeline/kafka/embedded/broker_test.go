package embedded_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tideline/tideline/timeline/kafka"
	"github.com/tideline/tideline/timeline/kafka/embedded"
)

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func start(t *testing.T, dir string) *embedded.Broker {
	t.Helper()
	b, err := embedded.Start(dir)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func client(t *testing.T, b *embedded.Broker) *kgo.Client {
	t.Helper()
	cl, err := kafka.Config{Brokers: b.Addrs()}.NewClient()
	if err != nil {
		t.Fatal(err)
	}
	return cl
}

// Topics, records and commits outlive the broker.
func TestRestartKeepsData(t *testing.T) {
	ctx, dir := deadline(t), filepath.Join(t.TempDir(), "made", "here")
	b := start(t, dir)
	cl := client(t, b)
	if err := kafka.NewTopics(cl, 0, 0).Ensure(ctx, "orders", 3, kafka.Compact); err != nil {
		t.Fatal(err)
	}
	old := time.UnixMilli(1_000) // retention by time would take it
	r := &kgo.Record{Topic: "orders", Key: []byte("k"), Value: []byte("v"), Timestamp: old}
	if err := cl.ProduceSync(ctx, r).FirstErr(); err != nil {
		t.Fatal(err)
	}
	var commit kadm.Offsets
	commit.Add(kadm.Offset{Topic: "orders", Partition: 1, At: 5, LeaderEpoch: -1, Metadata: "cut"})
	if _, err := kadm.NewClient(cl).CommitOffsets(ctx, "group", commit); err != nil {
		t.Fatal(err)
	}
	cl.Close()
	b.Close()

	b = start(t, dir)
	defer b.Close()
	cl = client(t, b)
	defer cl.Close()
	if n, err := kafka.NewTopics(cl, 0, 0).Count(ctx, "orders"); n != 3 || err != nil {
		t.Fatalf("after a restart the topic has %d partitions: %v", n, err)
	}
	var got []*kgo.Record
	c := kafka.Config{Brokers: b.Addrs()}
	if err := kafka.ReadAll(ctx, c, "orders", func(r *kgo.Record) error {
		got = append(got, r)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || string(got[0].Value) != "v" || !got[0].Timestamp.Equal(old) {
		t.Fatalf("after a restart the topic holds %v", got)
	}
	offsets, err := kadm.NewClient(cl).FetchOffsets(ctx, "group")
	if o, ok := offsets.Lookup("orders", 1); err != nil || !ok || o.At != 5 || o.Metadata != "cut" {
		t.Fatalf("after a restart the commit is %+v: %v", o, err)
	}
}

func TestDirectoryBelongsToOneBroker(t *testing.T) {
	dir := t.TempDir()
	if addrs, ok := embedded.Find(dir); ok {
		t.Fatalf("nobody runs, and yet %v", addrs)
	}
	b := start(t, dir)
	if addrs, ok := embedded.Find(dir); !ok || !slices.Equal(addrs, b.Addrs()) {
		t.Errorf("Find = %v, %v, want %v", addrs, ok, b.Addrs())
	}
	_, err := embedded.Start(dir)
	if !errors.Is(err, embedded.ErrRunning) || !strings.Contains(err.Error(), dir) {
		t.Errorf("a second broker: %v", err)
	}
	if _, ok := embedded.Find(dir); !ok {
		t.Error("the second one's failure hides the first")
	}
	b.Close()
	if addrs, ok := embedded.Find(dir); ok {
		t.Errorf("nobody runs any more, and yet %v", addrs)
	}
	start(t, dir).Close() // the lock is free
}

// What a broker that was killed leaves behind names a port where nobody listens.
func TestFindIgnoresTheDead(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "broker.addr"), []byte(addr), 0o644); err != nil {
		t.Fatal(err)
	}
	if addrs, ok := embedded.Find(dir); ok {
		t.Errorf("Find = %v", addrs)
	}
	b := start(t, dir)
	defer b.Close()
	if addrs, ok := embedded.Find(dir); !ok || !slices.Equal(addrs, b.Addrs()) {
		t.Errorf("Find = %v, %v, want %v", addrs, ok, b.Addrs())
	}
}

// A failed start leaves no lock behind.
func TestStartErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := embedded.Start(file); err == nil || errors.Is(err, embedded.ErrRunning) {
		t.Errorf("a data directory that is a file: %v", err)
	}
	blocked := filepath.Join(dir, "kafka")
	if err := os.WriteFile(blocked, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := embedded.Start(dir); err == nil || !strings.Contains(err.Error(), dir) {
		t.Fatalf("data that are a file: %v", err)
	}
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	start(t, dir).Close()
}

func TestInMemory(t *testing.T) {
	a, b := start(t, ""), start(t, "")
	defer b.Close()
	defer a.Close()
	if slices.Equal(a.Addrs(), b.Addrs()) {
		t.Errorf("two brokers at %v", a.Addrs())
	}
}
