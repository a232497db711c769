package measure

import (
	"testing"
	"time"
)

func TestRatioIsMadeWithinRounds(t *testing.T) {
	t.Parallel()
	const rate = "per_second"
	r := NewResults(3)
	for round, speed := range []float64{100, 50, 200} { // the machine's speed
		r.Add("ours", round, Figures{rate: 6 * speed})
		r.Add("theirs", round, Figures{rate: 2 * speed})
		if round != 1 {
			r.Add("others", round, Figures{rate: 3 * speed}) // failed once
		}
	}
	s, ok := r.Ratio(rate, "ours", "theirs", "others", "none")
	if want := (Summary{Median: 2, Least: 2, Most: 3}); !ok || s != want {
		t.Errorf("%+v, not %+v", s, want)
	}
	if _, ok := r.Ratio(rate, "ours", "none"); ok {
		t.Error("a ratio to nothing")
	}
}

func TestPercentile(t *testing.T) {
	t.Parallel()
	var latencies []time.Duration
	for i := range 1000 {
		latencies = append(latencies, time.Duration(999-i)*time.Microsecond)
	}
	f := Figures{}
	f.AddPercentiles(latencies)
	if f[P50] != 500 || f[P99] != 990 || f[P999] != 999 {
		t.Error(f)
	}
	if got := Percentile(nil, .5); got != 0 {
		t.Error(got)
	}
}

func TestGoals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		goal   Goal
		median float64
		met    bool
	}{
		{Goal{Target: 2}, 2, true}, {Goal{Target: 2}, 1.9, false},
		{Goal{Target: 2, AtMost: true}, 2, true}, {Goal{Target: 2, AtMost: true}, 2.1, false},
	} {
		if got := c.goal.Met(Summary{Median: c.median, Least: -1, Most: 9}); got != c.met {
			t.Errorf("%+v with %g: %t", c.goal, c.median, got)
		}
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for x, want := range map[float64]string{0: "0.00", .126: "0.13", 12.34: "12.3", 123.4: "123", 1234567: "1,234,567", -1500: "−1,500"} {
		if got := Number(x); got != want {
			t.Errorf("%g is %s, not %s", x, got, want)
		}
	}
}

func TestSummaryOfAnEvenNumber(t *testing.T) {
	t.Parallel()
	if s, ok := Summarize([]float64{4, 1, 3, 2}); !ok || s != (Summary{2.5, 1, 4}) {
		t.Error(s, ok)
	}
	if _, ok := Summarize(nil); ok {
		t.Error("a summary of nothing")
	}
}
