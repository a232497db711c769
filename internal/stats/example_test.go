package stats_test

import (
	"fmt"

	"github.com/busuhq/busu/internal/stats"
)

// A test of 500 users an arm that is looked at on the way to 2,000 users, and
// how it would be read if this were the end.
func Example() {
	control := stats.Binomial{Successes: 400, Trials: 500}
	test := stats.Binomial{Successes: 430, Trials: 500}

	once := stats.ChiSquare([]stats.Binomial{control, test})
	look := stats.TuneMixture(0.05, 2000).Test(once.Statistic, once.DF, control.Trials+test.Trials)
	fmt.Printf("at the end: p = %.4f; at any look: p = %.2f\n", once.P, look.P)

	difference := stats.CompareProportions(control, test, 0.95)
	fmt.Printf("%+.3f (%+.3f to %+.3f)\n", difference.Diff, difference.Newcombe.Low, difference.Newcombe.High)
	// Output:
	// at the end: p = 0.0116; at any look: p = 0.17
	// +0.060 (+0.013 to +0.106)
}

// Users with several requests each are compared by their totals.
func ExampleCompareRatios() {
	var control, test stats.Moments
	for user := range 200 {
		requests := float64(1 + user%9)
		control.Add(requests, requests-float64(user%2)) // every other user has one bad answer
		test.Add(requests, requests-float64(user%4/3))  // every fourth has
	}
	c := stats.CompareRatios(control, test, 0.95)
	fmt.Printf("%.3f and %.3f, p = %.2g\n", c.RatioA, c.RatioB, c.P)
	fmt.Printf("design effect at an ICC of 0.1: %.2f\n", stats.DesignEffect(control, 0.1))
	// Output:
	// 0.899 and 0.950, p = 1.1e-06
	// design effect at an ICC of 0.1: 1.53
}
