package forecast

import (
	"math"
	"math/rand/v2"
	"slices"
)

// drawn is how often users are drawn anew.
const drawn = 400

// Interval is an estimate with its interval of 95 %.
type Interval struct {
	Estimate float64 `json:"estimate"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
}

// draw adds a call to every draw, as often as its user is in it. That number
// is Poisson of mean 1, which for many users is the bootstrap, and needs no
// call to be held: it is the same for all calls of a user, as the user is what
// it is drawn from.
func (f *Forecast) draw(unit uint64, nanos [policies]int64) {
	var dollars [policies]float64
	for p, n := range nanos {
		dollars[p] = float64(n) / 1e9
	}
	random := rand.NewPCG(f.o.Seed, unit)
	var bits uint64
	for b := range f.draws {
		if b%4 == 0 {
			bits = random.Uint64()
		}
		times := f.steps.times(uint16(bits))
		bits >>= 16
		if times == 0 {
			continue
		}
		for p, d := range dollars {
			f.draws[b][p] += times * d
		}
	}
}

// steps are where 16 random bits begin to mean one more: so many bits are
// Poisson of mean 1, to a few parts in 100,000.
type steps [8]uint16

func newSteps() (s steps) {
	chance, below := math.Exp(-1), 0.0
	for n := range s {
		below += chance
		s[n] = uint16(math.Round(below * math.MaxUint16))
		chance /= float64(n + 1)
	}
	return s
}

func (s *steps) times(bits uint16) float64 {
	n := 0
	for n < len(s) && bits >= s[n] {
		n++
	}
	return float64(n)
}

// over is an interval of a figure made from the sums, by the percentiles of
// the draws.
func (f *Forecast) over(figure func(dollars *[policies]float64) float64) Interval {
	var whole [policies]float64
	for p, n := range f.nanos {
		whole[p] = float64(n) / 1e9
	}
	figures := make([]float64, len(f.draws))
	for b := range f.draws {
		figures[b] = figure(&f.draws[b])
	}
	slices.Sort(figures)
	return Interval{Estimate: figure(&whole), Low: figures[drawn*25/1000], High: figures[drawn*975/1000-1]}
}
