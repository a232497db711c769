package replay

import (
	"context"
	"math"
	"testing"
)

// TestTradeoff holds the ends against the models, and the order of lines: the
// oracle above whoever learned, who is above the straight way between.
func TestTradeoff(t *testing.T) {
	t.Parallel()
	rows := synthetic(600, 1)
	o := options(t, Hybrid)
	o.Logging = Uniform
	done := 0
	o.Progress = func(n, total int) {
		if n < done || total != 2*2000 {
			t.Errorf("%d of %d after %d", n, total, done)
		}
		done = n
	}
	tr, err := EvaluateTradeoff(context.Background(), rows, synthetic(2000, 2), o, 2)
	if err != nil {
		t.Fatal(err)
	}
	var strong, weak Point
	for _, r := range rows {
		strong.Quality += r.Outcomes["strong"].Quality / 600
		weak.Quality += r.Outcomes["weak"].Quality / 600
	}
	for name, points := range map[string][]Point{"strategy": tr.Strategy, "oracle": tr.Oracle} {
		first, last := points[0], points[len(points)-1]
		if math.Abs(first.Quality-weak.Quality) > 1e-9 || math.Abs(last.Quality-strong.Quality) > 1e-9 || math.Abs(last.Cost-0.01) > 1e-9 {
			t.Errorf("%s: from %+v to %+v, want from %.4f to %.4f", name, first, last, weak.Quality, strong.Quality)
		}
	}
	for i := 10; i < shares; i += 10 {
		mix := weak.Quality + float64(i)/shares*(strong.Quality-weak.Quality)
		if s, best := tr.Strategy[i].Quality, tr.Oracle[i].Quality; s < mix+0.01 || best < s {
			t.Errorf("at %d of %d the strategy scores %.3f, the mix %.3f, the oracle %.3f", i, shares, s, mix, best)
		}
		if math.Abs(tr.Strategy[i].Cost-tr.Oracle[i].Cost) > 1e-9 {
			t.Errorf("at %d of %d one costs %v, the other %v", i, shares, tr.Strategy[i].Cost, tr.Oracle[i].Cost)
		}
	}
	if tr.Weak != "weak" || tr.Strong != "strong" || done != 4000 {
		t.Errorf("from %s to %s after %d requests", tr.Weak, tr.Strong, done)
	}
}

// TestTradeoffIsAMean of what each seed gives.
func TestTradeoffIsAMean(t *testing.T) {
	t.Parallel()
	rows, train := synthetic(300, 1), synthetic(300, 2)
	of := func(first uint64, seeds int) Point {
		o := options(t, Hybrid)
		o.Logging, o.Seed = Uniform, first
		tr, err := EvaluateTradeoff(context.Background(), rows, train, o, seeds)
		if err != nil {
			t.Fatal(err)
		}
		return tr.Strategy[30]
	}
	one, two, both := of(0, 1), of(1, 1), of(0, 2)
	if one == two || math.Abs((one.Quality+two.Quality)/2-both.Quality) > 1e-9 {
		t.Errorf("%+v and %+v have the mean %+v", one, two, both)
	}
}
