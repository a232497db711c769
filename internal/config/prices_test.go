package config

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
)

func TestPricesAreReadAsWritten(t *testing.T) {
	t.Parallel()
	const usd = 1_000_000_000
	c := mustLoad(t, readFile(t, "testdata/good/prices.yaml"))
	table, _ := c.Prices.Table.Lookup("openai", "gpt-6-luna", today)
	for id, want := range map[string]pricing.Price{
		"stated": {Input: usd * 3 / 2, CachedInput: usd / 20, CacheWriteInput: usd * 15 / 8, Output: 9 * usd, PerRequest: usd / 10_000,
			Long: pricing.LongContext{Above: 272_000, Input: 3 * usd, CachedInput: usd / 10, CacheWriteInput: 3 * usd, Output: usd * 27 / 2}},
		"table":   table.Price,
		"unknown": {Unknown: true},
		"free":    {},
		"embed":   {Input: usd / 50, CachedInput: usd / 50, CacheWriteInput: usd / 50},
	} {
		if m, ok := c.Model(id); !ok || m.Price != want {
			t.Errorf("%s costs %+v, want %+v", id, m.Price, want)
		}
	}
	if c.Baseline().ID != "stated" {
		t.Errorf("the baseline is %s: one without a price is dearer than none", c.Baseline().ID)
	}
}

// A model that nobody has priced is allowed, and said to be so.
func TestUnpricedModelsAreWarnedAbout(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, readFile(t, "testdata/good/prices.yaml"))
	if len(c.Warnings) != 1 || !strings.HasPrefix(c.Warnings[0], "model unknown has no price: its requests are counted as unpriced") {
		t.Errorf("warnings %q", c.Warnings)
	}
	c = mustLoad(t, "models: [{id: a, provider: openai, upstream: gpt-next, tier: simple}]\n")
	if c.Baseline().ID != "a" || !slices.Contains(c.Warnings, "no model has a price, so neither costs nor savings can be told") {
		t.Errorf("baseline %s, warnings %q", c.Baseline().ID, c.Warnings)
	}
}

const priceList = `version: ours-1
prices:
  - {provider: openai, model: gpt-6-luna, tier: simple, input_usd_per_mtok: 7, cached_input_usd_per_mtok: 0.7, output_usd_per_mtok: 70,
     context_tokens: 1000, images: false, effective_from: 2026-01-01, source: https://example.com, read: 2026-11-25, confirmed: false}
  - {provider: openai, model: gpt-6-luna, tier: simple, input_usd_per_mtok: 8, cached_input_usd_per_mtok: 0.8, output_usd_per_mtok: 80,
     context_tokens: 1000, effective_from: 2027-01-01, source: https://example.com, read: 2026-11-25, confirmed: false}
  - {provider: openai, model: gpt-untiered, input_usd_per_mtok: 1, cached_input_usd_per_mtok: 1, output_usd_per_mtok: 2,
     context_tokens: 1000, effective_from: 2026-01-01, source: https://example.com, read: 2026-11-25}
`

func loadWithPrices(yaml, list string, at time.Time) (Config, error) {
	return Load(All, env("BUSU_CONFIG", "/etc/busu/busu.yaml", "OPENAI_API_KEY", openAIKey),
		files("/etc/busu/busu.yaml", yaml, "/etc/busu/lists/prices.yaml", list), at)
}

func TestPriceFileGoesOverTheTable(t *testing.T) {
	t.Parallel()
	c, err := loadWithPrices("prices: {file: lists/prices.yaml}\n", priceList, today)
	if err != nil {
		t.Fatal(err)
	}
	m, _ := c.Model("gpt-6-luna")
	if m.Price.Input != 7_000_000_000 || m.Can(llm.AbilityImages) || m.ContextTokens != 1000 {
		t.Errorf("%+v", m)
	}
	if m, ok := c.Model("gpt-6.1-sol"); !ok || m.Price.Input != 2_000_000_000 {
		t.Errorf("a model that the file does not list is %+v", m)
	}
	if m, ok := c.Model("gpt-untiered"); ok {
		t.Errorf("a model whose place nobody knows is brought: %+v", m)
	}
	notes := strings.Join(c.Notes, "\n")
	if !strings.Contains(notes, "price table ours-1 over ") || !strings.Contains(notes, "not confirmed by the provider's own page, gpt-6-luna among them") {
		t.Errorf("notes %s", notes)
	}
	c, err = loadWithPrices("prices: {file: lists/prices.yaml}\nmodels: [{id: m, provider: openai, upstream: gpt-untiered, tier: simple}]\n", priceList, today)
	if m, _ := c.Model("m"); err != nil || m.Price.Output != 2_000_000_000 {
		t.Errorf("%+v, %v", m, err)
	}
}

