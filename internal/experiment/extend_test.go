package experiment

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/busuhq/busu/internal/stats"
)

func TestExtend(t *testing.T) {
	t.Parallel()
	day := func(n int) *Duration { return new(Duration(time.Duration(n) * 24 * time.Hour)) }
	for name, c := range map[string]struct {
		x       Extension
		matured int
		after   time.Duration // the start
		refused string        // field; "": it is not
		planned int
	}{
		"size":                     {x: Extension{SampleSize: 9000}},
		"size, something seen":     {x: Extension{SampleSize: 9000}, matured: 1, planned: 2000},
		"duration":                 {x: Extension{MaxDuration: day(60)}},
		"duration, something seen": {x: Extension{MaxDuration: day(60)}, matured: 500, planned: 2000},
		"both":                     {x: Extension{SampleSize: 20_000, MaxDuration: day(366)}, matured: 1999, planned: 2000},
		"at the last moment":       {x: Extension{MaxDuration: day(31)}, after: 30*24*time.Hour - 1, matured: 7, planned: 2000},
		"much, nothing seen":       {x: Extension{SampleSize: maxSampleSize}},
		"nothing":                  {refused: "sample_size"},
		"smaller":                  {x: Extension{SampleSize: 1999}, refused: "sample_size"},
		"negative":                 {x: Extension{SampleSize: -1}, refused: "sample_size"},
		"as large":                 {x: Extension{SampleSize: 2000}, refused: "sample_size"},
		"too much, something seen": {x: Extension{SampleSize: 20_001}, matured: 1, refused: "sample_size"},
		"too much":                 {x: Extension{SampleSize: maxSampleSize + 1}, refused: "sample_size"},
		"shorter":                  {x: Extension{MaxDuration: day(29)}, refused: "max_duration"},
		"as long":                  {x: Extension{MaxDuration: day(30)}, refused: "max_duration"},
		"too long":                 {x: Extension{MaxDuration: day(367)}, refused: "max_duration"},
		"shorter, with more":       {x: Extension{SampleSize: 9000, MaxDuration: day(1)}, refused: "max_duration"},
		"when it is over":          {x: Extension{SampleSize: 9000, MaxDuration: day(60)}, after: 30 * 24 * time.Hour, refused: "max_duration"},
	} {
		e := valid()
		before := e.Hash()
		err := e.Extend(c.x, start.Add(c.after), c.matured)
		switch {
		case c.refused != "" && (refusedAt(err) != c.refused || e.Hash() != before):
			t.Errorf("%s: %v, want a fault of %s and nothing changed", name, err, c.refused)
		case c.refused == "" && (err != nil || e.Planned != c.planned || e.Hash() == before || e.Validate(Known{}) != nil):
			t.Errorf("%s: %v, planned %d and not %d; %v", name, err, e.Planned, c.planned, e.Validate(Known{}))
		case c.refused == "" && c.x.SampleSize != 0 && e.SampleSize != c.x.SampleSize, c.refused == "" && c.x.MaxDuration != nil && e.MaxDuration != *c.x.MaxDuration:
			t.Errorf("%s: %d units within %s", name, e.SampleSize, time.Duration(e.MaxDuration))
		}
	}
	for matured, most := range map[int]int{0: maxSampleSize, 1: 20_000} {
		if err := valid().Extend(Extension{SampleSize: maxSampleSize + 1}, start, matured); !strings.Contains(fmt.Sprint(err), fmt.Sprint("at most ", most)) {
			t.Errorf("%d matured, and it says %v", matured, err)
		}
	}
	e := valid()
	if err := errors.Join(e.Extend(Extension{SampleSize: 4000}, start, 1), e.Extend(Extension{SampleSize: 20_000}, start, 3000)); err != nil || e.Planned != 2000 {
		t.Errorf("twice: %v, planned %d", err, e.Planned)
	}
}

// Looks go on as they were planned, to the new end.
func TestLooksGoOnWhenExtended(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		planned := rapid.IntRange(60, 100_000).Draw(t, "planned")
		size := rapid.IntRange(planned, maxExtension*planned).Draw(t, "sample size")
		var before, after []int
		for n := 0; n < planned; {
			n = nextLook(n, planned, planned)
			before = append(before, n)
		}
		for n := 0; n < size; {
			next := nextLook(n, planned, size)
			if next <= n || next > size || next-n > planned/looks+1 {
				t.Fatalf("after %d comes %d of %d", n, next, size)
			}
			n = next
			after = append(after, n)
		}
		if fmt.Sprint(after[:len(before)-1]) != fmt.Sprint(before[:len(before)-1]) {
			t.Fatalf("looks are taken at %v, and were planned at %v", after, before)
		}
	})
}

