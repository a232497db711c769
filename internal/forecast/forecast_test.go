package forecast

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/learning"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/routing"
	"github.com/busuhq/busu/internal/trafficlog"
)

func candidate(id string, tier llm.Tier, dollars int64) routing.Candidate {
	price := pricing.Nanos(dollars * 1e9)
	return routing.Candidate{Model: llm.Model{ID: id, Tier: tier, ContextTokens: 10_000}, Price: pricing.Price{Input: price, Output: price}}
}

func options(t testing.TB) Options {
	t.Helper()
	prior, err := learning.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	candidates := []routing.Candidate{candidate("small", llm.TierSimple, 1), candidate("large", llm.TierComplex, 20)}
	return Options{Candidates: candidates, Baseline: "large", Keep: 0.95, Prior: prior, AsIs: func(c *trafficlog.Call) (routing.Candidate, bool) {
		for _, known := range candidates {
			if known.Model.ID == c.Model {
				return known, true
			}
		}
		return routing.Candidate{}, false
	}}
}

func started(t testing.TB, o Options) *Forecast {
	t.Helper()
	f, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func call(prompt, model string, in, out int64) trafficlog.Call {
	return trafficlog.Call{Model: model, Ask: llm.Request{Messages: []llm.Message{{Role: llm.RoleUser, Content: prompt}}}, Usage: llm.Usage{In: in, Out: out}}
}

const (
	easy = "What is the capital of France?"
	hard = "Prove step by step that for all integers n > 2 the sum of the first n cubes is the square of the sum of the first n integers; then derive an O(log n) algorithm, implement it in Rust, analyse its complexity and compare three alternatives. Explain why each is correct, and give a counterexample where one fails."
)

// TestForecast adds up by hand: easy prompts are answered by the small model,
// hard ones by the large one, at the tokens that were used.
func TestForecast(t *testing.T) {
	t.Parallel()
	f := started(t, options(t))
	began := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	for i := range 90 {
		c := call(easy, "large", 1000, 1000)
		if i%3 == 0 {
			c = call(hard, "large", 1000, 1000)
		}
		c.At, c.User = began.Add(time.Duration(i)*8*time.Hour), fmt.Sprint("user", i%30)
		if err := f.Add(&c); err != nil {
			t.Fatal(err)
		}
	}
	r := f.Report(0)
	const small, large = 2000 * 1000, 2000 * 20_000 // nano-dollars a call
	for _, want := range []struct {
		p     Policy
		nanos int64
	}{{r.AsIs, 90 * large}, {r.Policies[1], 60*small + 30*large}, {r.Policies[2], 90 * small}, {r.Policies[3], 90 * large}} {
		if int64(want.p.USD) != want.nanos {
			t.Errorf("%s costs %s, want %s", want.p.Name, want.p.USD, pricing.Nanos(want.nanos))
		}
		if got, wanted := want.p.MonthUSD.Estimate, float64(want.nanos)/1e9*month/r.Days; math.Abs(got-wanted) > 1e-9 {
			t.Errorf("%s costs %v a month, want %v", want.p.Name, got, wanted)
		}
		if s := want.p.SavedShare; math.Abs(s.Estimate-(1-float64(want.nanos)/(90*large))) > 1e-9 || s.Low > s.Estimate+1e-9 || s.High < s.Estimate-1e-9 {
			t.Errorf("%s saves %+v", want.p.Name, s)
		}
	}
	if math.Abs(r.Days-89.0/3) > 1e-9 || r.Policies[1].Models["small"] != 2.0/3 {
		t.Errorf("%v days, %v", r.Days, r.Policies[1].Models)
	}
	checkQuality(t, r)
	if s := r.Policies[1].SavedUSD; !(s.Low < s.Estimate && s.Estimate < s.High) {
		t.Errorf("of what traffic varies nothing is left: %+v", s)
	}
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
}

func checkQuality(t *testing.T, r Report) {
	t.Helper()
	for _, p := range r.Policies {
		k := p.Kept
		if !(k.Low <= k.Estimate && k.Estimate <= k.High) {
			t.Errorf("%s keeps %+v", p.Name, k)
		}
	}
	hybrid, complexity, cheapest, baseline := r.Policies[0], r.Policies[1], r.Policies[2], r.Policies[3]
	if *baseline.Kept != (Range{1, 1, 1}) || cheapest.Kept.Estimate >= complexity.Kept.Estimate {
		t.Errorf("the baseline keeps %+v, complexity %+v, the cheapest %+v", baseline.Kept, complexity.Kept, cheapest.Kept)
	}
	if m := complexity.MixKept; m == nil || m.Estimate >= complexity.Kept.Estimate || complexity.Kept.Low > m.Low {
		t.Errorf("the mix keeps %+v beside %+v", m, complexity.Kept)
	}
	if hybrid.Kept.Estimate < 0.9 || hybrid.USD >= baseline.USD { // the price has moved for 90 calls only
		t.Errorf("hybrid keeps %+v for %s", hybrid.Kept, hybrid.USD)
	}
}

// TestWhoCanAnswer skips what nobody of the list can take, and says why.
func TestWhoCanAnswer(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.Candidates[0].Model.Lacks = llm.AbilityTools
	long, tools, other, billed := call(easy, "large", 20_000, 10), call(easy, "large", 10, 10), call(easy, "unheard-of", 10, 10), call(easy, "unheard-of", 10, 10)
	tools.Ask.Tools = make([]llm.Tool, 1)
	billed.Billed = new(pricing.Nanos)
	*billed.Billed = 5000
	f := started(t, o)
	for _, tt := range []struct {
		call trafficlog.Call
		says string
	}{{long, "no model of the list"}, {tools, ""}, {other, "neither the price"}, {billed, ""}} {
		if err := f.Add(&tt.call); (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%v, want %q", err, tt.says)
		}
	}
	r := f.Report(1)
	if r.Calls != 2 || r.Policies[2].Models["large"] != 0.5 {
		t.Errorf("%d calls, cheapest %v: what lacks tools must not get them", r.Calls, r.Policies[2].Models)
	}
	if r.Billed == nil || r.Billed.USD != 5000 || r.AsIs.Kept != nil {
		t.Errorf("%+v was billed; a model nobody knows keeps %+v", r.Billed, r.AsIs.Kept)
	}
	o.Candidates[1].Model.Lacks = llm.AbilityTools
	o.Candidates[0].Model.Lacks = 0
	if err := started(t, o).Add(&tools); err == nil || !strings.Contains(err.Error(), "baseline") {
		t.Errorf("what the baseline cannot take is measured against it: %v", err)
	}
}

// TestIntervalsCover draws many logs of users who differ, and holds the
// intervals against the true share saved.
func TestIntervalsCover(t *testing.T) {
	t.Parallel()
	o := options(t)
	covered, logs := 0, 150
	r := rand.New(rand.NewPCG(7, 7))
	for log := range logs {
		o.Seed = uint64(log)
		f := started(t, o)
		for user := range 150 {
			share := r.Float64() // of a user's calls that are easy, all uniform: half of the cost is saved
			for range 1 + r.IntN(4) {
				nanos := [policies]int64{asIs: 1000, complexity: 1000}
				if r.Float64() < share {
					nanos[complexity] = 0
				}
				f.count(&trafficlog.Call{User: fmt.Sprint(user)}, nanos)
			}
		}
		if s := f.policy(complexity, 0).SavedShare; s.Low <= 0.5 && 0.5 <= s.High {
			covered++
		}
	}
	if c := float64(covered) / float64(logs); c < 0.9 || c > 0.99 {
		t.Errorf("intervals of 95 %% cover %.3f", c)
	}
}

// TestTimesDrawn is Poisson of mean 1.
func TestTimesDrawn(t *testing.T) {
	t.Parallel()
	var mean, square float64
	s := newSteps()
	for bits := range 1 << 16 {
		n := s.times(uint16(bits))
		mean += n / (1 << 16)
		square += n * n / (1 << 16)
	}
	if math.Abs(mean-1) > 1e-3 || math.Abs(square-mean*mean-1) > 3e-3 {
		t.Errorf("mean %v, variance %v", mean, square-mean*mean)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Options){
		"one model":        func(o *Options) { o.Candidates = o.Candidates[:1] },
		"no such baseline": func(o *Options) { o.Baseline = "huge" },
		"no price":         func(o *Options) { o.Candidates[0].Price = pricing.Price{Unknown: true} },
		"no tier":          func(o *Options) { o.Candidates[0].Model.Tier = "" },
		"embeddings":       func(o *Options) { o.Candidates[0].Model.Purpose = llm.PurposeEmbedding },
		"more than all":    func(o *Options) { o.Keep = 1.5 },
	} {
		o := options(t)
		change(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if r := started(t, options(t)).Report(0); r.Calls != 0 || r.AsIs.MonthUSD != nil || r.AsIs.Kept != nil {
		t.Errorf("of nothing: %+v", r)
	}
}

func BenchmarkAdd(b *testing.B) {
	f := started(b, options(b))
	c := call(hard, "large", 1000, 1000)
	for b.Loop() {
		if err := f.Add(&c); err != nil {
			b.Fatal(err)
		}
	}
}
