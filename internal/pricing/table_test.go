package pricing

import (
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/llm"
)

func TestBuiltinTableIsSane(t *testing.T) {
	t.Parallel()
	table, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	version, err := time.Parse(time.DateOnly, table.Version)
	if err != nil {
		t.Errorf("version %q is not a date", table.Version)
	}
	seen := map[string]bool{}
	for _, row := range table.Rows {
		checkRow(t, row, version)
		if key := row.Provider + " " + row.Model; seen[key] {
			t.Errorf("%s is listed twice", key)
		} else {
			seen[key] = true
		}
	}
	for _, provider := range []string{"openai", "openrouter", "cerebras"} {
		if len(table.Of(provider)) == 0 {
			t.Errorf("no model of %s", provider)
		}
	}
}

func checkRow(t *testing.T, row Row, version time.Time) {
	t.Helper()
	const cent, hundred = nanosPerDollar / 100, 100 * nanosPerDollar
	p := row.Price
	if p.Input < cent || p.Output > hundred || p.Output < p.Input || p.CachedInput <= 0 || p.CachedInput > p.Input {
		t.Errorf("%s %s has an odd price: %+v", row.Provider, row.Model, p)
	}
	if row.Tier.Rank() < 0 || row.ContextTokens < 8000 || row.ContextTokens > 10_000_000 {
		t.Errorf("%s %s: tier %q, context %d", row.Provider, row.Model, row.Tier, row.ContextTokens)
	}
	if row.Effective.After(version) || row.Effective.Year() < 2023 {
		t.Errorf("%s %s: effective %v, table of %v", row.Provider, row.Model, row.Effective, version)
	}
	if !strings.HasPrefix(row.Source, "https://") {
		t.Errorf("%s %s: source %q", row.Provider, row.Model, row.Source)
	}
}

// Within a provider, the cheapest model of a more demanding tier costs more.
func TestTiersFollowPrices(t *testing.T) {
	t.Parallel()
	table, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for _, provider := range []string{"openai", "openrouter", "cerebras"} {
		cheapest := map[llm.Tier]Nanos{}
		for _, row := range table.Of(provider) {
			sum := row.Price.Input + row.Price.Output
			if before, ok := cheapest[row.Tier]; !ok || sum < before {
				cheapest[row.Tier] = sum
			}
		}
		last := Nanos(0)
		for _, tier := range llm.Tiers() {
			if sum, ok := cheapest[tier]; ok && sum <= last {
				t.Errorf("%s: the cheapest %s model is no dearer than the tier below", provider, tier)
			} else if ok {
				last = sum
			}
		}
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	table, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	row, ok := table.Lookup("openai", "gpt-6-luna")
	if !ok || row.Price != (Price{Input: 100_000_000, CachedInput: 10_000_000, Output: 500_000_000}) || row.Tier != llm.TierSimple {
		t.Errorf("gpt-6-luna is %+v, %v", row, ok)
	}
	if row, ok := table.Lookup("cerebras", "gpt-6-luna"); ok {
		t.Errorf("another provider's model is found: %+v", row)
	}
}

const goodRow = `
  - provider: openai
    model: m
    tier: simple
    input_usd_per_mtok: 1.5
    cached_input_usd_per_mtok: 0.15
    output_usd_per_mtok: 6
    context_tokens: 128000
    effective: 2026-11-23
    source: https://example.com/prices
`

func TestParseTable(t *testing.T) {
	t.Parallel()
	table, err := ParseTable([]byte("version: v\nprices:" + goodRow))
	if err != nil {
		t.Fatal(err)
	}
	want := Row{
		Provider: "openai", Model: "m", Tier: llm.TierSimple, ContextTokens: 128000,
		Price:     Price{Input: 1_500_000_000, CachedInput: 150_000_000, Output: 6_000_000_000},
		Effective: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), Source: "https://example.com/prices",
	}
	if len(table.Rows) != 1 || table.Rows[0] != want {
		t.Errorf("%+v", table)
	}
}

// A table that is wrong anywhere is an error as a whole: nothing is free
// because a price was misspelt.
func TestParseTableRefuses(t *testing.T) {
	t.Parallel()
	row := func(old, replacement string) string {
		if !strings.Contains(goodRow, old) {
			t.Fatalf("no %q to replace", old)
		}
		return "version: v\nprices:" + goodRow + strings.Replace(strings.Replace(goodRow, "model: m", "model: n", 1), old, replacement, 1)
	}
	for name, text := range map[string]string{
		"empty":            "",
		"not YAML":         "version: [",
		"no version":       "prices:" + goodRow,
		"no prices":        "version: v\n",
		"empty prices":     "version: v\nprices: []\n",
		"unknown top key":  "version: v\nextra: 1\nprices:" + goodRow,
		"twice":            "version: v\nprices:" + goodRow + goodRow,
		"unknown key":      row("input_usd", "inptu_usd"),
		"missing price":    row("    output_usd_per_mtok: 6\n", ""),
		"missing cached":   row("    cached_input_usd_per_mtok: 0.15\n", ""),
		"empty price":      row("input_usd_per_mtok: 1.5", "input_usd_per_mtok:"),
		"quoted price":     row("input_usd_per_mtok: 1.5", `input_usd_per_mtok: "1.5"`),
		"price as list":    row("input_usd_per_mtok: 1.5", "input_usd_per_mtok: [1.5]"),
		"zero price":       row("input_usd_per_mtok: 1.5", "input_usd_per_mtok: 0"),
		"negative price":   row("input_usd_per_mtok: 1.5", "input_usd_per_mtok: -1.5"),
		"price too fine":   row("input_usd_per_mtok: 1.5", "input_usd_per_mtok: 1.0000000001"),
		"NaN":              row("input_usd_per_mtok: 1.5", "input_usd_per_mtok: .nan"),
		"cached dearer":    row("cached_input_usd_per_mtok: 0.15", "cached_input_usd_per_mtok: 1.6"),
		"unknown tier":     row("tier: simple", "tier: easy"),
		"missing tier":     row("    tier: simple\n", ""),
		"no context":       row("    context_tokens: 128000\n", ""),
		"negative context": row("128000", "-1"),
		"no date":          row("effective: 2026-11-23", "effective: yesterday"),
		"impossible date":  row("2026-11-23", "2026-02-30"),
		"plain http":       row("https://", "http://"),
		"no source":        row("    source: https://example.com/prices\n", ""),
		"no provider":      row("provider: openai", `provider: ""`),
	} {
		if table, err := ParseTable([]byte(text)); err == nil {
			t.Errorf("%s: accepted as %+v", name, table)
		} else if len(table.Rows) != 0 {
			t.Errorf("%s: an error and %d rows", name, len(table.Rows))
		}
	}
}

func FuzzParseTable(f *testing.F) {
	f.Add("version: v\nprices:" + goodRow)
	f.Add("prices: [{provider: a}]")
	f.Fuzz(func(t *testing.T, text string) {
		table, err := ParseTable([]byte(text))
		if err != nil {
			return
		}
		for _, row := range table.Rows {
			if row.Price.Input <= 0 || row.Price.CachedInput <= 0 || row.Price.Output <= 0 {
				t.Errorf("a free row: %+v", row)
			}
		}
	})
}
