package stats

// distribution is that of a count: p[i] is the probability of first+i. What is
// so improbable that it has no number is left out.
type distribution struct {
	first int64
	p     []float64
}

func (d distribution) at(x int64) float64 {
	if i := x - d.first; i >= 0 && i < int64(len(d.p)) {
		return d.p[i]
	}
	return 0
}

// byRatios builds the distribution over low … high of which next(x) is
// P(x+1)/P(x), from its mode to both sides: no gamma functions, and so all
// digits, and as many steps as there are probabilities.
func byRatios(low, high, mode int64, next func(int64) float64) distribution {
	mode = max(low, min(high, mode))
	var below, above []float64
	for x, p := mode, 1.0; x > low; x-- {
		if p /= next(x - 1); !(p > 0) {
			break
		}
		below = append(below, p)
	}
	for x, p := mode, 1.0; x < high; x++ {
		if p *= next(x); !(p > 0) {
			break
		}
		above = append(above, p)
	}
	d := distribution{first: mode - int64(len(below)), p: make([]float64, 0, len(below)+1+len(above))}
	for i := len(below) - 1; i >= 0; i-- {
		d.p = append(d.p, below[i])
	}
	d.p = append(append(d.p, 1), above...)
	total := 0.0
	for i, j := 0, len(d.p)-1; i <= j; { // the small ones first
		if d.p[i] < d.p[j] || i == j {
			total += d.p[i]
			i++
		} else {
			total += d.p[j]
			j--
		}
	}
	for i := range d.p {
		d.p[i] /= total
	}
	return d
}
