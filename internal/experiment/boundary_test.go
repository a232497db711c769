package experiment

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/busuhq/busu/internal/stats"
)

// Brownian motion at a hundred looks crosses the early boundary, or is beyond the
// final level in the end, less often than alpha.
func TestBoundaryKeepsAlpha(t *testing.T) {
	t.Parallel()
	const paths = 100_000
	for alpha, want := range map[float64][2]float64{.10: {.0312, .0911}, .05: {.0146, .0460}, .01: {.0027, .0093}} {
		b, ok := boundaryOf(alpha)
		if !ok || b.Early != alpha {
			t.Fatalf("%g: %+v, %t", alpha, b, ok)
		}
		early, all := crossings(b, paths)
		for i, got := range []float64{early, all} {
			if math.Abs(got-want[i]) > 5*math.Sqrt(want[i]/paths) {
				t.Errorf("alpha %g: %g cross, not %g", alpha, got, want[i])
			}
		}
		if all > alpha {
			t.Errorf("alpha %g: %g are found where there is nothing", alpha, all)
		}
	}
	if _, ok := boundaryOf(.2); ok {
		t.Error("0.2 has no boundary")
	}
}

func crossings(b boundary, paths int) (early, all float64) {
	r := rand.New(rand.NewPCG(1, math.Float64bits(b.Early)))
	var critical [looks + 1]float64
	m := stats.TuneMixture(b.Early, looks)
	for k := 1; k <= looks; k++ {
		critical[k] = m.Test(0, 1, int64(k)).Critical * float64(k)
	}
	for range paths {
		w, crossed := 0.0, false
		for k := 1; k <= looks && !crossed; k++ {
			w += r.NormFloat64()
			crossed = w*w >= critical[k]
		}
		if crossed {
			early++
		}
		if crossed || math.Erfc(math.Abs(w)/math.Sqrt(2*looks)) < b.Final {
			all++
		}
	}
	return early / float64(paths), all / float64(paths)
}

// An operator who ramps by what is seen finds a winner where there is none more
// often: within the twentieth of the sample that RampTo allows by little, later
// by too much.
func TestRampsByWhatIsSeen(t *testing.T) {
	t.Parallel()
	const paths = 60_000
	for name, c := range map[string]struct {
		at     []int   // looks after which the information of a unit may be
		factor float64 // times what it was
		tooFar bool    // more is found than may be
	}{
		"to the middle within a twentieth":   {[]int{100 / rampWithin}, 250, false},
		"step by step within it":             {[]int{1, 2, 3, 100 / rampWithin}, 5, false},
		"out of the middle, as is not done":  {[]int{100 / rampWithin}, 1. / 250, true},
		"to the middle late, as is not done": {[]int{50}, 250, true},
	} {
		worst := 0.0
		for _, enough := range []float64{.8, 1.2, 1.6, 2} { // how far the difference must be to be held on to
			worst = max(worst, steered(paths, c.at, c.factor, enough))
		}
		if (worst > .055) != c.tooFar {
			t.Errorf("%s: a winner is found in %.4f", name, worst)
		}
	}
}

// steered is how often something is found at 0.05 if the information that units
// bring is multiplied where that suits best: more of it washes out what does not
// suffice, less keeps what does.
func steered(paths int, at []int, factor, enough float64) float64 {
	r := rand.New(rand.NewPCG(2, 3))
	b, _ := boundaryOf(.05)
	m := stats.TuneMixture(b.Early, looks)
	var critical [looks + 1]float64
	for k := 1; k <= looks; k++ {
		critical[k] = m.Test(0, 1, int64(k)).Critical
	}
	found := 0
	for range paths {
		w, information, rate, crossed := 0.0, 0.0, 1.0, false
		for k := 1; k <= looks && !crossed; k++ {
			w += r.NormFloat64() * math.Sqrt(rate)
			information += rate
			crossed = w*w/information >= critical[k]
			if far := math.Abs(w)/math.Sqrt(information) > enough; slices.Contains(at, k) && far == (factor < 1) {
				rate *= factor
			}
		}
		if crossed || math.Erfc(math.Abs(w)/math.Sqrt(2*information)) < b.Final {
			found++
		}
	}
	return float64(found) / float64(paths)
}

func TestLooksAreOnTheGrid(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(60, 1_000_000).Draw(t, "sample size")
		n, taken := 0, 0
		for n < size {
			next := nextLook(n, size, size)
			if next <= n || next > size {
				t.Fatalf("after %d comes %d of %d", n, next, size)
			}
			n = next
			taken++
		}
		if want := min(size, looks); taken != want {
			t.Fatalf("%d looks, want %d", taken, want)
		}
	})
}
