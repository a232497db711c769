package history

import (
	"math"
	"testing"
	"time"
)

func TestLawOfAPower(t *testing.T) {
	t.Parallel()
	ns := []float64{1e5, 3e5, 1e6, 3e6}
	for _, want := range []float64{-.5, 0, .3, 1, 2} {
		var ys []float64
		for _, n := range ns {
			ys = append(ys, 7*math.Pow(n, want))
		}
		l, ok := fit(ns, ys)
		if !ok || math.Abs(l.exponent-want) > 1e-9 || l.doubt > 1e-6 || !l.sure() {
			t.Errorf("%g: %+v", want, l)
		}
		if at := 7 * math.Pow(1e8, want); math.Abs(l.at(1e8)/at-1) > 1e-9 {
			t.Errorf("%g: %g at 1e8, not %g", want, l.at(1e8), at)
		}
	}
}

func TestLawSaysHowUnsureItIs(t *testing.T) {
	t.Parallel()
	if l, ok := fit([]float64{1, 10}, []float64{1, 10}); !ok || l.exponent != 1 || l.sure() {
		t.Errorf("two figures: %+v", l) // any law goes through both
	}
	if l, ok := fit([]float64{1, 10, 100}, []float64{1, 30, 1}); !ok || l.sure() {
		t.Errorf("up and down: %+v", l)
	}
	for _, c := range [][2][]float64{{{1}, {1}}, {{1, 2}, {1, 0}}, {{1, 2}, {1}}, {{3, 3}, {1, 2}}} {
		if l, ok := fit(c[0], c[1]); ok {
			t.Errorf("%v has the law %+v", c, l)
		}
	}
}

func TestBesides(t *testing.T) {
	t.Parallel()
	b, err := readBesides("# History and the request explorer over 2,000,000 completions\n\n| newest | 3.66 | 20.4 | ≤ 100 | met | 7.90 | 30.0 |  |\n" +
		"| `completions` | 2,000,000 | 1,370 | 600 |\n| `rollups_days` | 9 | 3 | 0 |\n")
	if err != nil || b.rows != 2_000_000 {
		t.Fatal(b.rows, err)
	}
	if x, ok := b.cell(askNewest, cellCPU); !ok || x != 7.9 {
		t.Error(x, ok)
	}
	if x, ok := b.bytes(cellTableMB, "completions"); !ok || x != 685 {
		t.Error(x, ok)
	}
	if x, ok := b.bytes(cellIndexMB, "completions", "rollups_hours"); ok {
		t.Error("a table that is not there", x)
	}
	if _, err := readBesides("| a | 1 | 2 |"); err == nil {
		t.Error("a report without a size")
	}
}

func TestInsertsAreToldApart(t *testing.T) {
	t.Parallel()
	zero := time.Unix(0, 0)
	s := func(from, to int) stored {
		return stored{zero.Add(time.Duration(from) * time.Millisecond), zero.Add(time.Duration(to) * time.Millisecond)}
	}
	all := []stored{s(0, 4), s(4, 10), s(10, 19), s(20, 50), s(50, 51), s(61, 99)}
	before, during := split(all, s(12, 0).began, s(60, 0).began)
	if before.inserts != 2 || before.longest != 6*time.Millisecond {
		t.Errorf("before: %+v", before)
	}
	if during.inserts != 3 || during.longest != 30*time.Millisecond {
		t.Errorf("during: %+v", during)
	}
}

func TestTouchedPartitions(t *testing.T) {
	t.Parallel()
	before := map[string]scans{"completions_20260101": {5, 100}, "completions_20260102": {5, 100}, "completions_default": {}, "rollups_hours": {1, 7}, "leases": {}}
	after := map[string]scans{"completions_20260101": {5, 100}, "completions_20260102": {7, 150}, "completions_default": {1, 0}, "rollups_hours": {2, 9}, "leases": {3, 3}}
	if got, want := compare("x", before, after), (touch{"x", 2, 3, 50, 2}); got != want {
		t.Errorf("%+v, not %+v", got, want)
	}
}

func TestGrowthOptions(t *testing.T) {
	t.Parallel()
	for _, sizes := range [][]int{nil, {100_000}, {300_000, 100_000}, {100_000, 100_000}, {100, 100_000}} {
		if err := (GrowthOptions{Sizes: sizes, Asks: 20}).Validate(); err == nil {
			t.Errorf("%d is taken", sizes)
		}
	}
	if err := (GrowthOptions{Sizes: []int{100_000, 300_000}, Asks: 20}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestWhatGetsBetterIsNotCarriedOn(t *testing.T) {
	t.Parallel()
	falls, rises := law{exponent: -1}, law{exponent: 1}
	for got, want := range map[string]string{
		falls.ahead(10, 3, false): "≤ 3.00", rises.ahead(10, 3, true): "≥ 3.00",
		rises.ahead(10, 3, false): "10.0", falls.ahead(10, 3, true): "0.10",
		law{doubt: 1}.ahead(10, 3, true): "",
	} {
		if got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

func TestLateCountsAreLeftOut(t *testing.T) {
	t.Parallel()
	tries := []touch{{"x", 60, 97, 200, 5000}, {"x", 2, 97, 200, 0}, {"x", 2, 97, 900, 0}}
	if got, want := leastOf(tries), (touch{"x", 2, 97, 200, 0}); got != want {
		t.Errorf("%+v, not %+v", got, want)
	}
}

func TestLawThatMisses(t *testing.T) {
	t.Parallel()
	l, _ := fit([]float64{1, 10, 100}, []float64{1, 10, 100})
	for measured, want := range map[float64]bool{1000: false, 400: false, 300: true, 2500: false, 3500: true} {
		if got := l.misses(1000, measured); got != want {
			t.Errorf("1,000 by law, %g measured: %t", measured, got)
		}
	}
}
