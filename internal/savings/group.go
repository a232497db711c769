// Package savings says what routing saves, and how surely: from what users of
// the hold-out, whom the baseline always answers, and all others cost and got.
// It also guards: it says when the routed are shown to get worse answers.
//
// The unit is the user. A user counts once in a window: with the requests of
// the first observation in it, frozen when that has ended and its verdicts are
// in. So units are drawn independently, whatever the same people do later, and
// a look that was taken stays as it was. docs/savings.md has the formulas.
package savings

import "github.com/busuhq/busu/internal/stats"

// Unit is what one user's observation adds up to.
type Unit struct {
	Requests  int64
	CostNanos int64   // charged
	Good      int64   // requests
	Judged    int64   // requests that have a verdict
	Quality   float64 // of those, the sum, each 0 … 1
	LatencyUS int64
}

// Group is the units that one policy answered, as the sums from which ratios
// and their variances follow.
type Group struct {
	Cost    stats.Moments // charged per request, in nano-dollars, winsorised
	RawCost stats.Moments // the same as it was
	Good    stats.Moments // per request
	Rated   stats.Moments // requests with a verdict per request
	Quality stats.Moments // per judged request
	Latency stats.Moments // per request, in microseconds
}

// Users is the number of units.
func (g *Group) Users() int64 { return g.Cost.Units }

// Add counts a unit. Its mean cost is taken as limit, in nano-dollars a request,
// where it is above.
func (g *Group) Add(u Unit, limit float64) {
	n, cost := float64(u.Requests), float64(u.CostNanos)
	g.Cost.Add(n, min(cost, limit*n))
	g.RawCost.Add(n, cost)
	g.Good.Add(n, float64(u.Good))
	g.Rated.Add(n, float64(u.Judged))
	if u.Judged > 0 { // the others say nothing of quality, and are not counted as if they did
		g.Quality.Add(float64(u.Judged), u.Quality)
	}
	g.Latency.Add(n, float64(u.LatencyUS))
}
