package rollup_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/rollup"
)

// BenchmarkHistory makes what is read of a quarter into an answer.
func BenchmarkHistory(b *testing.B) {
	now := time.Date(2026, 11, 23, 12, 34, 56, 0, time.UTC)
	for _, step := range []time.Duration{24 * time.Hour, time.Hour} {
		span := rollup.Span{Length: rollup.LongestSpan, Step: step, By: rollup.KindModel, Top: 5}
		pieces := quarter(span, now)
		b.Run(fmt.Sprint(step), func(b *testing.B) {
			b.ReportAllocs()
			var text []byte
			for b.Loop() {
				h, err := rollup.NewHistory(span, pieces, rollup.SourcePostgres, now)
				if err != nil {
					b.Fatal(err)
				}
				if text, err = h.AppendJSON(text[:0]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func quarter(span rollup.Span, now time.Time) (pieces []rollup.Piece) {
	r := rand.New(rand.NewPCG(1, 1))
	for i := range span.Points() {
		for name := range 9 {
			s := rollup.Sketch{}
			for range 4000 {
				s.Count(rollup.Bin(int64(600_000*math.Exp(.5*r.NormFloat64()))), 1)
			}
			p := rollup.Piece{Start: span.From(now).Add(time.Duration(i) * span.Step).Unix(), Dim: rollup.Dim{Kind: rollup.KindModel, Name: fmt.Sprint(name)},
				Cell: rollup.Cell{Requests: 4000, CostNanos: 123_456_789, BaselineNanos: 987_654_321}, Latency: packs(s)}
			if name == 0 {
				p.Dim, p.TTFT, p.Overhead = rollup.Dim{Kind: rollup.KindAll}, packs(s), packs(s)
			}
			pieces = append(pieces, p)
		}
	}
	return pieces
}

// BenchmarkBookMemory is what the windows of a project take that asks all the
// time, of 24 names: as they were counted, and when they are packed.
func BenchmarkBookMemory(b *testing.B) {
	for _, rate := range []int{1, 1000} {
		cells := map[int]rollup.Cell{} // by requests
		for _, w := range rollup.Windows() {
			requests := rate * int(w.Resolution/time.Second)
			cells[requests] = usual(requests)
		}
		fill := func() *rollup.Book {
			book := rollup.NewBook()
			for _, w := range rollup.Windows() {
				for at := w.From(now); !at.After(now); at = at.Add(w.Resolution) {
					c := cells[rate*int(w.Resolution/time.Second)]
					book.Restore(rollup.Key{Window: w.Name, Slot: w.Slot(at.Unix()), Dim: rollup.Dim{Kind: rollup.KindAll}}, c)
					c.TTFT, c.Overhead = nil, nil
					for i := range 23 {
						book.Restore(rollup.Key{Window: w.Name, Slot: w.Slot(at.Unix()), Dim: rollup.Dim{Kind: rollup.KindModel, Name: fmt.Sprint("model-", i)}}, c)
					}
				}
			}
			return book
		}
		for _, packed := range []bool{false, true} {
			b.Run(fmt.Sprintf("rate=%d/packed=%t", rate, packed), func(b *testing.B) {
				var books []*rollup.Book
				before := inUse()
				for b.Loop() {
					book := fill()
					if packed {
						book.Advance(now)
					}
					books = append(books, book)
				}
				b.ReportMetric(float64(inUse()-before)/float64(len(books))/1e6, "MB/project")
				runtime.KeepAlive(books)
			})
		}
	}
}

// usual is a cell of some requests, as a large model answers them.
func usual(requests int) rollup.Cell {
	r := rand.New(rand.NewPCG(2, uint64(requests)))
	c := rollup.Cell{Requests: int64(requests), CostNanos: 900_000 * int64(requests), BaselineNanos: 1_500_000 * int64(requests), TokensIn: 400 * int64(requests), TokensOut: 200 * int64(requests)}
	for range min(requests, 100_000) {
		c.Latency.Count(rollup.Bin(int64(900_000*math.Exp(.8*r.NormFloat64()))), 1)
		c.TTFT.Count(rollup.Bin(int64(300_000*math.Exp(.6*r.NormFloat64()))), 1)
		c.Overhead.Count(rollup.Bin(int64(400*math.Exp(.7*r.NormFloat64()))), 1)
	}
	return c
}

// inUse is what is in use of the heap.
func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
