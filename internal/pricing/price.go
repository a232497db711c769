package pricing

import (
	"errors"
	"math"
	"math/bits"

	"github.com/busuhq/busu/internal/llm"
)

// Price is what a model costs: its tokens, in nano-dollars per million, and
// each request that it answers.
type Price struct {
	Input           Nanos
	CachedInput     Nanos // prompt tokens the provider read from its cache
	CacheWriteInput Nanos // prompt tokens the provider wrote to its cache
	Output          Nanos
	PerRequest      Nanos // in nano-dollars, on top of the tokens
	Long            LongContext

	// Unknown says that nobody knows the price: every cost comes out as 0,
	// and is to be marked as unpriced. The zero Price is known, and free.
	Unknown bool
}

// LongContext are the prices of a request whose prompt has more than Above
// tokens, for all of its tokens. Where Above is 0, length changes nothing.
type LongContext struct {
	Above           int64 // tokens
	Input           Nanos
	CachedInput     Nanos
	CacheWriteInput Nanos
	Output          Nanos
}

// MaxPerMillion is ten times what any model has ever cost; above it somebody
// wrote the price of something else.
const MaxPerMillion = 10_000 * nanosPerDollar

// Validate refuses negative prices, and long requests that are cheaper than
// short ones: costs never fall with tokens.
func (p Price) Validate() error {
	l := p.Long
	switch {
	case min(p.Input, p.CachedInput, p.CacheWriteInput, p.Output, p.PerRequest, l.Input, l.CachedInput, l.CacheWriteInput, l.Output) < 0:
		return errors.New("a price is negative")
	case l.Above < 0:
		return errors.New("the length from which long prompts cost more is negative")
	case l.Above == 0 && l != LongContext{}:
		return errors.New("there are prices of long prompts, but not from which length")
	case l.Above > 0 && (l.Input < p.Input || l.CachedInput < p.CachedInput || l.CacheWriteInput < p.CacheWriteInput || l.Output < p.Output):
		return errors.New("a long prompt is cheaper than a short one")
	case p.Unknown && p != Price{Unknown: true}:
		return errors.New("a price is given and unknown at the same time")
	}
	return nil
}

// Cost is what u costs at p, rounded half up to a nano-dollar. It saturates
// at the largest amount rather than wrapping around. Counts below zero, which
// no sound provider sends, cost nothing; and a request without any tokens was
// never answered, so it costs nothing either.
func (p Price) Cost(u llm.Usage) Nanos {
	in, out := max(u.In, 0), max(u.Out, 0)
	if in == 0 && out == 0 {
		return 0
	}
	cached := min(max(u.CachedIn, 0), in)
	written := min(max(u.CacheWriteIn, 0), in-cached)
	r := p.at(in)
	var sum sum128
	sum.add(in-cached-written, r.Input)
	sum.add(cached, r.CachedInput)
	sum.add(written, r.CacheWriteInput)
	sum.add(out, r.Output)
	tokens := sum.dividedByMillion()
	return tokens + min(max(p.PerRequest, 0), math.MaxInt64-tokens)
}

// at are the prices of a request with that many prompt tokens.
func (p Price) at(in int64) LongContext {
	if p.Long.Above > 0 && in > p.Long.Above {
		return p.Long
	}
	return LongContext{Input: p.Input, CachedInput: p.CachedInput, CacheWriteInput: p.CacheWriteInput, Output: p.Output}
}

// sum128 adds products of tokens and prices without overflow.
type sum128 struct{ hi, lo uint64 }

func (s *sum128) add(tokens int64, price Nanos) {
	hi, lo := bits.Mul64(uint64(tokens), uint64(max(price, 0)))
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, lo, 0)
	s.hi, _ = bits.Add64(s.hi, hi, carry)
}

func (s sum128) dividedByMillion() Nanos {
	const million = 1_000_000
	lo, carry := bits.Add64(s.lo, million/2, 0)
	hi := s.hi + carry
	if hi >= million {
		return math.MaxInt64
	}
	quotient, _ := bits.Div64(hi, lo, million)
	return Nanos(min(quotient, math.MaxInt64))
}
