// Package pricing turns token counts into money, in integers.
//
// Money is counted in nano-dollars, prices in nano-dollars per million tokens.
// A cost is the sum of tokens × price, divided by 10⁶ once and rounded half
// up, so that the same tokens cost the same wherever they are added up.
package pricing

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"strconv"
	"strings"

	"github.com/busuhq/busu/internal/llm"
)

// Nanos is an amount of money in nano-dollars, 10⁻⁹ USD.
type Nanos int64

const nanosPerDollar = 1_000_000_000

// String gives dollars as an exact decimal without trailing zeros.
func (n Nanos) String() string { return string(n.AppendDecimal(nil)) }

// AppendDecimal appends n in dollars as an exact decimal, such as 0.0000213.
func (n Nanos) AppendDecimal(dst []byte) []byte {
	magnitude := uint64(n)
	if n < 0 {
		dst = append(dst, '-')
		magnitude = -magnitude
	}
	dst = strconv.AppendUint(dst, magnitude/nanosPerDollar, 10)
	fraction := magnitude % nanosPerDollar
	if fraction == 0 {
		return dst
	}
	digits := fmt.Appendf(nil, ".%09d", fraction)
	return append(dst, strings.TrimRight(string(digits), "0")...)
}

// MarshalJSON gives dollars as an exact decimal number.
func (n Nanos) MarshalJSON() ([]byte, error) { return n.AppendDecimal(nil), nil }

// UnmarshalJSON reads dollars; an amount finer than a nano-dollar is an error.
func (n *Nanos) UnmarshalJSON(b []byte) error {
	parsed, err := ParseUSD(string(b))
	if err != nil {
		return err
	}
	*n = parsed
	return nil
}

// ParseUSD reads a decimal number of dollars, such as "0.15" or "2e-7".
// It refuses what is not exact in nano-dollars.
func ParseUSD(s string) (Nanos, error) {
	if len(s) > 40 || strings.ContainsAny(s, "/_xXpPbBoOiIn") {
		return 0, fmt.Errorf("%q is not an amount in dollars", s)
	}
	// big.Rat would expand 1e999999999 to a number of that many digits.
	if _, exponent, ok := strings.Cut(strings.ToLower(s), "e"); ok {
		if e, err := strconv.Atoi(exponent); err != nil || e < -30 || e > 30 {
			return 0, fmt.Errorf("%q is not an amount in dollars", s)
		}
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return 0, fmt.Errorf("%q is not an amount in dollars", s)
	}
	r.Mul(r, big.NewRat(nanosPerDollar, 1))
	if !r.IsInt() {
		return 0, fmt.Errorf("%s dollars is finer than a nano-dollar (9 decimals)", s)
	}
	if !r.Num().IsInt64() {
		return 0, fmt.Errorf("%s dollars is more than can be counted", s)
	}
	return Nanos(r.Num().Int64()), nil
}

// Price is what a model costs, in nano-dollars per million tokens.
type Price struct {
	Input       Nanos
	CachedInput Nanos // prompt tokens the provider read from its cache
	Output      Nanos
}

// Validate refuses negative prices.
func (p Price) Validate() error {
	if p.Input < 0 || p.CachedInput < 0 || p.Output < 0 {
		return errors.New("a price is negative")
	}
	return nil
}

// Cost is what u costs at p, rounded half up to a nano-dollar. It saturates
// at the largest amount rather than wrapping around. Counts below zero, which
// no sound provider sends, cost nothing.
func (p Price) Cost(u llm.Usage) Nanos {
	cached := min(max(u.CachedIn, 0), max(u.In, 0))
	var sum sum128
	sum.add(max(u.In, 0)-cached, p.Input)
	sum.add(cached, p.CachedInput)
	sum.add(max(u.Out, 0), p.Output)
	return sum.dividedByMillion()
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
