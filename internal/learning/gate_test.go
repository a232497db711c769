package learning

import (
	"math"
	"testing"
)

// TestGateTrustsLittleWithoutProof: an estimate that proves nothing is given
// little, one that speaks against what was learned nothing, and proof all.
func TestGateTrustsLittleWithoutProof(t *testing.T) {
	t.Parallel()
	const power = 100
	for name, tt := range map[string]struct{ gain, spread, want float64 }{
		"nothing seen":        {0, 0, 0},
		"good, not proven":    {60, 60, gateTrust},
		"hardly good":         {0.05 * (power + gateDoubt), 60, 0.05},
		"bad, not proven":     {-1, 60, 0},
		"bad":                 {-60, 1, 0},
		"good, a little sure": {60, 60 / gateCaution * 0.7, 60 * 0.3 / (power + gateDoubt)},
		"good, and sure":      {60, 1, (60 - gateCaution) / (power + gateDoubt)},
		"better than hoped":   {1000, 1, 1},
	} {
		g := Gate{gain: tt.gain, squares: tt.spread * tt.spread, power: power}
		if got := g.Weight(); math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("%s: the gate gives %v, want %v", name, got, tt.want)
		}
	}
}

// TestGateIsUnbiased holds the expectation of the gain, over what a decision
// may choose, to the sum over all models that it stands for.
func TestGateIsUnbiased(t *testing.T) {
	t.Parallel()
	d, e := []float64{0.3, -0.1, -0.2}, []float64{0.5, 0.1, -0.4}
	for _, p := range [][]float64{{1. / 3, 1. / 3, 1. / 3}, {0.8, 0.15, 0.05}} {
		expected, want := 0.0, 0.0
		for m := range d {
			var g Gate
			g.observe(d[m], e[m], 1, p[m])
			expected += p[m] * g.gain
			want += d[m] * e[m]
		}
		if math.Abs(expected-want) > 1e-12 {
			t.Errorf("propensities %v: the gain is expected at %v, want %v", p, expected, want)
		}
	}
}
