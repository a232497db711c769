package selftest

import (
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/busuhq/busu/internal/experiment"
)

// population is whom an experiment is held on.
type population struct {
	good     [2]float64 // share of good answers, by arm
	icc      float64    // how alike the requests of a user are
	requests float64    // of a user: 1, or the mean of a geometric distribution
	exactly  int64      // of a user, in place of that
	rated    [2]float64 // share of requests with feedback, which alone can call an answer bad
	cost     [2]float64 // factor on what a request costs
	test     float64    // share of the test arm
}

// draw is one user, whose arm is settled.
func (p *population) draw(r *rand.Rand, arm int) experiment.Totals {
	n := p.count(r)
	t := experiment.Totals{Requests: n, Answered: n}
	switch {
	case p.rated != [2]float64{}:
		t.Rated = binomial(r, n, p.rated[arm])
		bad := binomial(r, t.Rated, 1-p.good[arm])
		t.Good, t.QualityMicros = n-bad, (t.Rated-bad)*1e6
	default:
		t.Good = binomial(r, n, p.propensity(r, p.good[arm]))
	}
	if p.cost != [2]float64{} {
		for range n { // heavy tails, as prompts have
			t.CostNanos += int64(1e5 * p.cost[arm] * math.Exp(r.NormFloat64()))
		}
	}
	return t
}

func (p *population) count(r *rand.Rand) int64 {
	switch {
	case p.exactly > 0:
		return p.exactly
	case p.requests > 1:
		return 1 + int64(math.Log(1-r.Float64())/math.Log(1-1/p.requests))
	default:
		return 1
	}
}

// propensity is a user's own share of good answers: from a Beta distribution
// about the mean whose variance is the intraclass correlation times mean(1−mean).
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

// epoch is when simulated experiments begin.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// between is the time from one user to the next.
const between = time.Second

// newExperiment is one with the defaults, but without a day to wait for.
func newExperiment(n int, primary experiment.Metric, test float64) *experiment.Experiment {
	zero := experiment.Duration(0)
	long := experiment.Duration(300 * 24 * time.Hour)
	e := experiment.Start{Name: "selftest", ControlStrategy: "a", TestStrategy: "b", TestShare: &test, SampleSize: n,
		Primary: primary, MinDuration: &zero, MaxDuration: &long}.Experiment(experiment.Given{ID: "selftest", Salt: "selftest", At: epoch})
	return &e
}

// names are user ids, made once: they decide nothing here but the order of users
// that mature in the same moment.
func name(i int) string { return strconv.Itoa(i) }

// hold holds an experiment on a population until it is decided, with units that
// have matured already.
func hold(e *experiment.Experiment, p *population, r *rand.Rand) *experiment.Decision {
	j := experiment.NewJudge(e)
	u := experiment.Unit{ID: "u", ExposedAt: epoch, MaturesAt: epoch.Add(e.Maturity())}
	for range e.SampleSize {
		u.Arm = 0
		if r.Float64() < p.test {
			u.Arm = 1
		}
		u.MaturesAt = u.MaturesAt.Add(between)
		u.Totals = p.draw(r, u.Arm)
		if err := j.Add(&u); err != nil {
			panic(err) // units are in order
		}
		if d := j.Decision(); d != nil {
			return d
		}
	}
	return j.Advance(e.End())
}
