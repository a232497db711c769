package pricing

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/llm"
)

func date(text string) time.Time {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return t
}

func builtin(t *testing.T) Table {
	t.Helper()
	table, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestBuiltinTableIsSane(t *testing.T) {
	t.Parallel()
	table := builtin(t)
	version, err := time.Parse(time.DateOnly, table.Version)
	if err != nil {
		t.Errorf("version %q is not a date", table.Version)
	}
	for _, row := range table.Rows {
		checkRow(t, row, version)
	}
	for _, provider := range []string{"openai", "anthropic", "gemini", "openrouter", "cerebras", "groq", "together", "fireworks", "mistral"} {
		if len(table.Of(provider, version)) == 0 {
			t.Errorf("no model of %s", provider)
		}
	}
}

func checkRow(t *testing.T, row Row, version time.Time) {
	t.Helper()
	const cent, hundred = nanosPerDollar / 100, 100 * nanosPerDollar
	p := row.Price
	if p.Input < cent || p.Output > hundred || p.CachedInput <= 0 || p.CachedInput > p.Input || p.CacheWriteInput < p.Input {
		t.Errorf("%s %s has an odd price: %+v", row.Provider, row.Model, p)
	}
	if row.Purpose == llm.PurposeChat && (p.Output < p.Input || row.ContextTokens < 8000) {
		t.Errorf("%s %s: tier %q, context %d, price %+v", row.Provider, row.Model, row.Tier, row.ContextTokens, p)
	}
	if row.Purpose == llm.PurposeEmbedding && (p.Output != 0 || row.Lacks != 0) {
		t.Errorf("%s %s: %+v", row.Provider, row.Model, row)
	}
	if row.From.Year() < 2023 || row.From.After(version.AddDate(1, 0, 0)) || row.Read.After(version) || row.ContextTokens > 10_000_000 {
		t.Errorf("%s %s: from %v, read %v, table of %v, context %d", row.Provider, row.Model, row.From, row.Read, version, row.ContextTokens)
	}
}

// Within a provider, the cheapest model of a more demanding tier costs more.
func TestTiersFollowPrices(t *testing.T) {
	t.Parallel()
	table := builtin(t)
	version := date(table.Version)
	for _, provider := range providersOf(table) {
		cheapest := map[llm.Tier]Nanos{}
		for _, row := range table.Of(provider, version) {
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

func providersOf(table Table) []string {
	var names []string
	for _, row := range table.Rows {
		if !slices.Contains(names, row.Provider) {
			names = append(names, row.Provider)
		}
	}
	return names
}

func TestLookup(t *testing.T) {
	t.Parallel()
	table := builtin(t)
	row, ok := table.Lookup("openai", "gpt-6-luna", date("2026-11-23"))
	if !ok || row.Price.Input != 100_000_000 || row.Price.CachedInput != 10_000_000 || row.Price.Output != 500_000_000 || row.Tier != llm.TierSimple {
		t.Errorf("gpt-6-luna is %+v, %v", row, ok)
	}
	if row, ok := table.Lookup("cerebras", "gpt-6-luna", date("2026-11-23")); ok {
		t.Errorf("another provider's model is found: %+v", row)
	}
}

// dated is a table of a model whose price changed twice, out of order, and of
// one that calls itself like it.
func dated() Table {
	row := func(model, from string, price Nanos, aliases ...string) Row {
		return Row{Provider: "p", Model: model, Aliases: aliases, From: date(from), Price: Price{Input: price}}
	}
	return Table{Version: "v", Rows: []Row{
		row("m", "2026-03-01", 2, "m-2026"), row("m", "2026-01-01", 1, "m-2026"), row("m", "2026-12-01", 3, "m-2026"),
		row("other", "2026-01-01", 9, "m-old"), row("m-old", "2026-02-01", 7),
	}}
}

func TestThePriceInForceIsUsed(t *testing.T) {
	t.Parallel()
	table := dated()
	for _, c := range []struct {
		model, at string
		want      Nanos
	}{
		{"m", "2025-12-31", 0}, {"m", "2026-01-01", 1}, {"m", "2026-02-28", 1}, {"m", "2026-03-01", 2}, {"m", "2026-11-30", 2},
		{"m", "2026-12-01", 3}, {"m", "2030-01-01", 3}, {"m-2026", "2026-03-02", 2},
		{"m-old", "2026-01-15", 0}, {"m-old", "2026-03-01", 7}, // its own name goes before an alias
	} {
		row, ok := table.Lookup("p", c.model, date(c.at))
		if row.Price.Input != c.want || ok != (c.want > 0) {
			t.Errorf("%s costs %d on %s, want %d", c.model, row.Price.Input, c.at, c.want)
		}
	}
	rows := table.Of("p", date("2026-04-01"))
	if len(rows) != 3 || rows[0].Price.Input != 2 || rows[1].Model != "other" {
		t.Errorf("on that day there are %+v", rows)
	}
	if rows := table.Of("p", date("2025-01-01")); len(rows) != 0 {
		t.Errorf("before all prices there are %+v", rows)
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	changes := dated().Changes("p", "m-2026", date("2026-01-01"))
	want := []Dated{{date("2026-03-01"), Price{Input: 2}}, {date("2026-12-01"), Price{Input: 3}}}
	if !reflect.DeepEqual(changes, want) {
		t.Errorf("changes %+v, want %+v", changes, want)
	}
	for at, want := range map[string]Nanos{"2026-01-01": 1, "2026-02-28": 1, "2026-03-01": 2, "2026-12-01": 3, "2027-01-01": 3} {
		if got := PriceAt(Price{Input: 1}, changes, date(at)); got.Input != want {
			t.Errorf("%s: %d, want %d", at, got.Input, want)
		}
	}
	if changes := dated().Changes("p", "unknown", time.Time{}); changes != nil {
		t.Errorf("an unknown model changes: %+v", changes)
	}
}

// The rows of a model in the upper table replace all that the lower one has.
func TestOver(t *testing.T) {
	t.Parallel()
	upper := Table{Version: "u", Rows: []Row{
		{Provider: "p", Model: "m", From: date("2026-06-01"), Price: Price{Input: 5}},
		{Provider: "p", Model: "new", From: date("2026-06-01"), Price: Price{Input: 6}},
	}}
	over := upper.Over(dated())
	if over.Version != "u over v" || len(over.Rows) != 4 {
		t.Errorf("%+v", over)
	}
	for model, want := range map[string]Nanos{"m": 5, "new": 6, "other": 9, "m-old": 7} {
		if row, _ := over.Lookup("p", model, date("2027-01-01")); row.Price.Input != want {
			t.Errorf("%s costs %d, want %d", model, row.Price.Input, want)
		}
	}
	if row, ok := over.Lookup("p", "m", date("2026-04-01")); ok {
		t.Errorf("a price of the lower table is still there: %+v", row)
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
    effective_from: 2026-11-20
    source: https://example.com/prices
    read: 2026-11-23
`

const fullRow = `
  - provider: p
    model: "org/m:1"
    aliases: [m-1, "m 1"]
    tier: complex
    input_usd_per_mtok: 1
    cached_input_usd_per_mtok: 0.1
    cache_write_usd_per_mtok: 1.25
    output_usd_per_mtok: 5
    request_usd: 0.005
    long_context:
      above_tokens: 200000
      input_usd_per_mtok: 2
      cached_input_usd_per_mtok: 0.2
      cache_write_usd_per_mtok: 2.5
      output_usd_per_mtok: 7.5
    context_tokens: 1000000
    tools: false
    images: true
    json: false
    effective_from: 2026-01-01
    source: https://example.com/prices?a=b
    read: 2026-11-23
    confirmed: false
  - {provider: p, model: e, purpose: embedding, input_usd_per_mtok: 0.02, cached_input_usd_per_mtok: 0.02, output_usd_per_mtok: 0,
     context_tokens: 8191, effective_from: 2024-01-25, source: https://example.com, read: 2026-11-23}
`

func TestParseTable(t *testing.T) {
	t.Parallel()
	table, err := ParseTable([]byte("version: v\nprices:" + goodRow + fullRow))
	if err != nil {
		t.Fatal(err)
	}
	const usd = nanosPerDollar
	want := []Row{{
		Provider: "openai", Model: "m", Tier: llm.TierSimple, Purpose: llm.PurposeChat, ContextTokens: 128000,
		Price: Price{Input: 1_500_000_000, CachedInput: 150_000_000, CacheWriteInput: 1_500_000_000, Output: 6_000_000_000},
		From:  date("2026-11-20"), Source: "https://example.com/prices", Read: date("2026-11-23"), Confirmed: true,
	}, {
		Provider: "p", Model: "org/m:1", Aliases: []string{"m-1", "m 1"}, Tier: llm.TierComplex, Purpose: llm.PurposeChat,
		Lacks: llm.AbilityTools | llm.AbilityJSON, ContextTokens: 1_000_000,
		Price: Price{Input: usd, CachedInput: usd / 10, CacheWriteInput: usd * 5 / 4, Output: 5 * usd, PerRequest: usd / 200,
			Long: LongContext{Above: 200_000, Input: 2 * usd, CachedInput: usd / 5, CacheWriteInput: usd * 5 / 2, Output: usd * 15 / 2}},
		From: date("2026-01-01"), Source: "https://example.com/prices?a=b", Read: date("2026-11-23"),
	}, {
		Provider: "p", Model: "e", Purpose: llm.PurposeEmbedding, ContextTokens: 8191,
		Price: Price{Input: usd / 50, CachedInput: usd / 50, CacheWriteInput: usd / 50},
		From:  date("2024-01-25"), Source: "https://example.com", Read: date("2026-11-23"), Confirmed: true,
	}}
	if !reflect.DeepEqual(table.Rows, want) {
		t.Errorf("got\n%+v\nwant\n%+v", table.Rows, want)
	}
}

// What YAML writes is read as the same table.
func TestTablesRoundTrip(t *testing.T) {
	t.Parallel()
	full, err := ParseTable([]byte("version: '1: \"a\"'\nprices:" + goodRow + fullRow))
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range []Table{full, builtin(t)} {
		again, err := ParseTable(table.YAML())
		if err != nil || !reflect.DeepEqual(table, again) {
			t.Errorf("written\n%s\nread, %v, as\n%+v\nwant\n%+v", table.YAML(), err, again, table)
		}
	}
}

// A table that is wrong anywhere is an error as a whole: nothing is free
// because a price was misspelt.
func TestParseTableRefuses(t *testing.T) {
	t.Parallel()
	row := func(old, replacement string) string {
		if !strings.Contains(goodRow+fullRow, old) {
			t.Fatalf("no %q to replace", old)
		}
		return "version: v\nprices:" + goodRow + strings.Replace(strings.Replace(goodRow, "model: m", "model: n", 1)+fullRow, old, replacement, 1)
	}
	for name, text := range map[string]string{
		"empty":              "",
		"not YAML":           "version: [",
		"two documents":      "version: v\nprices:" + goodRow + "---\na: b\n",
		"no version":         "prices:" + goodRow,
		"no prices":          "version: v\n",
		"empty prices":       "version: v\nprices: []\n",
		"unknown top key":    "version: v\nextra: 1\nprices:" + goodRow,
		"twice":              "version: v\nprices:" + goodRow + goodRow,
		"an alias twice":     row("[m-1, \"m 1\"]", "[e, e]"),
		"unknown key":        row("input_usd", "inptu_usd"),
		"key given twice":    row("    tier: simple\n", "    tier: simple\n    tier: simple\n"),
		"missing price":      row("    output_usd_per_mtok: 6\n", ""),
		"missing cached":     row("    cached_input_usd_per_mtok: 0.15\n", ""),
		"empty price":        row("input_usd_per_mtok: 1.5", "input_usd_per_mtok:"),
		"quoted price":       row("input_usd_per_mtok: 1.5", `input_usd_per_mtok: "1.5"`),
		"price as list":      row("input_usd_per_mtok: 1.5", "input_usd_per_mtok: [1.5]"),
		"zero price":         row("input_usd_per_mtok: 1.5", "input_usd_per_mtok: 0"),
		"zero output":        row("output_usd_per_mtok: 6", "output_usd_per_mtok: 0"),
		"negative price":     row("input_usd_per_mtok: 1.5", "input_usd_per_mtok: -1.5"),
		"price too fine":     row("input_usd_per_mtok: 1.5", "input_usd_per_mtok: 1.0000000001"),
		"price of no token":  row("output_usd_per_mtok: 6", "output_usd_per_mtok: 10001"),
		"NaN":                row("input_usd_per_mtok: 1.5", "input_usd_per_mtok: .nan"),
		"cached dearer":      row("cached_input_usd_per_mtok: 0.15", "cached_input_usd_per_mtok: 1.6"),
		"free request":       row("request_usd: 0.005", "request_usd: 0"),
		"no length":          row("      above_tokens: 200000\n", ""),
		"long cheaper":       row("      input_usd_per_mtok: 2\n", "      input_usd_per_mtok: 0.5\n"),
		"long without price": row("      output_usd_per_mtok: 7.5\n", ""),
		"unknown long key":   row("      above_tokens: 200000\n", "      above_tokens: 200000\n      tier: simple\n"),
		"unknown tier":       row("tier: simple", "tier: easy"),
		"unknown purpose":    row("purpose: embedding", "purpose: rerank"),
		"tier of embedding":  row("purpose: embedding,", "purpose: embedding, tier: simple,"),
		"flag as word":       row("tools: false", "tools: 'no'"),
		"no context":         row("    context_tokens: 128000\n", ""),
		"negative context":   row("128000", "-1"),
		"no date":            row("effective_from: 2026-11-20", "effective_from: yesterday"),
		"impossible date":    row("2026-11-20", "2026-02-30"),
		"not read":           row("    read: 2026-11-23\n", ""),
		"plain http":         row("https://", "http://"),
		"no source":          row("    source: https://example.com/prices\n", ""),
		"no provider":        row("provider: openai", `provider: ""`),
		"row is text":        "version: v\nprices: [x]\n",
		"too large":          "version: v\nprices:" + goodRow + strings.Repeat("# comment\n", maxTableBytes/10),
	} {
		if table, err := ParseTable([]byte(text)); err == nil {
			t.Errorf("%s: accepted as %+v", name, table)
		} else if len(table.Rows) != 0 {
			t.Errorf("%s: an error and %d rows", name, len(table.Rows))
		}
	}
}

// Errors say where the mistake is, and do not quote what may be another file.
func TestParseTableErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"version: v\nprices:" + goodRow + strings.Replace(goodRow, "0.15", "9", 1): "line 14: openai m: a cached token costs more than a fresh one",
		"version: v\nprices:" + goodRow + goodRow:                                  "line 14: openai m: m has a price from 2026-11-20 on line 3 already",
		"version: v\nsecret: hunter2\nprices:" + goodRow:                           `line 2: unknown field "secret"`,
		"OPENAI_API_KEY=sk-hunter2":                                                "line 1: string was used where mapping is expected",
	} {
		_, err := ParseTable([]byte(text))
		if err == nil || err.Error() != want || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func FuzzParseTable(f *testing.F) {
	f.Add("version: v\nprices:" + goodRow)
	f.Add("version: v\nprices:" + fullRow)
	f.Add("prices: [{provider: a}]")
	f.Fuzz(func(t *testing.T, text string) {
		table, err := ParseTable([]byte(text))
		if err != nil {
			return
		}
		for _, row := range table.Rows {
			if p := row.Price; p.Input <= 0 || p.CachedInput <= 0 || p.CacheWriteInput <= 0 || p.Output <= 0 && row.Purpose == llm.PurposeChat || p.Validate() != nil {
				t.Errorf("a free row: %+v", row)
			}
		}
		again, err := ParseTable(table.YAML())
		if err != nil || !reflect.DeepEqual(table, again) {
			t.Errorf("%q, written\n%s\nread, %v, as\n%+v\nwant\n%+v", text, table.YAML(), err, again, table)
		}
	})
}
