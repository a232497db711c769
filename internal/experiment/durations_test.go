package experiment

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestQuantilesOfDurations(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	d := Durations{}
	var all []float64
	for range 5000 {
		us := int64(1e5 * math.Exp(r.NormFloat64()))
		d.Add(us)
		all = append(all, float64(us)/1000)
	}
	slices.Sort(all)
	for _, q := range []float64{.5, .95, .99} {
		want := all[int(math.Ceil(q*5000))-1]
		got := d.Quantile(q, .95, 1)
		if math.Abs(got.Value/want-1) > .0101 || !(*got.Low <= got.Value && got.Value <= *got.High) {
			t.Errorf("p%g is %+v, not %g", 100*q, got, want)
		}
		if wider := d.Quantile(q, .95, 4); !(*wider.Low < *got.Low) || wider.High != nil && !(*wider.High > *got.High) {
			t.Errorf("p%g of clusters is %+v", 100*q, wider)
		}
	}
	if Durations(nil).Quantile(.5, .95, 1) != nil || (Durations{}).Quantile(.5, .95, 1) != nil {
		t.Error("of nothing there is a quantile")
	}
	one := Durations{}
	one.Add(0)
	if q := one.Quantile(.95, .95, 1); q == nil || q.Low != nil || q.High != nil {
		t.Errorf("of one value it is %+v", q)
	}
}

// Intervals hold the quantile as often as they say, for any distribution.
func TestQuantileIntervalsCover(t *testing.T) {
	t.Parallel()
	const times = 2000
	for _, q := range []float64{.5, .95} {
		r := rand.New(rand.NewPCG(3, uint64(100*q)))
		held := 0
		for range times {
			d := Durations{}
			for range 400 {
				d.Add(int64(1e6 * r.ExpFloat64()))
			}
			got, truth := d.Quantile(q, .95, 1), -1000*math.Log(1-q)
			if (got.Low == nil || *got.Low <= truth*1.01) && (got.High == nil || *got.High >= truth*.99) {
				held++
			}
		}
		if share := float64(held) / times; share < .94 {
			t.Errorf("p%g is held in %g", 100*q, share)
		}
	}
}

func TestQuantilesOfClusters(t *testing.T) {
	t.Parallel()
	three := Durations{}
	for _, us := range []int64{1000, 5000, 90_000} {
		three.Add(us)
	}
	if got := three.Quantile(.5, .95, 1).Value; math.Abs(got/5-1) > .0101 {
		t.Errorf("in the middle of three is %g ms", got)
	}
	e := valid()
	e.SlowUS, e.MinDuration = 1000, e.MaxDuration
	s := fed(t, e, 600, func(i int) Unit {
		u := plain(i, i%2, true)
		u.Requests, u.Answered, u.Good, u.Slow = 10, 10, 10-count(i/2%4 == 0), 10*count(i/2%5 == 0)
		for range 10 {
			u.TookUS = append(u.TookUS, int64(500+i)+1000*count(u.Slow > 0))
		}
		return u
	})
	a := e.Results(s, Live{}).Arms[1]
	if alone := s.Took[1].Quantile(.5, .95, 1); !(*a.LatencyP50.Low < *alone.Low && *a.LatencyP50.High > *alone.High) {
		t.Errorf("of clusters it is %+v, as of independent requests %+v", a.LatencyP50, alone)
	}
}
