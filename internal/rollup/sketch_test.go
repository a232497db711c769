package rollup

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestSketchesCount: whatever is added and taken away, large or small, a sketch
// has what a map would have, in order.
func TestSketchesCount(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(4, 2))
	for range 300 {
		var s Sketch
		model := map[int16]int64{}
		among := int16(1 + r.IntN(400))
		for range 60 {
			if r.IntN(3) == 0 {
				at, n := int16(r.IntN(int(among))), r.Int64N(5)-2
				s.Count(at, n)
				model[at] += n
			} else {
				other := random(r, among, r.IntN(1+r.IntN(300)))
				was, times := slices.Clone(other), int64(1-2*r.IntN(2))
				s.add(other, times)
				for _, b := range other {
					model[b.at] += b.n * times
				}
				if !slices.Equal(other, was) {
					t.Fatalf("%v became %v", was, other)
				}
			}
			for at, n := range model {
				if n == 0 {
					delete(model, at)
				}
			}
			mustBe(t, s, model)
		}
	}
}

func random(r *rand.Rand, among int16, n int) (s Sketch) {
	for range n {
		s.Count(int16(r.IntN(int(among))), 1+r.Int64N(3))
	}
	return s
}

func mustBe(t *testing.T, s Sketch, want map[int16]int64) {
	t.Helper()
	if len(s) != len(want) {
		t.Fatalf("%v has %d bins, want %d", s, len(s), len(want))
	}
	for i, b := range s {
		if b.n != want[b.at] || i > 0 && b.at <= s[i-1].at {
			t.Fatalf("bin %d of %v, want %v", i, s, want)
		}
	}
}

// BenchmarkSketches adds a sketch of a batch, and one as large, to that of a
// day.
func BenchmarkSketches(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	day := random(r, 400, 4000)
	for name, n := range map[string]int{"batch": 20, "hour": 2000} {
		other := random(r, 400, n)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				day.add(other, 1)
			}
		})
	}
	b.Run("packed", func(b *testing.B) {
		b.ReportAllocs()
		var packed []byte
		for b.Loop() {
			packed = day.AppendPacked(packed[:0])
		}
	})
	b.Run("quantiles", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			quantiles(day)
		}
	})
}