// The price in force when the configuration is loaded is used, and what comes
// into force later is known.
func TestPricesHaveTheirTime(t *testing.T) {
	t.Parallel()
	const yaml = "prices: {file: lists/prices.yaml}\nmodels: [{id: m, provider: openai, upstream: gpt-6-luna}, {id: n, provider: openai, upstream: gpt-6-luna}]\n"
	c, err := loadWithPrices(yaml, priceList, today)
	if err != nil {
		t.Fatal(err)
	}
	newYear := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	m, _ := c.Model("m")
	for at, want := range map[time.Time]pricing.Nanos{today: 7, newYear.Add(-1): 7, newYear: 8, newYear.AddDate(1, 0, 0): 8} {
		if got := m.PriceAt(at).Input; got != want*1_000_000_000 {
			t.Errorf("at %v it costs %s, want %d", at, got, want)
		}
	}
	if changes := c.PriceChanges(); !reflect.DeepEqual(changes, []time.Time{newYear}) {
		t.Errorf("changes %v", changes)
	}
	again, err := loadWithPrices(printed(t, c), priceList, today)
	c.Notes, again.Notes = nil, nil
	if err != nil || !reflect.DeepEqual(c, again) {
		t.Errorf("printed\n%s\nand loaded again, %v\n%+v\nwant\n%+v", printed(t, c), err, again.Models, c.Models)
	}
	if c, err = loadWithPrices(yaml, priceList, newYear); err != nil || c.Models[0].Price.Input != 8_000_000_000 || c.Models[0].Later != nil {
		t.Errorf("loaded in the new year: %+v, %v", c.Models, err)
	}
}

// A price list that is wrong anywhere ends the start: nothing is free because
// a list could not be read.
func TestBadPriceFileIsRefused(t *testing.T) {
	t.Parallel()
	for list, want := range map[string]string{
		"":                          "it is empty",
		"version: v\n":              "a price table needs a version and at least one price",
		"OPENAI_API_KEY=sk-hunter2": "line 1: string was used where mapping is expected",
		strings.Replace(priceList, "input_usd_per_mtok: 7,", "input_usd_per_mtok: 0,", 1):    "line 3: openai gpt-6-luna: input_usd_per_mtok is not positive; a model that costs nothing is listed in busu.yaml, with the price 0",
		strings.Replace(priceList, "output_usd_per_mtok: 70,", "", 1):                        "line 3: openai gpt-6-luna: output_usd_per_mtok is missing",
		strings.Replace(priceList, "tier: simple", "tier: smple", 1):                         "line 3: openai gpt-6-luna: tier must be simple, moderate or complex, and only of a model that chats",
		strings.Replace(priceList, "effective_from: 2027-01-01", "effective: 2027-01-01", 1): `line 6: unknown field "effective"`,
	} {
		_, err := loadWithPrices("\nprices: {file: lists/prices.yaml}\n", list, today)
		var problems Problems
		if !errors.As(err, &problems) {
			t.Errorf("%s: Load gave %v, want Problems", want, err)
			continue
		}
		full := "busu.yaml line 2: prices.file is no price table: " + want + "; correct it, or make it anew with busu prices import"
		if err.Error() != full {
			t.Errorf("got\n%v\nwant\n%s", err, full)
		}
		checkEachHasAHint(t, problems)
	}
}

// Whoever sets a key gets the models of its vendor, with their tiers.
func TestEachKeyBringsModels(t *testing.T) {
	t.Parallel()
	for _, known := range presets {
		if known.keyEnv == "" {
			continue
		}
		c, err := load(All, env(known.keyEnv, "key"), files())
		if err != nil {
			t.Errorf("%s: %v", known.keyEnv, err)
			continue
		}
		if c.Providers[0].Name == KindSimulated {
			if notes := strings.Join(c.Notes, "\n"); !strings.Contains(notes, known.keyEnv+" is set, but the price table has no model of "+known.name) {
				t.Errorf("%s brings nothing, and nobody says so: %s", known.keyEnv, notes)
			}
			continue
		}
		for _, m := range c.Models {
			if m.Provider != known.name || m.Price.Unknown || m.Chats() == (m.Tier == "") {
				t.Errorf("%s brings %+v", known.keyEnv, m)
			}
		}
	}
}
