package gateway_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/routing"
)

// arrivingAt makes a UUIDv7 of a moment.
func arrivingAt(t time.Time) uuid.UUID {
	var id uuid.UUID
	ms := uint64(t.UnixMilli())
	for i := range 6 {
		id[5-i] = byte(ms >> (8 * i))
	}
	id[6], id[8] = 0x70, 0x80
	return id
}

// A request is charged at the prices of its arrival, baseline included, and
// says which these were.
func TestPricesInForceAtArrival(t *testing.T) {
	t.Parallel()
	change := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	b := newBench()
	dearer := func(c routing.Candidate, factor pricing.Nanos) routing.Candidate {
		c.Price.Input, c.Price.CachedInput, c.Price.Output = c.Price.Input*factor, c.Price.CachedInput*factor, c.Price.Output*factor
		return c
	}
	b.Later = []gateway.Offer{
		{From: change, PriceVersion: "v8", Baseline: dearer(b.Baseline, 2), Candidates: []routing.Candidate{dearer(b.Candidates[0], 3), dearer(b.Candidates[1], 2)}},
		{From: change.AddDate(1, 0, 0), PriceVersion: "v9", Baseline: dearer(b.Baseline, 20), Candidates: []routing.Candidate{dearer(b.Candidates[0], 30), dearer(b.Candidates[1], 20)}},
	}
	for _, c := range []struct {
		at             time.Time
		version        string
		cost, baseline int64
	}{
		{change.Add(-time.Millisecond), "v7", 5_925, 135_900},
		{change, "v8", 3 * 5_925, 2 * 135_900},
		{change.AddDate(2, 0, 0), "v9", 30 * 5_925, 20 * 135_900},
	} {
		r := question()
		r.ID = arrivingAt(c.at)
		f := b.complete(t, r).Fact
		if f.PriceVersion != c.version || f.CostNanos != c.cost || f.BaselineCostNanos != c.baseline || !f.At.Equal(c.at) {
			t.Errorf("at %v: version %s, cost %d, baseline %d; want %+v", c.at, f.PriceVersion, f.CostNanos, f.BaselineCostNanos, c)
		}
		if planned := b.ledger.intent.Candidates[0].CostNanos; planned != c.cost/5_925*31_800 {
			t.Errorf("at %v: planned at %d", c.at, planned)
		}
	}
}

// What a model without a price has done is marked: it is neither free nor
// saved.
func TestUnpricedIsMarked(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.Candidates[0].Price = pricing.Price{Unknown: true}
	r := question()
	r.Model = "cheap"
	f := b.complete(t, r).Fact
	if i := b.ledger.intent; !i.Unpriced || i.CostNanos != 0 || i.BaselineCostNanos != 0 {
		t.Errorf("the intent is %+v", i)
	}
	if !f.Unpriced || f.CostNanos != 0 || f.BaselineCostNanos != 0 || f.TokensIn != 13 {
		t.Errorf("unpriced %t, cost %d, baseline %d, tokens in %d", f.Unpriced, f.CostNanos, f.BaselineCostNanos, f.TokensIn)
	}
	r.Model = "dear"
	if f := b.complete(t, r).Fact; f.Unpriced || f.CostNanos != 135_900 {
		t.Errorf("a model with a price: unpriced %t, cost %d", f.Unpriced, f.CostNanos)
	}
	if f := b.complete(t, question()).Fact; f.Model != "dear" {
		t.Errorf("routed to %s, whose price nobody knows", f.Model)
	}
}

// A call that failed cost nothing, whatever its model costs.
func TestFailuresAreNotUnpriced(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.Candidates[0].Price = pricing.Price{Unknown: true}
	b.provider.answers["cheap-2026"] = failing(llm.ErrorUnavailable)
	r := question()
	r.Model = "cheap"
	answer, err := b.Complete(t.Context(), r)
	if err == nil || answer.Fact.Unpriced || answer.Fact.CostNanos != 0 {
		t.Errorf("%v, unpriced %t, cost %d", err, answer.Fact.Unpriced, answer.Fact.CostNanos)
	}
	b.Candidates[0].Price = pricing.Price{PerRequest: 5}
	if answer, _ := b.Complete(t.Context(), r); answer.Fact.CostNanos != 0 {
		t.Errorf("a request that failed costs %d", answer.Fact.CostNanos)
	}
}

// Tokens written to the vendor's cache have their own price; counts that
// cannot be are cut.
func TestCacheWritesAreCharged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		usage llm.Usage
		want  int64
	}{
		{llm.Usage{In: 100, CachedIn: 20, CacheWriteIn: 50, Out: 1}, 30*10 + 20*1 + 50*12 + 100},
		{llm.Usage{In: 100, CachedIn: 20, CacheWriteIn: 5000, Out: 1}, 20*1 + 80*12 + 100},
		{llm.Usage{In: 100, CachedIn: 20, CacheWriteIn: -7, Out: 1}, 80*10 + 20*1 + 100},
	} {
		b := newBench()
		const perToken = 1_000_000
		b.Candidates[0].Price = pricing.Price{Input: 10 * perToken, CachedInput: perToken, CacheWriteInput: 12 * perToken, Output: 100 * perToken}
		response := paris
		response.Usage = c.usage
		b.provider.answers["cheap-2026"] = answering(response)
		if f := b.complete(t, question()).Fact; f.CostNanos != c.want {
			t.Errorf("%+v costs %d, want %d", c.usage, f.CostNanos, c.want)
		}
	}
}

// Neither an empty list of changes nor one that is far off changes anything.
func TestNoChangeYet(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.Later = []gateway.Offer{{From: time.Now().AddDate(1, 0, 0), PriceVersion: "v8"}}
	if f := b.complete(t, question()).Fact; f.PriceVersion != "v7" || f.CostNanos != 5_925 {
		t.Errorf("version %s, cost %d", f.PriceVersion, f.CostNanos)
	}
	if c, err := b.Candidate("dear"); err != nil || c.Model.ID != "dear" {
		t.Errorf("%+v, %v", c, err)
	}
	if !slices.ContainsFunc(b.Candidates, func(c routing.Candidate) bool { return c.Price == cheap }) {
		t.Error("the candidates were changed")
	}
}
