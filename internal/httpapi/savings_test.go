package httpapi_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/savings"
)

// fakeSavings has so many users in the hold-out, and as many again routed.
type fakeSavings struct {
	users int
	worse float64
	guard savings.Guard
	err   error
}

func (f fakeSavings) Savings(_ context.Context, _ string, w savings.Window) (savings.Report, error) {
	r := rand.New(rand.NewPCG(1, 1))
	t := savings.Tally{Window: w, From: sampleTime.Truncate(24 * time.Hour), AsOf: sampleTime, Since: sampleTime.Add(-24 * time.Hour),
		Limit: math.Inf(1), Guard: f.guard}
	if t.Guard.State == "" {
		t.Guard.State = savings.GuardArmed
	}
	for range f.users {
		for i, g := range []*savings.Group{&t.Holdout, &t.Routed} {
			factor := []float64{1, 0.4}[i]
			u := savings.Unit{Requests: 5, CostNanos: int64(factor * 1e6 * (1 + r.Float64())), Judged: 2, Quality: 2 * r.Float64(), LatencyUS: 5e6}
			for range 5 {
				if r.Float64() < 0.9-f.worse*(1-factor) {
					u.Good++
				}
			}
			g.Add(u, t.Limit)
		}
	}
	if f.users > 0 {
		t.All = savings.Traffic{Users: int64(f.users), Requests: 1000, CostNanos: 400e6, BaselineNanos: 1e9}
		t.Kept, t.Limit = t.All, 3e6
		t.Expected = savings.Expected{Requests: 10, Planned: savings.Policy{Nanos: 50, Quality: 9}, Cheapest: savings.Policy{Nanos: 10, Quality: 8},
			Dearest: savings.Policy{Nanos: 100, Quality: 9.5}}
		t.PriceVersions, t.Baselines = []string{"0123456789ab"}, []string{"large"}
	}
	return savings.NewReport(t), f.err
}

func TestSavings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fakeSavings
		proven, good, says string
	}{
		"nothing yet": {fakeSavings{}, "too_few", "too_few", "Nothing was routed"},
		"too few":     {fakeSavings{users: 29}, "too_few", "too_few", "it takes 30"},
		"some":        {fakeSavings{users: 60}, "proven", "open", "proven on 60 hold-out users"},
		"many":        {fakeSavings{users: 5000}, "proven", "inside", "inside the margin of 2"},
		"worse": {fakeSavings{users: 5000, worse: 0.3, guard: savings.Guard{State: savings.GuardTripped, At: &sampleTime,
			Evidence: &savings.Evidence{By: savings.ByMonitor, Metric: savings.MetricGood, Days: 7, Bound: -0.1}}}, "proven", "worse", "the guard has tripped"},
	} {
		s := serve(t, func(s *setup) { s.savings = c.fakeSavings })
		for _, query := range []string{"", "?window=7d", "?window=30d", "?window=90d"} {
			var r struct {
				Window, Verdict string
				Proven, Good    struct{ State string }
			}
			s.send(t, "GET", "/metrics/savings"+query, "").want(t, 200).decode(t, &r) // validated against the document
			if r.Proven.State != c.proven || r.Good.State != c.good || !strings.Contains(r.Verdict, c.says) || query != "" && !strings.HasSuffix(query, r.Window) {
				t.Errorf("%s, %q: %s and %s in %s: %s", name, query, r.Proven.State, r.Good.State, r.Window, r.Verdict)
			}
		}
	}
}

func TestBadSavingsQueries(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for query, field := range map[string]string{"window=1d": "window", "window=30D": "window", "days=3": "days", "window=7d&window=30d": "window"} {
		got := s.send(t, "GET", "/metrics/savings?"+query, "")
		if p := got.want(t, 422).problem(t); strings.Join(p.fields(), ",") != field {
			t.Errorf("%s names %v, want %s", query, p.fields(), field)
		}
	}
}

func TestSavingsWithoutADatabase(t *testing.T) {
	t.Parallel()
	s := serve(t, func(s *setup) { s.savings = fakeSavings{err: errors.New("dial tcp 10.0.0.7:5432: connection refused")} })
	got := s.send(t, "GET", "/metrics/savings", "").want(t, 503)
	if got.Header.Get("Retry-After") == "" || strings.Contains(string(got.Body), "10.0.0.7") || !strings.Contains(got.problem(t).Detail, "PostgreSQL") {
		t.Errorf("Retry-After %q, %s", got.Header.Get("Retry-After"), got.Body)
	}
}
