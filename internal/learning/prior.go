package learning

// Prior is what is known of any model before it has answered anything: how
// hard prompts like this one are, and what a more able model gains on them. It
// is fitted on recorded outcomes of other models, once, and ships.
type Prior struct {
	Scale
	level  []float32 // what models of the lowest ability do, by dimension
	uplift []float32 // what the highest ability adds
	Source string    // where it comes from: data, rows, date
}

// Expected is the prior's view of one prompt.
type Expected struct{ level, uplift float64 }

// Read looks at a prompt.
func (p *Prior) Read(v *Vector) (e Expected) {
	for i := range v.n {
		x := float64(v.value[i])
		e.level += float64(p.level[v.index[i]]) * x
		e.uplift += float64(p.uplift[v.index[i]]) * x
	}
	return e
}

// Quality is the chance of a good answer by a model of the given ability: 0
// that of small models, 1 that of large ones.
func (e Expected) Quality(ability float64) float64 {
	return max(0.02, min(0.98, e.level+ability*e.uplift))
}

// Outcome is a prompt with how well models of the lowest and of the highest
// ability answered it, in the mean: what a Prior is fitted on.
type Outcome struct {
	Example
	Small, Large float64
}

// PriorRidge was chosen on the UIUC outcomes, by leaving out one task after
// the other: what holds on a task that was not seen is little more than the
// complexity score, which is therefore free, and the rest is pulled to zero.
func PriorRidge() Ridge { return Ridge{Words: 100, Counters: 300, Complexity: 0.1} }

// FitPrior fits a prior.
func FitPrior(outcomes []Outcome, ridge Ridge, source string) *Prior {
	examples := make([]Example, len(outcomes))
	small, uplift := make([]float64, len(outcomes)), make([]float64, len(outcomes))
	for i, o := range outcomes {
		examples[i], small[i], uplift[i] = o.Example, o.Small, o.Large-o.Small
	}
	p := &Prior{Scale: FitScale(examples), Source: source}
	vectors := make([]Vector, len(outcomes))
	for i := range examples {
		p.Vector(&vectors[i], &examples[i].Features, examples[i].Words)
	}
	p.level = narrow(fitLinear(vectors, small, ridge))
	p.uplift = narrow(fitLinear(vectors, uplift, ridge))
	return p
}

func narrow(w []float64) []float32 {
	n := make([]float32, len(w))
	for i, x := range w {
		n[i] = float32(x)
	}
	return n
}
