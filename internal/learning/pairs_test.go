package learning

import (
	"math"
	"math/rand/v2"
	"testing"
)

// drawn is an index drawn by p.
func drawn(r *rand.Rand, p []float64) int {
	x := r.Float64()
	for i := range p {
		if x -= p[i]; x < 0 {
			return i
		}
	}
	return len(p) - 1
}

// another is drawn evenly among all but one of k.
func another(r *rand.Rand, k, but int) int {
	i := r.IntN(k - 1)
	if i >= but {
		i++
	}
	return i
}

// TestGateWeighsSecondAnswersRightly has decisions of whom some have a second
// answer judged, for models of which it is known what was learned (d) and what
// is true (e). The gate's estimate, gain over power, must come to the truth with
// the propensity that a second model has given that there is one, and not with
// others that may seem right.
func TestGateWeighsSecondAnswersRightly(t *testing.T) {
	t.Parallel()
	const share, decisions = 0.2, 200_000
	for name, c := range map[string]struct{ p, d, e []float64 }{
		"three models": {[]float64{.6, .3, .1}, []float64{.2, -.05, -.15}, []float64{.1, .2, -.3}},
		"two models":   {[]float64{.9, .1}, []float64{-.1, .1}, []float64{.05, .2}},
	} {
		k := float64(len(c.p))
		truth, power := 0.0, 0.0
		for m := range c.p {
			truth += c.d[m] * c.e[m]
			power += c.d[m] * c.d[m]
		}
		estimate := func(q func(p float64) float64) float64 {
			r := rand.New(rand.NewPCG(1, 7))
			var gain, all float64
			observe := func(m int, propensity float64) {
				var g Gate // one decision's, without what it forgets
				g.observe(c.d[m], c.e[m]+.3*r.NormFloat64(), power, propensity)
				gain += g.gain
				all += g.power
			}
			for range decisions {
				first := drawn(r, c.p)
				observe(first, c.p[first])
				if r.Float64() < share {
					second := another(r, len(c.p), first)
					observe(second, q(c.p[second]))
				}
			}
			return gain / all
		}
		right := estimate(func(p float64) float64 { return (1 - p) / (k - 1) })
		if math.Abs(right-truth/power) > .03*math.Abs(truth/power) {
			t.Errorf("%s: the gate finds %.4f, not %.4f", name, right, truth/power)
		}
		for wrong, q := range map[string]func(float64) float64{
			"of being second at all": func(p float64) float64 { return share * (1 - p) / (k - 1) },
			"of being seen":          func(p float64) float64 { return p + share*(1-p)/(k-1) },
			"of being planned":       func(p float64) float64 { return p },
		} {
			if got := estimate(q); math.Abs(got-truth/power) < .03*math.Abs(truth/power) {
				t.Errorf("%s: with the probability %s the gate finds the truth, too: the test shows nothing", name, wrong)
			}
		}
	}
}

// paired applies verdicts on decisions that plan the small model with
// probability p, a share of which has both models' answers judged.
func paired(t *testing.T, m *Model, n int, p, share float64, chance func(model string, hard bool) float64, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 11))
	texts, hard := prompts(n, r)
	models := []string{"small", "large"}
	probabilities := []float64{p, 1 - p}
	for i, text := range texts {
		first := drawn(r, probabilities)
		judge := func(model int, propensity float64) {
			quality := 0.0
			if r.Float64() < chance(models[model], hard[i]) {
				quality = 1
			}
			if err := m.Learn(Verdict{Vector: vectorOf(text), Model: models[model], Quality: quality, Prior: 0.7,
				Candidates: models, Propensity: propensity}); err != nil {
				t.Fatal(err)
			}
		}
		judge(first, probabilities[first])
		if r.Float64() < share {
			judge(1-first, 1-probabilities[1-first])
		}
	}
}

// TestPairsTeachFaster compares how far the learned differences are from the
// true ones after as many requests, with second answers and without.
func TestPairsTeachFaster(t *testing.T) {
	t.Parallel()
	const seeds = 8
	missed := map[float64]float64{}
	for _, share := range []float64{0, .2} {
		for seed := range uint64(seeds) {
			m := New(nil, Assumed())
			paired(t, m, 600, .95, share, truth, seed)
			missed[share] += math.Abs(uplift(m, topics[0]+" xy")-.7) / seeds
			for _, easy := range topics[1:] {
				missed[share] += math.Abs(uplift(m, easy+" xy")) / seeds / 3
			}
		}
	}
	t.Logf("off by %.3f without second answers, by %.3f with", missed[0], missed[.2])
	if missed[.2] > .8*missed[0] {
		t.Errorf("with second answers the differences are off by %.3f, without by %.3f", missed[.2], missed[0])
	}
}

// TestPairsDoNotOpenTheGate: where models do not differ, second answers must not
// make it seem so.
func TestPairsDoNotOpenTheGate(t *testing.T) {
	t.Parallel()
	same := func(_ string, hard bool) float64 {
		if hard {
			return .4
		}
		return .8
	}
	for _, p := range []float64{.5, .8, .95} {
		for seed := range uint64(6) {
			m := New(nil, Assumed())
			paired(t, m, 800, p, .5, same, seed)
			if w := m.Weight(); w > .2 {
				t.Errorf("planned with %v, seed %d: the gate gives %.2f to nothing", p, seed, w)
			}
		}
	}
}
