package app

import (
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
)

func priced(id string, p pricing.Price, later ...pricing.Dated) config.Model {
	return config.Model{Model: llm.Model{ID: id, Provider: "simulated", Upstream: "small", Tier: llm.TierSimple, Purpose: llm.PurposeChat}, Price: p, Later: later}
}

// The version of prices follows from all of them, and from nothing else.
func TestPriceVersion(t *testing.T) {
	t.Parallel()
	base := pricing.Price{Input: 1, CachedInput: 2, CacheWriteInput: 3, Output: 4, PerRequest: 5,
		Long: pricing.LongContext{Above: 6, Input: 7, CachedInput: 8, CacheWriteInput: 9, Output: 10}}
	version := func(p pricing.Price) string { return priceVersion([]config.Model{priced("m", p)}, time.Time{}) }
	seen := map[string]string{version(base): "the first"}
	for name, change := range map[string]func(*pricing.Price){
		"input": func(p *pricing.Price) { p.Input++ }, "cached": func(p *pricing.Price) { p.CachedInput++ },
		"written": func(p *pricing.Price) { p.CacheWriteInput++ }, "output": func(p *pricing.Price) { p.Output++ },
		"request": func(p *pricing.Price) { p.PerRequest++ }, "length": func(p *pricing.Price) { p.Long.Above++ },
		"long input": func(p *pricing.Price) { p.Long.Input++ }, "long cached": func(p *pricing.Price) { p.Long.CachedInput++ },
		"long written": func(p *pricing.Price) { p.Long.CacheWriteInput++ }, "long output": func(p *pricing.Price) { p.Long.Output++ },
		"unknown": func(p *pricing.Price) { *p = pricing.Price{Unknown: true} }, "free": func(p *pricing.Price) { *p = pricing.Price{} },
	} {
		p := base
		change(&p)
		v := version(p)
		if other, taken := seen[v]; taken {
			t.Errorf("%s and %s have the version %s", name, other, v)
		}
		seen[v] = name
	}
	other := priced("m", base)
	other.Tier, other.Upstream = llm.TierComplex, "large"
	if priceVersion([]config.Model{other}, time.Time{}) != version(base) {
		t.Error("the version depends on more than prices")
	}
}

// Each change of a price makes an offer of its own, with all the models.
func TestOffers(t *testing.T) {
	t.Parallel()
	newYear, june := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2027, 6, 1, 0, 0, 0, 0, time.UTC)
	embed := priced("e", pricing.Price{Input: 1})
	embed.Purpose, embed.Tier = llm.PurposeEmbedding, ""
	cfg := config.Config{
		Routing:   config.Routing{Strategy: config.StrategyComplexity, BaselineModel: "b"},
		Providers: []config.Provider{{Name: "simulated", Kind: config.KindSimulated}},
		Models: []config.Model{
			priced("a", pricing.Price{Input: 1}, pricing.Dated{From: newYear, Price: pricing.Price{Input: 2}}, pricing.Dated{From: june, Price: pricing.Price{Input: 3}}),
			priced("b", pricing.Price{Input: 10}, pricing.Dated{From: newYear, Price: pricing.Price{Input: 20}}), embed,
		},
	}
	g := newGateway(cfg, nil, nil, nil)
	if len(g.Candidates) != 3 || g.Candidates[0].Price.Input != 1 || g.Baseline.Price.Input != 10 || len(g.Later) != 2 {
		t.Fatalf("%+v", g)
	}
	for i, want := range []struct {
		from        time.Time
		a, baseline pricing.Nanos
	}{{newYear, 2, 20}, {june, 3, 20}} {
		o := g.Later[i]
		if !o.From.Equal(want.from) || o.Candidates[0].Price.Input != want.a || o.Baseline.Price.Input != want.baseline || len(o.Candidates) != 3 {
			t.Errorf("offer %d is %+v", i, o)
		}
	}
	if g.PriceVersion == g.Later[0].PriceVersion || g.Later[0].PriceVersion == g.Later[1].PriceVersion {
		t.Error("different prices have the same version")
	}
}

// A provider that this build cannot ask ends the start with what to do.
func TestUnknownKindOfProvider(t *testing.T) {
	t.Parallel()
	_, err := newProvider(config.Provider{Name: "x", Kind: "telepathy"}, nil)
	if err == nil || !strings.Contains(err.Error(), `kind "telepathy" is not known`) {
		t.Errorf("got %v", err)
	}
}
