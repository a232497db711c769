package selftest

import (
	"math"
	"math/rand/v2"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/busuhq/busu/internal/experiment"
)

// population is whom an experiment is held on. Pairs are control and test.
type population struct {
	good     [2]float64 // share of good answers
	icc      float64    // how alike the requests of a user are, intraclass correlation
	requests float64    // of a user, the mean of a geometric distribution; 0 or 1: one
	exactly  int64      // requests of a user, in place of that
	rated    [2]float64 // share of requests with feedback, without which no answer is called bad; 0: all are known
	cost     [2]float64 // factor on what a request costs; 0: nothing does
	history  bool       // users cost now what they cost before, but for chance
}

// draw is one user of an arm.
func (p *population) draw(r *rand.Rand, arm int) experiment.Totals {
	n := p.count(r)
	t := experiment.Totals{Requests: n, Answered: n}
	good := p.propensity(r, p.good[arm])
	if p.rated[arm] > 0 {
		t.Rated = binomial(r, n, p.rated[arm])
		approved := binomial(r, t.Rated, good)
		t.Good, t.QualityMicros = n-t.Rated+approved, approved*1e6
	} else {
		t.Good = binomial(r, n, good)
	}
	if p.cost[arm] > 0 {
		t.CostNanos = spent(r, n, 1e5*p.cost[arm])
	}
	return t
}

// spent is what n requests cost: lognormal, so that a few cost most of the money.
func spent(r *rand.Rand, n int64, typical float64) (nanos int64) {
	for range n {
		nanos += int64(typical * math.Exp(r.NormFloat64()))
	}
	return nanos
}

// enter draws a user, with a past if users have one.
func (p *population) enter(r *rand.Rand, u *experiment.Unit) {
	u.Totals = p.draw(r, u.Arm)
	if p.history {
		own := math.Exp(r.NormFloat64())
		past := experiment.Totals{Requests: p.count(r)}
		past.CostNanos = spent(r, past.Requests, 1e5*own)
		u.CostNanos, u.History = spent(r, u.Requests, 1e5*p.cost[u.Arm]*own), &past
	}
}

func (p *population) count(r *rand.Rand) int64 {
	switch {
	case p.exactly > 0:
		return p.exactly
	case p.requests > 1:
		return 1 + int64(math.Log(1-r.Float64())/math.Log1p(-1/p.requests))
	default:
		return 1
	}
}

// propensity is a user's own share of good answers, from a Beta distribution
// about the mean: the variance between users is icc · mean(1−mean).
func (p *population) propensity(r *rand.Rand, mean float64) float64 {
	if p.icc == 0 {
		return mean
	}
	size := 1/p.icc - 1
	return distuv.Beta{Alpha: mean * size, Beta: (1 - mean) * size, Src: r}.Rand()
}

// few is up to how many trials are drawn one by one.
const few = 40

func binomial(r *rand.Rand, n int64, p float64) (successes int64) {
	if n > few && p > 0 && p < 1 {
		return int64(distuv.Binomial{N: float64(n), P: p, Src: r}.Rand())
	}
	for range n {
		if r.Float64() < p {
			successes++
		}
	}
	return successes
}

// epoch is when simulated experiments begin, and users come a second apart.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const apart = time.Second

// begin is an experiment with the defaults, that nobody wins too early by date.
func begin(n int, primary experiment.Metric, shares ...float64) *experiment.Experiment {
	if shares == nil {
		shares = []float64{.5, .5}
	}
	s := experiment.Start{Name: "selftest", SampleSize: n, Primary: primary,
		MinDuration: new(experiment.Duration(0)), MaxDuration: new(experiment.Duration(365 * 24 * time.Hour))}
	for i, share := range shares {
		s.Arms = append(s.Arms, experiment.ArmShare{Name: []string{"control", "test", "third"}[i], Share: share,
			ArmSpec: experiment.ArmSpec{Model: []string{"a", "b", "c"}[i]}})
	}
	e := s.Experiment(experiment.Given{ID: "selftest", Salt: "selftest", At: epoch})
	return &e
}

// pick draws an arm.
func pick(r *rand.Rand, shares []float64) int {
	x := r.Float64()
	for arm, share := range shares {
		if x -= share; x < 0 {
			return arm
		}
	}
	return len(shares) - 1
}

// hold holds an experiment until it is decided, on users who come one by one and
// whose arm and totals are drawn.
func hold(e *experiment.Experiment, r *rand.Rand, draw func(i int, u *experiment.Unit)) *experiment.Decision {
	j := experiment.NewJudge(e)
	u := experiment.Unit{ID: "u", MaturesAt: epoch.Add(e.Maturity())}
	for i := range e.SampleSize {
		u.MaturesAt = u.MaturesAt.Add(apart)
		draw(i, &u)
		if err := j.Add(&u); err != nil {
			panic(err) // they are in order, and of its arms
		}
		if d := j.Decision(); d != nil {
			return d
		}
	}
	return j.Advance(e.End())
}
