package datadir

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/tideline/tideline/cmd/internal/exit"
)

// D2, and an identity survives the process.
func TestInstance(t *testing.T) {
	dir := t.TempDir()
	first, err := Instance(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	second, err := Instance(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if first.ID == second.ID || first.Dir == second.Dir || first.ID == "" {
		t.Errorf("two processes share %q and %q", first.ID, second.ID)
	}
	first.Close()
	again, err := Instance(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if again.ID != first.ID {
		t.Errorf("after a restart %s became %s", first.ID, again.ID)
	}
	named, err := Instance(dir, "blue")
	if err != nil || filepath.Base(named.Dir) != "blue" {
		t.Fatalf("%v, %v", named, err)
	}
	defer named.Close()
	if _, err := Instance(dir, "blue"); err == nil ||
		!strings.Contains(err.Error(), "instance blue is running already") {
		t.Errorf("second process with the same name: %v", err)
	}
}

func TestReplica(t *testing.T) {
	dir := t.TempDir()
	a, err := Replica(dir, nil, "shop", "v")
	if err != nil || a.Dir == "" {
		t.Fatalf("%v, %v", a, err)
	}
	b, err := Replica(dir, nil, "shop", "V")
	if err != nil || b.Dir != "" {
		t.Errorf("a second reader got %v, %v", b, err)
	}
	c, err := Replica(dir, []string{"x:1"}, "shop", "v")
	if err != nil || c.Dir == "" || c.Dir == a.Dir {
		t.Errorf("another cluster got %v, %v", c, err)
	}
	for _, p := range []*Place{a, b, c} {
		p.Close()
	}
}

func TestConnect(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	ctx := t.Context()
	if _, err := Connect(ctx, nil, dir, Read); exit.Code(err) != exit.NotFound {
		t.Errorf("reading where nothing is: %v", err)
	}
	server, err := Connect(ctx, nil, dir, Serve)
	if err != nil {
		t.Fatal(err)
	}
	if !server.Own || !server.Embedded {
		t.Errorf("server %+v", server)
	}
	reader, err := Connect(ctx, nil, dir, Read)
	if err != nil {
		t.Fatal(err)
	}
	if reader.Own || strings.Join(reader.Config.Brokers, ",") !=
		strings.Join(server.Config.Brokers, ",") {
		t.Errorf("reader found %v, the broker is %v", reader.Config, server.Config)
	}
	reader.Close()
	server.Close()
	alone, err := Connect(ctx, nil, dir, Read)
	if err != nil || !alone.Own {
		t.Fatalf("alone: %+v, %v", alone, err)
	}
	alone.Close()
	kafka, err := Connect(ctx, []string{"k:9092"}, dir, Write)
	if err != nil || kafka.Embedded || kafka.Config.Brokers[0] != "k:9092" {
		t.Errorf("%+v, %v", kafka, err)
	}
}

// Two short commands at once: the second waits for the first, whose broker would vanish.
func TestShortCommandsTakeTurns(t *testing.T) {
	dir := t.TempDir()
	first, err := Connect(t.Context(), nil, dir, Write)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		second, err := Connect(t.Context(), nil, dir, Write)
		if err == nil {
			if !second.Own {
				t.Error("the second command uses the first one's broker")
			}
			second.Close()
		}
		done <- err
	}()
	first.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
