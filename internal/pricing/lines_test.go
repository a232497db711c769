package pricing_test

import (
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
)

// The lines of a cost, multiplied out on paper, are the cost.
func TestLinesMultiplyOut(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 5))
	any := func(most int64) int64 { return r.Int64N(most+2) - 1 }
	for range 2000 {
		p := pricing.Price{Input: pricing.Nanos(any(4_000_000_000)), CachedInput: pricing.Nanos(any(400_000_000)),
			CacheWriteInput: pricing.Nanos(any(5_000_000_000)), Output: pricing.Nanos(any(20_000_000_000)), PerRequest: pricing.Nanos(any(1_000_000))}
		if r.IntN(2) == 0 {
			p.Long = pricing.LongContext{Above: 1 + r.Int64N(50_000), Input: 2 * p.Input, CachedInput: 2 * p.CachedInput, CacheWriteInput: 2 * p.CacheWriteInput, Output: 2 * p.Output}
		}
		u := llm.Usage{In: any(100_000), CachedIn: any(100_000), CacheWriteIn: any(100_000), Out: any(5_000)}
		lines, perRequest := p.Lines(u)
		sum, tokens := new(big.Int), int64(0)
		for _, l := range lines {
			sum.Add(sum, new(big.Int).Mul(big.NewInt(l.Tokens), big.NewInt(max(int64(l.Price), 0))))
			tokens += l.Tokens
		}
		sum.Add(sum, big.NewInt(500_000))
		cost := sum.Div(sum, big.NewInt(1_000_000)).Int64() + int64(perRequest)
		if cost != int64(p.Cost(u)) || tokens != max(u.In, 0)+max(u.Out, 0) {
			t.Fatalf("%+v at %+v: the lines %+v make %d of %d tokens, the cost is %d", u, p, lines, cost, tokens, p.Cost(u))
		}
	}
}
