package stats

import "math"

// Binomial is how many of an arm's trials succeeded.
type Binomial struct{ Successes, Trials int64 }

// Failures are the trials that did not succeed.
func (b Binomial) Failures() int64 { return b.Trials - b.Successes }

// Share is the share of successes, 0 without trials.
func (b Binomial) Share() float64 {
	if !b.sound() {
		return 0
	}
	return float64(b.Successes) / float64(b.Trials)
}

// sound says whether there are trials, and not more successes than those.
func (b Binomial) sound() bool {
	return b.Trials > 0 && b.Successes >= 0 && b.Successes <= b.Trials
}

// ChiSquareTest is a chi-square test's outcome.
type ChiSquareTest struct {
	Statistic   float64 // X²
	DF          int
	P           float64
	MinExpected float64 // the least expected count; below 5 use FisherExact
	CramersV    float64 // effect size √(X²/n), |φ| of a 2×2 table
	Testable    bool    // false where a row or column of the table is empty
}

// ChiSquare is Pearson's test that all arms succeed equally often, without
// correction: X² = Σ(O−E)²/E with k−1 degrees of freedom (Pearson 1900;
// Agresti, Categorical Data Analysis, 3rd ed., 3.2).
func ChiSquare(arms []Binomial) ChiSquareTest { return chiSquare(arms, 0) }

// ChiSquareYates is the test of two arms with the continuity correction that R
// applies: |O−E| less ½, or less itself where it is smaller (Yates 1934). It
// is shown for comparison; it wastes up to half of alpha.
func ChiSquareYates(a, b Binomial) ChiSquareTest { return chiSquare([]Binomial{a, b}, 0.5) }

func chiSquare(arms []Binomial, correction float64) ChiSquareTest {
	none := ChiSquareTest{DF: max(0, len(arms)-1), P: 1}
	var successes, failures, smallest float64
	for i, arm := range arms {
		if !arm.sound() {
			return none
		}
		successes += float64(arm.Successes)
		failures += float64(arm.Failures())
		if n := float64(arm.Trials); i == 0 || n < smallest {
			smallest = n
		}
	}
	if len(arms) < 2 || successes == 0 || failures == 0 {
		return none
	}
	// Both cells of an arm are off by d = (O·n − row·column)/n, so that its part
	// of X² is d²n²/(row·successes·failures).
	total, statistic := successes+failures, 0.0
	for _, arm := range arms {
		row := float64(arm.Trials)
		off := math.Abs(differenceOfProducts(float64(arm.Successes), failures, float64(arm.Failures()), successes))
		off = max(0, off-correction*total)
		statistic += (off / row) * (off / successes / failures)
	}
	return ChiSquareTest{
		Statistic: statistic, DF: len(arms) - 1, P: chiSquareTail(statistic, len(arms)-1),
		MinExpected: smallest * min(successes, failures) / total,
		CramersV:    min(1, math.Sqrt(statistic/total)), Testable: true,
	}
}
