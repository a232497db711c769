package stats

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// manyDF are degrees of freedom from which on Student's t is computed by way of
// the normal distribution.
const manyDF = 1e4

// studentTail is P(T > t) for t ≥ 0.
func studentTail(t, df float64) float64 {
	if df > manyDF {
		return normalTail(normalOfStudent(t, df))
	}
	return 0.5 * mathext.RegIncBeta(df/2, 0.5, 1/(1+t/df*t))
}

// normalOfStudent is the z that has the same tail as t (Hill, CACM algorithm
// 395, 1970).
func normalOfStudent(t, df float64) float64 {
	a := df - 0.5
	b := 48 * a * a
	y := a * math.Log1p(t/df*t)
	return ((((((-0.4*y-3.3)*y-24)*y-85.5)/(0.8*y*y+100+b)+y+3)/b + 1) * math.Sqrt(y))
}

// studentUpper is the t that a share p < ½ of the distribution lies above.
func studentUpper(p, df float64) float64 {
	if df > manyDF {
		return studentOfNormal(normalUpper(p), df)
	}
	x := mathext.InvRegIncBeta(df/2, 0.5, 2*p)
	return bounded(math.Sqrt(df * (1 - x) / x))
}

// studentOfNormal is the inverse (Cornish & Fisher; Abramowitz & Stegun
// 26.7.5).
func studentOfNormal(z, df float64) float64 {
	z2 := z * z
	g1 := (z2 + 1) / 4
	g2 := ((5*z2+16)*z2 + 3) / 96
	g3 := (((3*z2+19)*z2+17)*z2 - 15) / 384
	g4 := ((((79*z2+776)*z2+1482)*z2-1920)*z2 - 945) / 92160
	return bounded(z * (1 + (g1+(g2+(g3+g4/df)/df)/df)/df))
}
