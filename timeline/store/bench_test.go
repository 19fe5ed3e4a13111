package store

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/wire"
)

// payload is about 130 bytes that compress as rows do.
func payload(r *rand.Rand, st timeline.Stamp) []byte {
	body := fmt.Appendf(nil, "%020d|customer-%08d|paid|%d", st.At, r.IntN(1e8), r.Uint64())
	return wire.AppendVersion(nil, wire.Version{
		Stamp: st, Row: body, State: bytes.Repeat([]byte{byte(st.At)}, max(0, 110-len(body))),
	})
}

func load(b *testing.B, s *Store, keys, versions int) {
	b.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	for v := range versions {
		for range keys {
			k := r.IntN(keys)
			at := timeline.Time(v*keys + k)
			must(b, s.Set(strconv.Itoa(k), payload(r, stamp(at, 0))))
		}
	}
	must(b, s.SetOffset(int64(keys*versions)))
	must(b, s.MarkRecovered())
}

// BenchmarkAsOf reads 600 MB of history: with the default block cache, nearly every
// read goes to the operating system; with 1 GB all of it is cached.
func BenchmarkAsOf(b *testing.B) {
	for _, mb := range []int{defaultBlockCache >> 20, 1024} {
		b.Run(fmt.Sprintf("cache=%dMB", mb), func(b *testing.B) { benchmarkAsOf(b, mb<<20) })
	}
}

func benchmarkAsOf(b *testing.B, blockCache int) {
	const keys, versions = 200_000, 20
	o := options(b.TempDir())
	o.BlockCache = blockCache
	s := open(b, o)
	load(b, s, keys, versions)
	r := rand.New(rand.NewPCG(3, 4))
	names := make([]string, keys)
	for k := range names {
		names[k] = strconv.Itoa(k)
	}
	took := make([]time.Duration, 0, 1<<20)
	for range 2 * keys { // let compaction end and the cache fill
		_, _, err := s.AsOf(names[r.IntN(keys)], timeline.Time(r.IntN(keys*versions)))
		must(b, err)
	}
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		_, _, err := s.AsOf(names[r.IntN(keys)], timeline.Time(r.IntN(keys*versions)))
		if len(took) < cap(took) {
			took = append(took, time.Since(start))
		}
		must(b, err)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
}

func BenchmarkAsOfDepth(b *testing.B) {
	for _, depth := range []int{10, 100_000} {
		b.Run(strconv.Itoa(depth), func(b *testing.B) {
			s := open(b, options(b.TempDir()))
			r := rand.New(rand.NewPCG(1, 2))
			for i := range 100_000 {
				key := strconv.Itoa(i % (100_000 / depth))
				must(b, s.Set(key, payload(r, stamp(timeline.Time(i), 0))))
			}
			must(b, s.MarkRecovered())
			for b.Loop() {
				key := strconv.Itoa(r.IntN(100_000 / depth))
				_, _, err := s.AsOf(key, timeline.Time(r.IntN(100_000)))
				must(b, err)
			}
		})
	}
}

func BenchmarkOperator(b *testing.B) {
	const keys = 100_000
	s := open(b, options(b.TempDir()))
	must(b, s.MarkRecovered())
	r := rand.New(rand.NewPCG(1, 2))
	names := make([]string, keys)
	for k := range names {
		names[k] = strconv.Itoa(k)
	}
	recs := make([][]byte, 1024)
	for i := range recs {
		recs[i] = payload(r, stamp(0, 0))
	}
	at := timeline.Time(0)
	b.ReportAllocs()
	for b.Loop() {
		at++
		key := names[r.IntN(keys)]
		_, _, err := s.Before(key, stamp(at, 0))
		must(b, err)
		rec := recs[int(at)%len(recs)]
		v, _ := wire.DecodeVersion(rec)
		v.Stamp.At = at
		must(b, s.Set(key, wire.AppendVersion(nil, v)))
		must(b, s.SetOffset(int64(at)))
	}
}

func BenchmarkRecovery(b *testing.B) {
	const parts, keys, versions = 2, 500_000, 2_000_000
	for b.Loop() {
		b.StopTimer()
		r := rand.New(rand.NewPCG(1, 2))
		recs := make([][]byte, 1<<16)
		for i := range recs {
			recs[i] = payload(r, stamp(timeline.Time(i), 0))
		}
		stores := make([]*Store, parts)
		for p := range stores {
			stores[p] = open(b, options(b.TempDir()))
		}
		b.StartTimer()
		var wg sync.WaitGroup
		for _, s := range stores {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(5, 6))
				var rec []byte
				for i := range versions {
					v, _ := wire.DecodeVersion(recs[i%len(recs)])
					v.Stamp.At = timeline.Time(i)
					rec = wire.AppendVersion(rec[:0], v)
					if err := s.Set(strconv.Itoa(r.IntN(keys)), rec); err != nil {
						panic(err)
					}
					_ = s.SetOffset(int64(i))
				}
				if err := s.MarkRecovered(); err != nil {
					panic(err)
				}
			})
		}
		wg.Wait()
		b.StopTimer()
		for _, s := range stores {
			must(b, s.Close())
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(b.N*parts*versions)/b.Elapsed().Seconds(), "versions/s")
}
