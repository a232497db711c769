package rollup

import (
	"cmp"
	"maps"
	"slices"
)

// States of a provider's breaker.
const (
	BreakerClosed   = "closed"    // calls go through
	BreakerHalfOpen = "half_open" // one call at a time goes through, as a probe
	BreakerOpen     = "open"      // no call goes through
)

// ProviderState is how a provider fares now, in one process or in all. It
// holds durations and no points in time, so that clocks that differ do not
// matter. Counts are since the processes started.
type ProviderState struct {
	Name         string  `json:"name"`
	Breaker      string  `json:"breaker"`
	BreakerForMS float64 `json:"breaker_for_ms"` // since it was last closed, or ceased to be
	NextProbeMS  float64 `json:"next_probe_ms"`  // until a call goes through again; 0 unless it is open
	InFlight     int     `json:"in_flight"`
	Limit        int     `json:"limit"` // of calls in flight: what the provider is found to bear
	Waiting      int     `json:"waiting"`
	OldestWaitMS float64 `json:"oldest_wait_ms"` // of those who wait
	Opened       int64   `json:"opened"`         // times that a closed breaker opened for what this process saw itself
	Shed         int64   `json:"shed"`           // calls refused for want of room
	Retries      int64   `json:"retries"`
	RateLimited  int64   `json:"rate_limited"` // calls that the provider refused as too many
	Timeouts     int64   `json:"timeouts"`     // calls that it did not answer in time
	Processes    int     `json:"processes"`    // that this is the sum of
}

// MergeProviders sums what each process says of each provider, by name; never
// nil. Of the breakers the worst counts: its traffic is what is missing.
func MergeProviders(processes ...[]ProviderState) []ProviderState {
	merged := map[string]ProviderState{}
	for _, states := range processes {
		for _, s := range states {
			if sum, ok := merged[s.Name]; ok {
				s = sum.plus(s)
			}
			merged[s.Name] = s
		}
	}
	sums := slices.AppendSeq([]ProviderState{}, maps.Values(merged))
	slices.SortFunc(sums, func(a, b ProviderState) int { return cmp.Compare(a.Name, b.Name) })
	return sums
}

func (s ProviderState) plus(o ProviderState) ProviderState {
	switch worse := Severity(o.Breaker) - Severity(s.Breaker); {
	case worse > 0:
		s.Breaker, s.BreakerForMS, s.NextProbeMS = o.Breaker, o.BreakerForMS, o.NextProbeMS
	case worse == 0:
		s.BreakerForMS = max(s.BreakerForMS, o.BreakerForMS)
		s.NextProbeMS = min(s.NextProbeMS, o.NextProbeMS)
	}
	s.InFlight += o.InFlight
	s.Limit += o.Limit
	s.Waiting += o.Waiting
	s.OldestWaitMS = max(s.OldestWaitMS, o.OldestWaitMS)
	s.Opened += o.Opened
	s.Shed += o.Shed
	s.Retries += o.Retries
	s.RateLimited += o.RateLimited
	s.Timeouts += o.Timeouts
	s.Processes += o.Processes
	return s
}

// Severity orders the states of a breaker: 0 closed, 1 half open, 2 open.
func Severity(breaker string) int {
	return slices.Index([]string{BreakerClosed, BreakerHalfOpen, BreakerOpen}, breaker)
}

// Aged is the state as it is known after some milliseconds without news.
func (s ProviderState) Aged(ms float64) ProviderState {
	s.BreakerForMS += ms
	s.NextProbeMS = max(0, s.NextProbeMS-ms)
	if s.Waiting > 0 {
		s.OldestWaitMS += ms
	}
	return s
}
