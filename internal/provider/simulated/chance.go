package simulated

import "math"

// uniform draws from (0, 1), always the same number for the same seed, purpose
// and texts. Purposes keep draws apart that must not depend on each other.
func uniform(seed uint64, purpose string, texts ...string) float64 {
	return (float64(draw(seed, purpose, texts...)>>11) + 0.5) / (1 << 53)
}

// normal draws from the standard normal distribution, cut at ±3 so that no
// prompt is ever absurdly lucky or slow.
func normal(seed uint64, purpose string, texts ...string) float64 {
	z := math.Sqrt2 * math.Erfinv(2*uniform(seed, purpose, texts...)-1)
	return max(-3, min(3, z))
}

// draw hashes with FNV-1a and finishes with SplitMix64, because FNV's high
// bits are poor for texts that differ in their last letters only.
func draw(seed uint64, purpose string, texts ...string) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	write := func(s string) {
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * prime
		}
		h = (h ^ 0xff) * prime // no valid text holds this byte: "a","b" is not "ab"
	}
	write(purpose)
	for _, text := range texts {
		write(text)
	}
	h += (seed + 1) * 0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
