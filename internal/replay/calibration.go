package replay

// calibration scales what was predicted of a model to what came of it in the
// mean: expected costs go by a guess of how long answers are, which may be far
// off for all of them alike. A decision is scaled by the other half of the
// units, never by its own: so predictions stay independent of the outcomes that
// they are held against, and the doubly robust estimate unbiased.
type calibration [2]map[string]tallied

// tallied are sums over the decisions that planned a model.
type tallied struct{ outcome, predicted float64 }

func half(unit int) int { return unit % 2 }

// calibrate takes decisions with the model that each planned.
func calibrate(rows []Weighed, planned []string) calibration {
	c := calibration{{}, {}}
	for i, r := range rows {
		of := c[half(r.Unit)][planned[i]]
		c[half(r.Unit)][planned[i]] = tallied{of.outcome + r.Outcome, of.predicted + r.Predicted}
	}
	return c
}

// factor is by what predictions of a model are scaled for a unit; 1 where
// nothing came of it in the other half.
func (c calibration) factor(model string, unit int) float64 {
	of := c[1-half(unit)][model]
	if of.predicted <= 0 {
		return 1
	}
	return of.outcome / of.predicted
}

// scale calibrates the rows in place. chosen is the target's choice for each,
// "" for none.
func scale(rows []Weighed, planned, chosen []string) {
	c := calibrate(rows, planned)
	for i := range rows {
		r := &rows[i]
		r.Predicted *= c.factor(planned[i], r.Unit)
		r.Expected *= c.factor(chosen[i], r.Unit)
	}
}
