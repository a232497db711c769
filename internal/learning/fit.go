package learning

import (
	"math"

	"github.com/busuhq/busu/internal/prompt"
)

// Example is a prompt that a Scale is fitted on.
type Example struct {
	Features prompt.Features
	Words    []prompt.Word
}

// FitScale learns which words are rare and how counters spread.
func FitScale(examples []Example) Scale {
	s := Scale{idf: make([]float32, prompt.Buckets)}
	with := make([]int, prompt.Buckets)
	var sum, squares [counterCount]float64
	for i := range examples {
		last := -1
		for _, w := range examples[i].Words {
			if int(w.Bucket) != last {
				with[w.Bucket]++
			}
			last = int(w.Bucket)
		}
		for j, c := range counters(&examples[i].Features) {
			sum[j] += c
			squares[j] += c * c
		}
	}
	n := float64(len(examples))
	for b, k := range with {
		s.idf[b] = float32(math.Log((n+1)/float64(k+1)) + 1)
	}
	for j := range sum {
		mean := sum[j] / n
		s.mean[j] = float32(mean)
		if variance := squares[j]/n - mean*mean; variance > 1e-9 {
			s.std[j] = float32(math.Sqrt(variance))
		}
	}
	return s
}

// Ridge is how strongly a fit pulls weights towards zero, in units of one
// example. The bias is free.
type Ridge struct{ Words, Counters, Complexity float64 }

func (r Ridge) at(i int) float64 {
	switch {
	case i < countersAt:
		return r.Words
	case i < biasAt-1:
		return r.Counters
	case i < biasAt:
		return r.Complexity
	default:
		return 1e-6
	}
}

// fitLinear solves the ridge regression (XᵀX + R)·w = Xᵀy by conjugate
// gradients: the matrix is too large to invert and only ever multiplied with.
func fitLinear(vectors []Vector, targets []float64, ridge Ridge) []float64 {
	const steps, enough = 200, 1e-10 // of the squared residual
	w := make([]float64, dimensions)
	residual := make([]float64, dimensions)
	for i := range vectors {
		vectors[i].addTo(residual, targets[i])
	}
	direction := append([]float64(nil), residual...)
	product := make([]float64, dimensions)
	norm := dot(residual, residual)
	stop := enough * norm
	for n := 0; n < steps && norm > stop; n++ {
		multiply(product, vectors, direction, ridge)
		step := norm / dot(direction, product)
		for i := range w {
			w[i] += step * direction[i]
			residual[i] -= step * product[i]
		}
		next := dot(residual, residual)
		for i := range direction {
			direction[i] = residual[i] + next/norm*direction[i]
		}
		norm = next
	}
	return w
}

func multiply(product []float64, vectors []Vector, by []float64, ridge Ridge) {
	for i := range product {
		product[i] = ridge.at(i) * by[i]
	}
	for i := range vectors {
		vectors[i].addTo(product, vectors[i].dot(by))
	}
}

func dot(a, b []float64) (sum float64) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

func (v *Vector) addTo(w []float64, factor float64) {
	for i := range v.n {
		w[v.index[i]] += factor * float64(v.value[i])
	}
}

func (v *Vector) dot(w []float64) (sum float64) {
	for i := range v.n {
		sum += w[v.index[i]] * float64(v.value[i])
	}
	return sum
}