// Whoever lets the test at the end decide where it finds something, and extends
// where it does not, finds no more than alpha where there is nothing.
func TestExtensionsKeepAlpha(t *testing.T) {
	t.Parallel()
	const paths, most = 40_000, 4 * looks
	for _, alpha := range []float64{.10, .05, .01} {
		for _, end := range []int{2, 10, 50, looks} { // when the time was to be over
			b, _ := boundaryOf(alpha)
			m := stats.TuneMixture(b.Early, looks)
			r := rand.New(rand.NewPCG(8, uint64(end)))
			var ps [most + 1][2]float64 // w² at which a level is crossed, early and late
			for k := 1; k <= most; k++ {
				for i, level := range []float64{b.Early, b.Late} {
					ps[k][i] = crossedAt(m, int64(k), level)
				}
			}
			found := 0
			for range paths {
				w, hit := 0.0, false
				for k := 1; k <= most && !hit; k++ {
					w += r.NormFloat64()
					late := 0
					if k > end {
						late = 1
					}
					hit = w*w >= ps[k][late] || k == end && math.Erfc(math.Abs(w)/math.Sqrt(2*float64(end))) < b.Final
				}
				if hit {
					found++
				}
			}
			if got := float64(found) / paths; got > alpha+2*math.Sqrt(alpha/paths) {
				t.Errorf("alpha %g, extended after %d of %d looks: %g are found where there is nothing", alpha, end, looks, got)
			}
		}
	}
}

// crossedAt is the w² beyond which the always-valid p is below a level.
func crossedAt(m stats.Mixture, k int64, level float64) float64 {
	low, high := 0.0, 1e4
	for range 60 {
		if z := (low + high) / 2; m.Test(z, 1, k).P < level {
			high = z
		} else {
			low = z
		}
	}
	return high * float64(k)
}

// An extended experiment ends by what holds at all looks, at the level that is
// left: a difference that the test at the end would have taken for one is none.
func TestExtendedExperimentsEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		primary Metric
		good    func(k, arm int) bool // the k-th unit of an arm
		want    Outcome
	}{
		"alike":       {Good, func(k, _ int) bool { return k%10 < 8 }, Inconclusive},
		"far better":  {Good, func(k, arm int) bool { return k%10 < 5+4*arm }, Win},
		"far worse":   {Good, func(k, arm int) bool { return k%10 < 9-4*arm }, Lose},
		"harm":        {Cost, func(k, arm int) bool { return k%10 < 9-4*arm }, StoppedHarm},
		"by one test": {Good, func(k, arm int) bool { return k%20 < 10 || arm == 1 && k >= 338 }, Inconclusive},
	} {
		e := valid()
		e.SampleSize, e.MinDuration, e.Primary = 400, 0, c.primary
		if err := e.Extend(Extension{SampleSize: 800}, start, 399); err != nil {
			t.Fatal(err)
		}
		j := NewJudge(e)
		for i := range 800 {
			u := Unit{ID: fmt.Sprintf("%04d", i), Arm: i % 2, MaturesAt: start.Add(e.Maturity() + time.Duration(i)*time.Second)}
			u.Requests, u.Answered, u.Good = 1, 1, count(c.good(i/2, i%2))
			if err := j.Add(&u); err != nil {
				t.Fatal(err)
			}
		}
		d := j.Decision()
		if d == nil {
			t.Fatalf("%s: not decided", name)
		}
		if d.Outcome != c.want || !strings.HasPrefix(d.Method, "always-valid") || d.Final != (c.want == Inconclusive) {
			t.Errorf("%s: %s after %d units, p = %g, always-valid %g by %s: %s", name, d.Outcome, d.Units, d.PValue, d.AlwaysValidP, d.Method, d.Verdict)
		}
		if name == "by one test" && !(d.PValue < .04) {
			t.Errorf("by one test p would be %g", d.PValue)
		}
		if err := Recompute(e, d); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
