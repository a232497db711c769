package pricing

import (
	"encoding/json"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/llm"
)

// exactCost is the contract's formula in arithmetic that cannot overflow:
// Σ tokens × price, divided by 10⁶ once, rounded half up, saturated.
func exactCost(p Price, u llm.Usage) Nanos {
	in, out := max(u.In, 0), max(u.Out, 0)
	cached := min(max(u.CachedIn, 0), in)
	sum := new(big.Int)
	for _, term := range []struct {
		tokens int64
		price  Nanos
	}{{in - cached, p.Input}, {cached, p.CachedInput}, {out, p.Output}} {
		product := new(big.Int).Mul(big.NewInt(term.tokens), big.NewInt(int64(max(term.price, 0))))
		sum.Add(sum, product)
	}
	sum.Add(sum, big.NewInt(500_000))
	sum.Div(sum, big.NewInt(1_000_000))
	if !sum.IsInt64() {
		return math.MaxInt64
	}
	return Nanos(sum.Int64())
}

// magnitudes are the sizes at which 64-bit products begin to overflow, and
// everyday ones.
var magnitudes = []int64{1, 10, 1000, 1e6, 1e9, 1e12, 1e15, math.MaxInt64}

func TestCostIsExact(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	number := func() int64 { return r.Int64N(magnitudes[r.IntN(len(magnitudes))]) }
	for range 200_000 {
		p := Price{Nanos(number()), Nanos(number()), Nanos(number())}
		u := llm.Usage{In: number(), CachedIn: number(), Out: number()}
		if got, want := p.Cost(u), exactCost(p, u); got != want {
			t.Fatalf("%+v at %+v costs %d, want %d", u, p, got, want)
		}
	}
}

func TestCost(t *testing.T) {
	t.Parallel()
	small := Price{Input: 150_000_000, CachedInput: 75_000_000, Output: 600_000_000}
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
		{"reasoning is part of out", small, llm.Usage{Out: 10, Reasoning: 10}, 6000},
		{"negative counts", small, llm.Usage{In: -5, CachedIn: -5, Out: -5}, 0},
		{"negative cached", small, llm.Usage{In: 10, CachedIn: -10}, 1500},
		{"half rounds up", Price{Input: 1}, llm.Usage{In: 500_000}, 1},
		{"below half rounds down", Price{Input: 1}, llm.Usage{In: 499_999}, 0},
		{"one and a half", Price{Output: 1}, llm.Usage{Out: 1_500_000}, 2},
		{"rounded once, not per term", Price{Input: 1, Output: 1}, llm.Usage{In: 300_000, Out: 300_000}, 1},
		{"the largest amount", Price{Input: math.MaxInt64}, llm.Usage{In: 1_000_000}, math.MaxInt64},
		{"one below saturation", Price{Input: math.MaxInt64}, llm.Usage{In: 999_999}, 9_223_362_813_482_738_952},
		{"saturates", Price{math.MaxInt64, math.MaxInt64, math.MaxInt64}, llm.Usage{In: math.MaxInt64, CachedIn: 1, Out: math.MaxInt64}, math.MaxInt64},
		{"saturates just above", Price{Input: math.MaxInt64}, llm.Usage{In: 1_000_001}, math.MaxInt64},
		{"negative prices", Price{-1, -1, -1}, llm.Usage{In: 1e9, Out: 1e9}, 0},
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
	f.Add(int64(150_000_000), int64(75_000_000), int64(600_000_000), int64(12), int64(3), int64(80))
	f.Add(int64(math.MaxInt64), int64(math.MinInt64), int64(-1), int64(math.MaxInt64), int64(math.MinInt64), int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, input, cachedInput, output, in, cachedIn, out int64) {
		p := Price{Nanos(input), Nanos(cachedInput), Nanos(output)}
		u := llm.Usage{In: in, CachedIn: cachedIn, Out: out}
		if got, want := p.Cost(u), exactCost(p, u); got != want || got < 0 {
			t.Errorf("%+v at %+v costs %d, want %d", u, p, got, want)
		}
	})
}

func TestDollars(t *testing.T) {
	t.Parallel()
	for nanos, want := range map[Nanos]string{
		0: "0", 1: "0.000000001", -1: "-0.000000001", 21_300: "0.0000213", 880_000: "0.00088", 150_000_000: "0.15",
		1_000_000_000: "1", -1_500_000_000: "-1.5", 10_000_000_010: "10.00000001",
		math.MaxInt64: "9223372036.854775807", math.MinInt64: "-9223372036.854775808",
	} {
		if got := nanos.String(); got != want {
			t.Errorf("%d is written %s, want %s", int64(nanos), got, want)
		}
		if back, err := ParseUSD(want); err != nil || back != nanos {
			t.Errorf("%s is read as %d, %v", want, int64(back), err)
		}
	}
}

