package stats

// Paired are the moments of a ratio of totals, with those of the same ratio of
// the same units before: what a user cost in the week before tells much of what
// the user costs now. Units without a past have zeros there. The zero value is
// an arm without units.
type Paired struct {
	Now, Before Moments
	NN          float64 // Σ n·n', where primed is before
	NY          float64 // Σ n·y'
	YN          float64 // Σ y·n'
	YY          float64 // Σ y·y'
}

// Add counts a unit with its totals now and before. It leaves out, and says
// false, what Moments.Add would.
func (p *Paired) Add(n, y, nBefore, yBefore float64) bool {
	next := *p
	if !next.Now.Add(n, y) || !next.Before.Add(nBefore, yBefore) {
		return false
	}
	next.NN += n * nBefore
	next.NY += n * yBefore
	next.YN += y * nBefore
	next.YY += y * yBefore
	if !finite(next.NN, next.NY, next.YN, next.YY) {
		return false
	}
	*p = next
	return true
}

// covariance is that of both ratios by the delta method,
// Σ(y−Rn)(y'−R'n') / ((m−1) m n̄ n̄').
func (p Paired) covariance() float64 {
	r, before := p.Now.Ratio(), p.Before.Ratio()
	products := p.YY - before*p.YN - r*p.NY + r*before*p.NN
	units := float64(p.Now.Units)
	covariance := products / p.Now.N / p.Before.N * (units / (units - 1))
	if units < 2 || !finite(covariance) {
		return 0
	}
	return covariance
}

// CompareAdjustedStrata is CompareStrata with what is known of the units before
// taken out: R − θ(R' − R'pooled) in place of R, with the θ that leaves the
// least variance, alike in both arms of a stratum. Since arms are alike before
// an experiment, the difference stays what it is, and its variance falls by the
// square of the correlation (Deng, Xu, Kohavi & Walker, WSDM 2013, 3.2 and 3.4;
// for ratios Deng, Knoblich & Lu, KDD 2018).
func CompareAdjustedStrata(a, b []Paired, conf float64) RatioComparison {
	strata := make([]stratumOfTwo, 0, len(a))
	for i := range min(len(a), len(b)) {
		varA, okA := a[i].Now.Variance()
		varB, okB := b[i].Now.Variance()
		if !okA || !okB {
			continue
		}
		theta, pooled := slope(a[i], b[i]), a[i].Before.Plus(b[i].Before).Ratio()
		one, other, wider := a[i].adjusted(varA, theta, pooled), b[i].adjusted(varB, theta, pooled), widening(a[i].Now, b[i].Now)
		one.variance *= wider
		other.variance *= wider
		strata = append(strata, stratumOfTwo{one, other,
			a[i].Now.N / (a[i].Now.N + b[i].Now.N) * b[i].Now.N, float64(a[i].Now.Units) + float64(b[i].Now.Units)})
	}
	return standardize(strata, conf)
}

// slope is θ, 0 where nothing is known of before.
func slope(a, b Paired) float64 {
	varA, okA := a.Before.Variance()
	varB, okB := b.Before.Variance()
	theta := (a.covariance() + b.covariance()) / (varA + varB)
	if !okA || !okB || !finite(theta) {
		return 0
	}
	return theta
}

func (p Paired) adjusted(variance, theta, pooled float64) estimate {
	before, _ := p.Before.Variance()
	e := estimate{p.Now.Ratio() - theta*(p.Before.Ratio()-pooled), variance - 2*theta*p.covariance() + theta*theta*before}
	if theta == 0 || !(e.variance >= 0) || !finite(e.ratio, e.variance) {
		return estimate{p.Now.Ratio(), variance}
	}
	return e
}
