package pricing

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/busuhq/busu/internal/llm"
)

// exactCost is the contract's formula in arithmetic that cannot overflow:
// Σ tokens × price, divided by 10⁶ once, rounded half up, plus the price of a
// request, saturated.
func exactCost(p Price, u llm.Usage) Nanos {
	in, out := max(u.In, 0), max(u.Out, 0)
	if in == 0 && out == 0 {
		return 0
	}
	cached := min(max(u.CachedIn, 0), in)
	written := min(max(u.CacheWriteIn, 0), in-cached)
	input, cachedInput, cacheWrite, output := p.Input, p.CachedInput, p.CacheWriteInput, p.Output
	if l := p.Long; l.Above > 0 && in > l.Above {
		input, cachedInput, cacheWrite, output = l.Input, l.CachedInput, l.CacheWriteInput, l.Output
	}
	sum := new(big.Int)
	for _, term := range []struct {
		tokens int64
		price  Nanos
	}{{in - cached - written, input}, {cached, cachedInput}, {written, cacheWrite}, {out, output}} {
		product := new(big.Int).Mul(big.NewInt(term.tokens), big.NewInt(int64(max(term.price, 0))))
		sum.Add(sum, product)
	}
	sum.Add(sum, big.NewInt(500_000))
	sum.Div(sum, big.NewInt(1_000_000))
	if !sum.IsInt64() {
		return math.MaxInt64
	}
	sum.Add(sum, big.NewInt(int64(max(p.PerRequest, 0))))
	if !sum.IsInt64() {
		return math.MaxInt64
	}
	return Nanos(sum.Int64())
}

// magnitudes are the sizes at which 64-bit products begin to overflow, and
// everyday ones.
var magnitudes = []int64{1, 10, 1000, 1e6, 1e9, 1e12, 1e15, math.MaxInt64}

// drawing draws prices and usages of all magnitudes.
type drawing struct{ *rand.Rand }

func (d drawing) number() int64 { return d.Int64N(magnitudes[d.IntN(len(magnitudes))]) }

func (d drawing) nanos() Nanos { return Nanos(d.number()) }

// price draws a valid one.
func (d drawing) price() Price {
	p := Price{Input: d.nanos(), CachedInput: d.nanos(), CacheWriteInput: d.nanos(), Output: d.nanos()}
	if d.IntN(3) == 0 {
		p.PerRequest = d.nanos()
	}
	if d.IntN(2) == 0 {
		dearer := func(n Nanos) Nanos { return n + min(d.nanos(), math.MaxInt64-n) }
		p.Long = LongContext{Above: 1 + d.Int64N(1e6), Input: dearer(p.Input), CachedInput: dearer(p.CachedInput),
			CacheWriteInput: dearer(p.CacheWriteInput), Output: dearer(p.Output)}
	}
	return p
}

func (d drawing) usage() llm.Usage {
	return llm.Usage{In: d.number(), CachedIn: d.number(), CacheWriteIn: d.number(), Out: d.number()}
}

func TestCostIsExact(t *testing.T) {
	t.Parallel()
	d := drawing{rand.New(rand.NewPCG(1, 2))}
	for range 200_000 {
		p, u := d.price(), d.usage()
		if err := p.Validate(); err != nil {
			t.Fatalf("%+v: %v", p, err)
		}
		if got, want := p.Cost(u), exactCost(p, u); got != want || got < 0 {
			t.Fatalf("%+v at %+v costs %d, want %d", u, p, got, want)
		}
	}
}

// A further token of any kind never makes a request cheaper.
func TestCostIsMonotone(t *testing.T) {
	t.Parallel()
	d := drawing{rand.New(rand.NewPCG(3, 4))}
	for range 200_000 {
		p := d.price()
		few := llm.Usage{CachedIn: d.Int64N(1e6), CacheWriteIn: d.Int64N(1e6), Out: d.Int64N(1e6)}
		few.In = few.CachedIn + few.CacheWriteIn + d.Int64N(1e6)
		more, n := few, d.Int64N(1e6)
		switch d.IntN(4) {
		case 0:
			more.In += n
		case 1:
			more.In, more.CachedIn = more.In+n, more.CachedIn+n
		case 2:
			more.In, more.CacheWriteIn = more.In+n, more.CacheWriteIn+n
		case 3:
			more.Out += n
		}
		if p.Cost(more) < p.Cost(few) {
			t.Fatalf("%+v costs %d, %+v only %d, at %+v", few, p.Cost(few), more, p.Cost(more), p)
		}
	}
}

