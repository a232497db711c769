package experiment

import (
	"cmp"

	"github.com/busuhq/busu/internal/stats"
)

// boundary is the pair of levels that a test is taken at: early, always-valid,
// at every look, and once at the end. Both together find a difference where
// there is none with a probability below alpha.
//
// What is left of alpha is the always-valid level of an experiment that was
// extended when something had been seen, in place of both: whoever extends when
// the test at the end would fail has had that test already.
type boundary struct {
	Early float64 `json:"early"`
	Final float64 `json:"final"`
	Late  float64 `json:"-"` // of extended experiments
}

// boundaryOf is calibrated by Brownian motion with 100 looks, 4,000,000 paths
// each. The early level is alpha itself, so that the always-valid p that is
// shown and the rule never disagree:
//
//	alpha   early   final   crossed early   in all   late
//	0.10    0.10    0.080   0.0312          0.0911   0.0089
//	0.05    0.05    0.040   0.0146          0.0460   0.0040
//	0.01    0.01    0.008   0.0027          0.0093   0.0007
//
// What is left of alpha is for samples that are no Brownian motion: small ones
// of rare outcomes. TestBoundaryKeepsAlpha repeats the calculation.
func boundaryOf(alpha float64) (boundary, bool) {
	switch alpha {
	case 0.10:
		return boundary{0.10, 0.080, 0.0089}, true
	case 0.05:
		return boundary{0.05, 0.040, 0.0040}, true
	case 0.01:
		return boundary{0.01, 0.008, 0.0007}, true
	default:
		return boundary{}, false
	}
}

// looks is how many looks are taken on the way to the sample size.
const looks = 100

// nextLook is the first number of units after n at which a look is taken: every
// hundredth of the sample that was planned, and when all of it is there.
func nextLook(n, planned, size int) int {
	k := n*looks/planned + 1
	for (k*planned+looks-1)/looks <= n {
		k++
	}
	return min((k*planned+looks-1)/looks, size)
}

// planned is the sample size that looks and tests are laid out for.
func (e *Experiment) planned() int { return cmp.Or(e.Planned, e.SampleSize) }

// extended reports whether the experiment goes on longer than was planned, by
// what was seen: there is no single test at the end then.
func (e *Experiment) extended() bool { return e.Planned > 0 }

// early is the always-valid level at which a winner is called at a look.
func (e *Experiment) early() float64 {
	b, _ := boundaryOf(e.Alpha)
	if e.extended() {
		return b.Late
	}
	return b.Early
}

// mixture is the always-valid test of the arm i against the control: it is
// tuned to the units that both will have in the end by the shares at the start,
// and stays as it is when they change.
func (e *Experiment) mixture(arm int) stats.Mixture {
	b, _ := boundaryOf(e.Alpha)
	return e.mixtureAt(b.Early, arm)
}

// mixtureAt is that of another level.
func (e *Experiment) mixtureAt(alpha float64, arm int) stats.Mixture {
	shares := e.Phases[0].Shares
	planned := float64(e.planned()) * (shares[Control] + shares[arm])
	return stats.TuneMixture(alpha, int64(planned))
}
