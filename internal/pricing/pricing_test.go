package pricing

import (
	"encoding/json"
	"math"
	"math/big"
	"strings"
	"testing"
)

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

func TestRoundUSD(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text  string
		count int64
		want  Nanos
	}{
		{"1.25e-07", 1e6, 125_000_000}, {"7.000000000000001e-08", 1e6, 70_000_000}, {"2.9999999999999997e-06", 1e6, 3_000_000_000},
		{"0", 1e6, 0}, {"0.0", 1, 0}, {"3.75", 1, 3_750_000_000}, {"5e-10", 1, 1}, {"4.9e-10", 1, 0}, {"-5e-10", 1, 0}, {"-1", 1, -1_000_000_000},
	} {
		if got, err := RoundUSD(c.text, c.count); err != nil || got != c.want {
			t.Errorf("%d × %s is %d, %v; want %d", c.count, c.text, int64(got), err, int64(c.want))
		}
	}
	for _, text := range []string{"", "x", "1e31", "1e-31", "1/3", "9e9", "NaN"} {
		if got, err := RoundUSD(text, 1e6); err == nil {
			t.Errorf("%q is read as %d", text, int64(got))
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
