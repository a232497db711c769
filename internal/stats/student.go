package stats

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

const (
	// manyDF are degrees of freedom from which on the incomplete beta function
	// loses digits and the way by the normal distribution has them all.
	manyDF = 1e4
	// farOut is a t beyond which Student's tail is a power of it.
	farOut = 1e100
)

// studentTail is P(T > t) for t ≥ 0, to about 12 digits.
func studentTail(t, df float64) float64 {
	switch square := t / df * t; {
	case t > farOut && df <= manyDF:
		return studentTail(farOut, df) * math.Pow(farOut/t, df)
	case df > manyDF:
		return normalTail(normalOfStudent(min(t, farOut), df))
	case square < 1/df: // near the middle the other tail keeps the digits
		return 0.5 - 0.5*mathext.RegIncBeta(0.5, df/2, square/(1+square))
	default:
		return 0.5 * mathext.RegIncBeta(df/2, 0.5, 1/(1+square))
	}
}

// normalOfStudent is the z that has the same tail as t (Hill, CACM algorithm
// 395, 1970).
func normalOfStudent(t, df float64) float64 {
	a := df - 0.5
	b := 48 * a * a
	y := a * math.Log1p(t/df*t)
	return (((((-0.4*y-3.3)*y-24)*y-85.5)/(0.8*y*y+100+b)+y+3)/b + 1) * math.Sqrt(y)
}

// studentLogDensity is the logarithm of the density at t, short of the last
// digits.
func studentLogDensity(t, df float64) float64 {
	ratio := 0.5 * math.Log(df/2-0.25) // of Γ((df+1)/2) to Γ(df/2), of many
	if df <= manyDF {
		up, _ := math.Lgamma((df + 1) / 2)
		down, _ := math.Lgamma(df / 2)
		ratio = up - down
	}
	return ratio - (df+1)/2*math.Log1p(t/df*t) - 0.5*math.Log(math.Pi*df)
}

// studentUpper is the t that a share p ≤ ½ of the distribution lies above. The
// logarithm of the tail is concave in that of t, so that Newton's method finds
// it from anywhere: one step takes it past the root, the others back.
func studentUpper(p, df float64) float64 {
	t := normalUpper(p)
	if t <= 0 {
		return 0
	}
	for range 60 {
		tail := studentTail(t, df)
		if tail == 0 {
			t /= 2
			continue
		}
		slope := math.Exp(math.Log(t) + studentLogDensity(t, df) - math.Log(tail))
		step := math.Log(tail/p) / slope
		next := bounded(t * math.Exp(step))
		if !(math.Abs(step) > 1e-15) || next == t {
			break
		}
		t = next
	}
	return t
}
