package stats

import (
	"cmp"
	"slices"
)

// Holm adjusts the p-values of several tests so that the probability of one or
// more false rejections stays below alpha, whatever their dependence (Holm,
// Scand. J. Stat. 6, 1979). What is no probability counts as 1.
func Holm(p []float64) []float64 {
	adjusted, order := ascending(p)
	least := 0.0
	for rank, i := range order {
		least = max(least, float64(len(p)-rank)*adjusted[i])
		adjusted[i] = min(1, least)
	}
	return adjusted
}

// BenjaminiHochberg adjusts p-values so that the share of false ones among the
// rejections stays below alpha (Benjamini & Hochberg, JRSS B 57, 1995).
func BenjaminiHochberg(p []float64) []float64 {
	adjusted, order := ascending(p)
	most := 1.0
	for rank := len(order) - 1; rank >= 0; rank-- {
		i := order[rank]
		most = min(most, float64(len(p))/float64(rank+1)*adjusted[i])
		adjusted[i] = most
	}
	return adjusted
}

// Bonferroni multiplies p-values by their number.
func Bonferroni(p []float64) []float64 {
	adjusted, _ := ascending(p)
	for i := range adjusted {
		adjusted[i] = min(1, float64(len(p))*adjusted[i])
	}
	return adjusted
}

// ascending gives a sound copy of p-values and the order of their size.
func ascending(p []float64) (sound []float64, order []int) {
	sound, order = make([]float64, len(p)), make([]int, len(p))
	for i, x := range p {
		if !(x >= 0 && x <= 1) {
			x = 1
		}
		sound[i], order[i] = x, i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		return cmp.Compare(sound[i], sound[j])
	})
	return sound, order
}