func TestCost(t *testing.T) {
	t.Parallel()
	const dollar, cent = nanosPerDollar, nanosPerDollar / 100
	small := Price{Input: 150_000_000, CachedInput: 75_000_000, CacheWriteInput: 187_500_000, Output: 600_000_000}
	long := Price{Input: dollar, CachedInput: 10 * cent, CacheWriteInput: 125 * cent, Output: 5 * dollar,
		Long: LongContext{Above: 200_000, Input: 2 * dollar, CachedInput: 20 * cent, CacheWriteInput: 250 * cent, Output: 750 * cent}}
	perRequest := Price{Input: dollar, Output: dollar, PerRequest: 5_000_000}
	for _, c := range []struct {
		name  string
		price Price
		usage llm.Usage
		want  Nanos
	}{
		{"nothing", small, llm.Usage{}, 0},
		{"an everyday request", small, llm.Usage{In: 12, Out: 80}, 49_800},
		{"cached tokens", small, llm.Usage{In: 1000, CachedIn: 600, Out: 10}, 111_000},
		{"all cached", small, llm.Usage{In: 10, CachedIn: 10}, 750},
		{"more cached than in", small, llm.Usage{In: 10, CachedIn: 99}, 750},
		{"written tokens", small, llm.Usage{In: 1000, CachedIn: 600, CacheWriteIn: 300, Out: 10}, 122_250},
		{"more written than fresh", small, llm.Usage{In: 1000, CachedIn: 600, CacheWriteIn: 9999}, 120_000},
		{"reasoning is part of out", small, llm.Usage{Out: 10, Reasoning: 10}, 6000},
		{"negative counts", small, llm.Usage{In: -5, CachedIn: -5, CacheWriteIn: -5, Out: -5}, 0},
		{"negative parts", small, llm.Usage{In: 10, CachedIn: -10, CacheWriteIn: -10}, 1500},
		{"half rounds up", Price{Input: 1}, llm.Usage{In: 500_000}, 1},
		{"below half rounds down", Price{Input: 1}, llm.Usage{In: 499_999}, 0},
		{"one and a half", Price{Output: 1}, llm.Usage{Out: 1_500_000}, 2},
		{"rounded once, not per term", Price{Input: 1, Output: 1}, llm.Usage{In: 300_000, Out: 300_000}, 1},
		{"just as long as it may be", long, llm.Usage{In: 200_000, CachedIn: 100_000, CacheWriteIn: 50_000, Out: 1000}, 127_500_000},
		{"one token longer, all of it dearer", long, llm.Usage{In: 200_001, CachedIn: 100_000, CacheWriteIn: 50_000, Out: 1000}, 252_502_000},
		{"the answer does not make a prompt long", long, llm.Usage{In: 1, Out: 300_000}, 1_500_001_000},
		{"a request", perRequest, llm.Usage{In: 1, Out: 1}, 5_002_000},
		{"a request without tokens was never answered", perRequest, llm.Usage{}, 0},
		{"an unknown price", Price{Unknown: true}, llm.Usage{In: 1e6, Out: 1e6}, 0},
		{"the largest amount", Price{Input: math.MaxInt64}, llm.Usage{In: 1_000_000}, math.MaxInt64},
		{"one below saturation", Price{Input: math.MaxInt64}, llm.Usage{In: 999_999}, 9_223_362_813_482_738_952},
		{"saturates", Price{Input: math.MaxInt64, Output: math.MaxInt64}, llm.Usage{In: math.MaxInt64, CachedIn: 1, Out: math.MaxInt64}, math.MaxInt64},
		{"saturates just above", Price{Input: math.MaxInt64}, llm.Usage{In: 1_000_001}, math.MaxInt64},
		{"a request saturates", Price{Input: math.MaxInt64, PerRequest: math.MaxInt64}, llm.Usage{In: 999_999}, math.MaxInt64},
		{"negative prices", Price{Input: -1, CachedInput: -1, CacheWriteInput: -1, Output: -1, PerRequest: -1}, llm.Usage{In: 1e9, Out: 1e9}, 0},
	} {
		if got := c.price.Cost(c.usage); got != c.want {
			t.Errorf("%s costs %d, want %d", c.name, got, c.want)
		}
		if exact := exactCost(c.price, c.usage); exact != c.want {
			t.Errorf("%s: the test expects %d, exact is %d", c.name, c.want, exact)
		}
	}
}

func FuzzCost(f *testing.F) {
	f.Add(int64(150_000_000), int64(75_000_000), int64(187_500_000), int64(600_000_000), int64(0), int64(0), int64(12), int64(3), int64(2), int64(80))
	f.Add(int64(math.MaxInt64), int64(math.MinInt64), int64(-1), int64(math.MaxInt64), int64(math.MaxInt64), int64(7), int64(math.MaxInt64), int64(math.MinInt64), int64(-1), int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, input, cachedInput, cacheWrite, output, request, above, in, cachedIn, writeIn, out int64) {
		p := Price{Input: Nanos(input), CachedInput: Nanos(cachedInput), CacheWriteInput: Nanos(cacheWrite), Output: Nanos(output),
			PerRequest: Nanos(request), Long: LongContext{Above: above, Input: Nanos(output), CachedInput: Nanos(input),
				CacheWriteInput: Nanos(cachedInput), Output: Nanos(cacheWrite)}}
		u := llm.Usage{In: in, CachedIn: cachedIn, CacheWriteIn: writeIn, Out: out}
		if got, want := p.Cost(u), exactCost(p, u); got != want || got < 0 {
			t.Errorf("%+v at %+v costs %d, want %d", u, p, got, want)
		}
	})
}

func TestValidate(t *testing.T) {
	t.Parallel()
	long := LongContext{Above: 1, Input: 2, CachedInput: 2, CacheWriteInput: 2, Output: 2}
	for _, p := range []Price{{}, {Unknown: true}, {Input: 2, CachedInput: 2, CacheWriteInput: 2, Output: 2, Long: long}} {
		if err := p.Validate(); err != nil {
			t.Errorf("%+v: %v", p, err)
		}
	}
	for _, p := range []Price{
		{Input: -1}, {CachedInput: -1}, {CacheWriteInput: -1}, {Output: -1}, {PerRequest: -1},
		{Long: LongContext{Above: -1}}, {Long: LongContext{Above: 1, Input: -1}}, {Long: LongContext{Input: 1}},
		{Input: 3, Long: long}, {CachedInput: 3, Long: long}, {CacheWriteInput: 3, Long: long}, {Output: 3, Long: long},
		{Input: 1, Unknown: true},
	} {
		if p.Validate() == nil {
			t.Errorf("%+v is valid", p)
		}
	}
}

func BenchmarkCost(b *testing.B) {
	p := Price{Input: 150_000_000, CachedInput: 75_000_000, CacheWriteInput: 187_500_000, Output: 600_000_000}
	u := llm.Usage{In: 1200, CachedIn: 300, Out: 800}
	for b.Loop() {
		p.Cost(u)
	}
}
