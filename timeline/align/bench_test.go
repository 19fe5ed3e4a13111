package align

import (
	"math/rand/v2"
	"testing"

	"github.com/tideline/tideline/timeline"
)

// benchPayload is about the size of a small row.
var benchPayload = make([]byte, 100)

// runBench pushes b.N records round about the inputs, delivers and marks them.
func runBench(b *testing.B, cfg Config, next func(i int) Record) {
	m, err := New(cfg, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for i := range b.N {
		if _, _, err := m.Push(next(i)); err != nil {
			b.Fatal(err)
		}
		for {
			d, due, err := m.Next()
			if err != nil {
				b.Fatal(err)
			}
			if !due {
				break
			}
			m.Mark(d.Ref)
		}
		if i%10_000 == 9999 {
			m.Progress()
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrecords/s")
}

func BenchmarkInOrderTwoLanes(b *testing.B) {
	cfg := Config{Inputs: []Input{{Name: "a"}, {Name: "b"}}, Memory: 64 << 20}
	runBench(b, cfg, func(i int) Record {
		return Record{Input: i & 1, Offset: int64(i / 2), At: timeline.Time(i),
			Data: benchPayload}
	})
}

// One input is read in batches ahead of the other, as Kafka's fetches come.
func BenchmarkInOrderBatches(b *testing.B) {
	cfg := Config{Inputs: []Input{{Name: "a"}, {Name: "b"}}, Memory: 64 << 20}
	var offsets [2]int64
	runBench(b, cfg, func(i int) Record {
		input := i / 500 & 1
		offset := offsets[input]
		offsets[input]++
		return Record{Input: input, Offset: offset, At: timeline.Time(offset),
			Data: benchPayload}
	})
}

func benchDisordered(b *testing.B, window int) {
	lateness := timeline.Time(window)
	cfg := Config{Inputs: []Input{
		{Name: "a", Disordered: true, Lateness: lateness},
		{Name: "b", Disordered: true, Lateness: lateness},
	}}
	r := rand.New(rand.NewPCG(1, 2))
	runBench(b, cfg, func(i int) Record {
		return Record{Input: i & 1, Offset: int64(i / 2), Data: benchPayload,
			At: timeline.Time(i) - timeline.Time(r.IntN(window+1))}
	})
}

func BenchmarkDisordered1000(b *testing.B)   { benchDisordered(b, 1000) }
func BenchmarkDisordered100000(b *testing.B) { benchDisordered(b, 100_000) }

// Nearly ordered: one record in twenty is behind.
func BenchmarkNearlyOrdered(b *testing.B) {
	cfg := Config{Inputs: []Input{{Name: "a", Disordered: true, Lateness: 1000}, {Name: "b"}}}
	runBench(b, cfg, func(i int) Record {
		at := timeline.Time(i)
		if i%20 == 0 {
			at -= 500
		}
		return Record{Input: i & 1, Offset: int64(i / 2), At: at, Data: benchPayload}
	})
}

// An exchange of 64 senders beside a stream.
func BenchmarkExchange64Senders(b *testing.B) {
	cfg := Config{Inputs: []Input{{Name: "a", Senders: 64}, {Name: "b"}}}
	runBench(b, cfg, func(i int) Record {
		x := Record{Input: i & 1, Offset: int64(i / 2), At: timeline.Time(i), Data: benchPayload}
		if x.Input == 0 {
			x.Sender = int32(i / 2 % 64)
		}
		return x
	})
}

// Everything goes through the spool.
func BenchmarkSpilled(b *testing.B) {
	cfg := Config{
		Inputs: []Input{{Name: "a", Disordered: true, Lateness: 200_000}},
		Memory: 8 << 20, Spool: &memorySpool{},
	}
	r := rand.New(rand.NewPCG(1, 2))
	runBench(b, cfg, func(i int) Record {
		return Record{Offset: int64(i), At: timeline.Time(i - r.IntN(200_000)),
			Data: benchPayload}
	})
}
