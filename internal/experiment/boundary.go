package experiment

import "github.com/busuhq/busu/internal/stats"

// boundary is the pair of levels that a test is taken at: early, always-valid,
// at every look, and once at the end. Both together find a difference where
// there is none with a probability below alpha.
type boundary struct {
	Early float64 `json:"early"`
	Final float64 `json:"final"`
}

// boundaryOf is calibrated by Brownian motion with 100 looks, 4,000,000 paths
// each. The early level is alpha itself, so that the always-valid p that is
// shown and the rule never disagree:
//
//	alpha   early   final   crossed early   in all
//	0.10    0.10    0.080   0.0312          0.0911
//	0.05    0.05    0.040   0.0146          0.0460
//	0.01    0.01    0.008   0.0027          0.0093
//
// What is left of alpha is for samples that are no Brownian motion: small ones
// of rare outcomes. TestBoundaryKeepsAlpha repeats the calculation.
func boundaryOf(alpha float64) (boundary, bool) {
	switch alpha {
	case 0.10:
		return boundary{0.10, 0.080}, true
	case 0.05:
		return boundary{0.05, 0.040}, true
	case 0.01:
		return boundary{0.01, 0.008}, true
	default:
		return boundary{}, false
	}
}

// looks is how many looks are taken on the way to the sample size.
const looks = 100

// nextLook is the first number of units after n at which a look is taken.
func nextLook(n, sampleSize int) int {
	for k := n*looks/sampleSize + 1; k <= looks; k++ {
		if at := (k*sampleSize + looks - 1) / looks; at > n {
			return at
		}
	}
	return sampleSize
}

// mixture is the always-valid test of the arm i against the control: it is
// tuned to the units that both will have in the end by the shares at the start,
// and stays as it is when they change.
func (e *Experiment) mixture(arm int) stats.Mixture {
	b, _ := boundaryOf(e.Alpha)
	shares := e.Phases[0].Shares
	planned := float64(e.SampleSize) * (shares[Control] + shares[arm])
	return stats.TuneMixture(b.Early, int64(planned))
}
