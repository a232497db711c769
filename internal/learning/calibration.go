package learning

// calibration is how far verdicts are from what was predicted, where it is not
// what was learned that is off: the gate holds back what has not proved itself,
// and people have their own idea of good. A goal of quality is to be kept by
// what they say, so decisions are corrected by it before they move the price.
//
// Of what was served, the error is the mean of verdict − prediction. Of the
// baseline on all prompts, not only those that it was given, it is the same by
// inverse propensity.
type calibration struct {
	served, baseline average
}

// average is a decayed sum with its decayed weight.
type average struct{ sum, weight float64 }

const (
	calibrationMemory = 1 - 1/3e3 // what a verdict leaves of those before
	calibrationDoubt  = 50        // weight of the assumption that predictions are true
)

func (a *average) add(x, weight float64) {
	a.sum += weight * x
	a.weight += weight
}

func (a *average) forget() { a.sum, a.weight = a.sum*calibrationMemory, a.weight*calibrationMemory }

func (a *average) mean() float64 { return a.sum / (a.weight + calibrationDoubt) }

// observe takes a verdict on a model that was chosen with the propensity.
func (c *calibration) observe(e, propensity float64, isBaseline bool) {
	if !finite(e) || !(propensity > 0) {
		return
	}
	c.served.forget()
	c.baseline.forget()
	c.served.add(e, 1)
	if isBaseline {
		c.baseline.add(e, 1/max(propensity, propensities))
	}
}

// correct is a decision as verdicts would have it.
func (c *calibration) correct(d Decided) Decided {
	d.Quality += c.served.mean()
	d.Baseline += c.baseline.mean()
	return d
}