func FuzzDollarsRoundTrip(f *testing.F) {
	f.Add(int64(0))
	f.Add(int64(-21_300))
	f.Add(int64(math.MinInt64))
	f.Fuzz(func(t *testing.T, n int64) {
		text, err := json.Marshal(Nanos(n))
		if err != nil {
			t.Fatal(err)
		}
		var back Nanos
		if err := json.Unmarshal(text, &back); err != nil || back != Nanos(n) {
			t.Errorf("%d is written %s and read %d, %v", n, text, int64(back), err)
		}
		if !json.Valid(text) || strings.ContainsAny(string(text), "eE") {
			t.Errorf("%s is not a plain decimal", text)
		}
	})
}

func TestParseUSD(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Nanos{
		"0": 0, "-0": 0, "0.0": 0, "0.15": 150_000_000, ".5": 500_000_000, "5.": 5_000_000_000, "+1": 1_000_000_000,
		"2e-7": 200, "1E-9": 1, "1e9": 1_000_000_000_000_000_000, "0.0000000010": 1, "-2.5": -2_500_000_000,
		"0e30": 0, "0.000000001e0": 1,
	} {
		if got, err := ParseUSD(text); err != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", text, int64(got), err, int64(want))
		}
	}
}

func TestParseUSDRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", " ", "abc", "1,5", "1 000", "$1", "1 ", " 1", "NaN", "nan", "Inf", "+inf", "-Infinity", "null", "true", `"1"`,
		"0x10", "0X1p-2", "0b1", "0B1", "0o7", "1_000", "1/3", "--1", "1e", "1e+", "e5", "1e5e5", "1.2.3",
		"0.0000000001", "1e-10", "9223372036.854775808", "-9223372036.854775809", "1e10",
		"1e999999999", "1e-999999999", "1e31", "1e-31", "1e99999999999999999999", "1p5", "1P5",
		strings.Repeat("1", 41), "0." + strings.Repeat("0", 50) + "1", "１",
	} {
		if got, err := ParseUSD(text); err == nil {
			t.Errorf("%q is read as %d, want an error", text, int64(got))
		}
	}
}

// Whatever the text, ParseUSD agrees with a reader of decimals that keeps
// every digit, or refuses.
func FuzzParseUSD(f *testing.F) {
	for _, seed := range []string{"0.15", "2e-7", "1e999999999", "NaN", "0x10", "-9223372036.854775808", "1_0", "1/3"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseUSD(text)
		if err != nil {
			return
		}
		if back, err := ParseUSD(got.String()); err != nil || back != got {
			t.Errorf("%q is %d, written %s, read %d, %v", text, int64(got), got, int64(back), err)
		}
		exact, _, err := big.ParseFloat(text, 10, 200, big.ToNearestEven)
		if err != nil {
			t.Fatalf("%q is accepted, but no decimal: %v", text, err)
		}
		scaled, _ := exact.Mul(exact, big.NewFloat(nanosPerDollar)).Float64()
		if math.Abs(scaled-float64(got)) > math.Abs(scaled)*1e-12 {
			t.Errorf("%q is %d nano-dollars, want about %g", text, int64(got), scaled)
		}
	})
}

func TestNanosInJSON(t *testing.T) {
	t.Parallel()
	var answer struct {
		Cost  Nanos  `json:"cost_usd"`
		Other *Nanos `json:"other_usd"`
	}
	if err := json.Unmarshal([]byte(`{"cost_usd": 2.13e-5}`), &answer); err != nil || answer.Cost != 21_300 || answer.Other != nil {
		t.Errorf("%+v, %v", answer, err)
	}
	for _, text := range []string{`{"cost_usd":"1"}`, `{"cost_usd":1e-10}`, `{"cost_usd":1e400}`, `{"cost_usd":{}}`, `{"cost_usd":true}`} {
		if err := json.Unmarshal([]byte(text), &answer); err == nil {
			t.Errorf("%s is read as %v", text, answer.Cost)
		}
	}
	text, err := json.Marshal(answer)
	if err != nil || string(text) != `{"cost_usd":0.0000213,"other_usd":null}` {
		t.Errorf("%s, %v", text, err)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	if err := (Price{}).Validate(); err != nil {
		t.Errorf("a free model: %v", err)
	}
	for _, p := range []Price{{Input: -1}, {CachedInput: -1}, {Output: -1}} {
		if p.Validate() == nil {
			t.Errorf("%+v is valid", p)
		}
	}
}

func BenchmarkCost(b *testing.B) {
	p := Price{Input: 150_000_000, CachedInput: 75_000_000, Output: 600_000_000}
	u := llm.Usage{In: 1200, CachedIn: 300, Out: 800}
	for b.Loop() {
		p.Cost(u)
	}
}
