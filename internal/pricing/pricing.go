// Package pricing turns token counts into money, in integers.
//
// Money is counted in nano-dollars, prices in nano-dollars per million tokens.
// A cost is the sum of tokens × price, divided by 10⁶ once and rounded half
// up, so that the same tokens cost the same wherever they are added up; what a
// request costs by itself comes on top.
package pricing

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// Nanos is an amount of money in nano-dollars, 10⁻⁹ USD.
type Nanos int64

const nanosPerDollar = 1_000_000_000

// String gives dollars as an exact decimal without trailing zeros.
func (n Nanos) String() string {
	var room [24]byte // enough for any; it stays on the stack, and every answer tells its cost twice
	return string(n.AppendDecimal(room[:0]))
}

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
	dst = append(dst, '.')
	for unit := uint64(nanosPerDollar / 10); fraction > 0; unit /= 10 {
		dst = append(dst, '0'+byte(fraction/unit))
		fraction %= unit
	}
	return dst
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
	r, err := parseDecimal(s)
	if err != nil {
		return 0, err
	}
	r.Mul(r, big.NewRat(nanosPerDollar, 1))
	if !r.IsInt() {
		return 0, fmt.Errorf("%s dollars is finer than a nano-dollar (9 decimals)", s)
	}
	return counted(r.Num(), s)
}

// RoundUSD reads a decimal number of dollars for one of count things and gives
// the dollars for all of them, rounded half up to a nano-dollar: others write
// prices as floats, whose last digits mean nothing.
func RoundUSD(s string, count int64) (Nanos, error) {
	r, err := parseDecimal(s)
	if err != nil {
		return 0, err
	}
	r.Mul(r, new(big.Rat).Mul(big.NewRat(nanosPerDollar, 1), big.NewRat(count, 1)))
	twice := new(big.Int).Mul(r.Num(), big.NewInt(2))
	twice.Add(twice, r.Denom())
	whole, _ := new(big.Int).DivMod(twice, new(big.Int).Mul(r.Denom(), big.NewInt(2)), new(big.Int)) // towards −∞
	return counted(whole, s)
}

func counted(nanos *big.Int, s string) (Nanos, error) {
	if !nanos.IsInt64() {
		return 0, fmt.Errorf("%s dollars is more than can be counted", s)
	}
	return Nanos(nanos.Int64()), nil
}

func parseDecimal(s string) (*big.Rat, error) {
	if len(s) > 40 || strings.ContainsAny(s, "/_xXpPbBoOiIn") {
		return nil, fmt.Errorf("%q is not an amount in dollars", s)
	}
	// big.Rat would expand 1e999999999 to a number of that many digits.
	if _, exponent, ok := strings.Cut(strings.ToLower(s), "e"); ok {
		if e, err := strconv.Atoi(exponent); err != nil || e < -30 || e > 30 {
			return nil, fmt.Errorf("%q is not an amount in dollars", s)
		}
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return nil, fmt.Errorf("%q is not an amount in dollars", s)
	}
	return r, nil
}
