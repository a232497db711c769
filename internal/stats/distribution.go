package stats

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// Tails are computed as such and never as 1 − CDF, which is zero or noise where
// it matters.

// normalTail is P(Z > z).
func normalTail(z float64) float64 { return 0.5 * math.Erfc(z/math.Sqrt2) }

// normalTwoSided is P(|Z| > |z|).
func normalTwoSided(z float64) float64 { return math.Erfc(math.Abs(z) / math.Sqrt2) }

// normalUpper is the z that a share p of the normal distribution lies above.
func normalUpper(p float64) float64 { return -mathext.NormalQuantile(p) }

// chiSquareTail is P(X² > x) with df degrees of freedom.
func chiSquareTail(x float64, df int) float64 {
	switch {
	case !(x > 0) || df < 1:
		return 1
	case df == 1:
		return math.Erfc(math.Sqrt(x / 2))
	default:
		return mathext.GammaIncRegComp(float64(df)/2, x/2)
	}
}

// differenceOfProducts is a·b − c·d to about one rounding, where the plain
// expression would lose all digits of nearly equal products (Kahan's
// algorithm; Jeannerod, Louvet & Muller, Math. Comp. 82, 2013).
func differenceOfProducts(a, b, c, d float64) float64 {
	product := c * d
	lost := math.FMA(-c, d, product)
	return math.FMA(a, b, -product) + lost
}
