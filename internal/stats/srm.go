package stats

import "math"

// SampleRatio tests whether units were assigned in the ratio of the weights,
// which need not add up to 1: Pearson's goodness of fit. It is for one look at
// the end; SampleRatioBayesFactor is for many (Fabijan et al., Diagnosing
// Sample Ratio Mismatch, KDD 2019). An arm of weight 0 is left out while it is
// empty, and a mismatch for certain when it is not.
func SampleRatio(observed []int64, weights []float64) ChiSquareTest {
	counts, shares, mismatch := assigned(observed, weights)
	total := sum(counts)
	test := ChiSquareTest{DF: max(0, len(shares)-1), P: 1}
	if mismatch {
		return ChiSquareTest{Statistic: math.MaxFloat64, DF: max(1, len(shares)), CramersV: 1, Testable: true}
	}
	if total == 0 || test.DF == 0 {
		return test
	}
	test.Testable, test.MinExpected = true, math.MaxFloat64
	for i, n := range counts {
		expected := total * shares[i]
		test.Statistic += (n - expected) * ((n - expected) / expected)
		test.MinExpected = min(test.MinExpected, expected)
	}
	test.Statistic = bounded(test.Statistic)
	test.P = chiSquareTail(test.Statistic, test.DF)
	test.CramersV = min(1, math.Sqrt(test.Statistic/total/float64(test.DF)))
	return test
}

// SampleRatioBayesFactor is the natural logarithm of the evidence against the
// weights that may be looked at after every unit: of a Dirichlet–multinomial
// distribution about the weights, against the weights themselves. They are
// doubted for good when it reaches ln 1000, at alpha .001. The concentration
// says how close to the weights mismatches are expected: 200 to 1000 find those
// that matter. It is 0 where nothing can be said, and follows SampleRatio about
// arms of weight 0.
//
// Source: Lindon & Malek, Anytime-Valid Inference for Multinomial Count Data,
// NeurIPS 2022 (arXiv 2011.03567).
func SampleRatioBayesFactor(observed []int64, weights []float64, concentration float64) float64 {
	counts, shares, mismatch := assigned(observed, weights)
	if mismatch {
		return math.MaxFloat64
	}
	prior := make([]float64, len(shares))
	for i, share := range shares {
		prior[i] = concentration * share
	}
	return logDirichletFactor(counts, prior, shares)
}

// BetaMixture is the natural logarithm of the evidence, valid from the first
// count and after every one, against counts being split between two arms by B's
// weight: of a Beta(priorB, priorA) mixture over B's share. Of failures it is
// the detector of a spike in one arm. Priors in the ratio of the weights are
// about the null hypothesis; with equal weights and priors a it is
// lbeta(a+B, a+A) − lbeta(a, a) + (A+B) ln 2. It is 0 where nothing can be
// said (Lindon & Malek, NeurIPS 2022, for two categories).
func BetaMixture(countA, countB int64, priorA, priorB, weightB float64) float64 {
	if countA < 0 || countB < 0 || !probability(weightB) {
		return 0
	}
	return logDirichletFactor([]float64{float64(countA), float64(countB)}, []float64{priorA, priorB}, []float64{1 - weightB, weightB})
}

// logDirichletFactor is the logarithm of the Bayes factor
//
//	Γ(A)/Γ(A+n) · Π Γ(aᵢ+nᵢ)/Γ(aᵢ) / Π sᵢ^nᵢ     with A = Σaᵢ, n = Σnᵢ
//
// of counts nᵢ, priors aᵢ and shares sᵢ. The gamma functions of large counts
// have no digits left for their difference, so Stirling's series is put in and
// what cancels is left out:
//
//	(A+n)·KL(q‖s) − A·KL(a/A‖s) − ½Σ ln((aᵢ+nᵢ)/aᵢ) + ½ ln((A+n)/A) + corrections
//
// where q = (aᵢ+nᵢ)/(A+n) are the shares believed in afterwards.
func logDirichletFactor(counts, prior, shares []float64) float64 {
	before, after, n := sum(prior), sum(prior)+sum(counts), sum(counts)
	if n == 0 || len(counts) < 2 || !(before > 0) || !finite(after) {
		return 0
	}
	factor := 0.5*math.Log1p(n/before) + stirling(before) - stirling(after)
	for i, s := range shares {
		a, b := prior[i], prior[i]+counts[i]
		if !(a > 0) || !(a*s > 0) {
			return 0
		}
		factor += after*s*divergence((b-after*s)/(after*s)) - before*s*divergence((a-before*s)/(before*s))
		factor += stirling(b) - stirling(a) - 0.5*math.Log1p(counts[i]/a)
	}
	if math.IsNaN(factor) {
		return 0
	}
	return bounded(factor)
}

// divergence is (1+u)ln(1+u) − u, a term of the Kullback–Leibler divergence,
// of which all are above zero.
func divergence(u float64) float64 {
	if math.Abs(u) > 0.05 {
		return (1+u)*math.Log1p(u) - u
	}
	total, power := 0.0, u
	for k := 2.0; k < 16; k++ { // u²/2 − u³/6 + u⁴/12 − …
		power *= u
		term := power / (k * (k - 1))
		total += term
		power = -power
	}
	return total
}

// stirling is what Stirling's formula leaves of ln Γ(x): ln Γ(x) −
// ((x−½) ln x − x + ½ ln 2π) (Abramowitz & Stegun 6.1.42).
func stirling(x float64) float64 {
	if x < 15 {
		logGamma, _ := math.Lgamma(x)
		return logGamma - ((x-0.5)*math.Log(x) - x + 0.5*math.Log(2*math.Pi))
	}
	s := 1 / (x * x)
	return (1.0/12 - s*(1.0/360-s*(1.0/1260-s*(1.0/1680-s/1188)))) / x
}

// assigned gives counts with the shares that the weights give them, without the
// empty arms of weight 0, and whether an arm of weight 0 has counts. Counts and
// weights that make no sense give none.
func assigned(observed []int64, weights []float64) (counts, shares []float64, mismatch bool) {
	if len(observed) != len(weights) {
		return nil, nil, false
	}
	most, all := 0.0, 0.0
	for i, w := range weights {
		if !(w >= 0) || !finite(w) || observed[i] < 0 {
			return nil, nil, false
		}
		most = max(most, w)
	}
	for _, w := range weights {
		all += w / most // the sum itself might overflow
	}
	for i, w := range weights {
		switch share := w / most / all; {
		case share > 0:
			counts, shares = append(counts, float64(observed[i])), append(shares, share)
		case most > 0 && observed[i] > 0:
			mismatch = true
		}
	}
	return counts, shares, mismatch
}

func sum(xs []float64) float64 {
	total := 0.0
	for _, x := range xs {
		total += x
	}
	return total
}
