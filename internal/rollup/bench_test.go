package rollup_test

import (
	"fmt"
	"math"
	"math/rand/v2"
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
