package savings

import "github.com/busuhq/busu/internal/pricing"

// Fixed is a policy beside what is routed, as plans expected it: on the same
// requests, by predicted cost and quality.
type Fixed struct {
	Name     string        `json:"name"`
	Requests int64         `json:"requests"`
	Cost     pricing.Nanos `json:"cost_per_request_usd"`
	Quality  float64       `json:"quality"`        // predicted, the mean
	Share    *float64      `json:"baseline_share"` // of the random mix
}

// Names of policies.
const (
	PolicyRouted   = "routed"
	PolicyCheapest = "always_cheapest"
	PolicyBaseline = "always_baseline"
	PolicyMix      = "random_mix" // of both, at the cost of routed
)

// Policies are those that can be compared; none without plans that list models
// with their prices.
func Policies(e Expected) []Fixed {
	if e.Requests == 0 {
		return []Fixed{}
	}
	n := float64(e.Requests)
	fixed := func(name string, p Policy) Fixed {
		return Fixed{Name: name, Requests: e.Requests, Cost: nanos(float64(p.Nanos) / n), Quality: p.Quality / n}
	}
	all := []Fixed{fixed(PolicyRouted, e.Planned), fixed(PolicyCheapest, e.Cheapest), fixed(PolicyBaseline, e.Dearest)}
	if span := e.Dearest.Nanos - e.Cheapest.Nanos; span > 0 {
		share := min(max(float64(e.Planned.Nanos-e.Cheapest.Nanos)/float64(span), 0), 1)
		mix := fixed(PolicyMix, Policy{
			Nanos:   int64(float64(e.Cheapest.Nanos) + share*float64(span)),
			Quality: e.Cheapest.Quality + share*(e.Dearest.Quality-e.Cheapest.Quality)})
		mix.Share = &share
		all = append(all, mix)
	}
	return all
}
