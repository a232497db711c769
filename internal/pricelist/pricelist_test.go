package pricelist

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
)

const usd = 1_000_000_000

var today = time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)

func mustRead(t *testing.T, list, text string) Imported {
	t.Helper()
	i, err := Read(list, []byte(text), today)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// row is what a list says, with what every imported row has.
func row(provider, model string, p pricing.Price, window int, source string) pricing.Row {
	return pricing.Row{Provider: provider, Model: model, Purpose: llm.PurposeChat, Price: p, ContextTokens: window,
		From: today, Read: today, Source: source}
}

func TestLiteLLM(t *testing.T) {
	t.Parallel()
	i := mustRead(t, LiteLLM, `{
		"sample_spec": {"litellm_provider": "one of the providers", "mode": "chat", "input_cost_per_token": 0.0},
		"plain": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1.5e-07, "output_cost_per_token": 6e-07,
			"cache_read_input_token_cost": 7.500000000000001e-08, "max_input_tokens": 128000, "max_output_tokens": 16384,
			"supports_function_calling": false, "supports_vision": true, "source": "https://example.com/p"},
		"claude-x": {"litellm_provider": "anthropic", "mode": "chat", "input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05,
			"cache_read_input_token_cost": 3e-07, "cache_creation_input_token_cost": 3.75e-06, "cache_creation_input_token_cost_above_1hr": 6e-06,
			"input_cost_per_token_above_200k_tokens": 6e-06, "output_cost_per_token_above_200k_tokens": 2.25e-05,
			"cache_read_input_token_cost_above_200k_tokens": 6e-07, "cache_creation_input_token_cost_above_200k_tokens": 7.5e-06,
			"max_tokens": 200000, "source": "ftp://example.com"},
		"gemini/g": {"litellm_provider": "gemini", "mode": "chat", "input_cost_per_token": 1.25e-06, "output_cost_per_token": 1e-05,
			"cache_creation_input_token_cost_above_200k_tokens": 2.5e-07, "input_cost_per_token_above_200k_tokens": 2.5e-06,
			"max_input_tokens": 1048576},
		"groq/openai/oss": {"litellm_provider": "groq", "mode": "chat", "input_cost_per_token": 1e-07, "output_cost_per_token": 5e-07,
			"cache_read_input_token_cost": 0, "cache_creation_input_token_cost": 0.0, "input_cost_per_request": 0.005, "max_input_tokens": 131072.0},
		"text-embedding": {"litellm_provider": "openai", "mode": "embedding", "input_cost_per_token": 2e-08, "output_cost_per_token": 0.0,
			"max_input_tokens": 8191, "supports_vision": false}
	}`)
	embed := row("openai", "text-embedding", pricing.Price{Input: usd / 50, CachedInput: usd / 50, CacheWriteInput: usd / 50}, 8191, liteLLMSource)
	embed.Purpose = llm.PurposeEmbedding
	plain := row("openai", "plain", pricing.Price{Input: usd * 15 / 100, CachedInput: usd * 75 / 1000, CacheWriteInput: usd * 15 / 100, Output: usd * 6 / 10}, 128_000, "https://example.com/p")
	plain.Lacks = llm.AbilityTools
	want := []pricing.Row{
		row("anthropic", "claude-x", pricing.Price{Input: 3 * usd, CachedInput: usd * 3 / 10, CacheWriteInput: usd * 375 / 100, Output: 15 * usd,
			Long: pricing.LongContext{Above: 200_000, Input: 6 * usd, CachedInput: usd * 6 / 10, CacheWriteInput: usd * 75 / 10, Output: usd * 225 / 10}}, 200_000, liteLLMSource),
		row("gemini", "g", pricing.Price{Input: usd * 125 / 100, CachedInput: usd * 125 / 100, CacheWriteInput: usd * 125 / 100, Output: 10 * usd,
			Long: pricing.LongContext{Above: 200_000, Input: usd * 25 / 10, CachedInput: usd * 25 / 10, CacheWriteInput: usd * 25 / 10, Output: 10 * usd}}, 1_048_576, liteLLMSource),
		row("groq", "openai/oss", pricing.Price{Input: usd / 10, CachedInput: usd / 10, CacheWriteInput: usd / 10, Output: usd / 2, PerRequest: usd / 200}, 131_072, liteLLMSource),
		plain, embed,
	}
	checkRows(t, i, want)
	if len(i.Skipped) != 0 {
		t.Errorf("left out: %v", i.Skipped)
	}
}

func checkRows(t *testing.T, i Imported, want []pricing.Row) {
	t.Helper()
	if len(i.Rows) != len(want) {
		t.Fatalf("%d rows, want %d: %+v\nleft out: %v", len(i.Rows), len(want), i.Rows, i.Skipped)
	}
	for n := range want {
		if !reflect.DeepEqual(i.Rows[n], want[n]) {
			t.Errorf("row %d is\n%+v\nwant\n%+v", n, i.Rows[n], want[n])
		}
	}
}

// What a row cannot say is left out with its reason: never half of it, and
// never for nothing.
func TestLiteLLMLeavesOut(t *testing.T) {
	t.Parallel()
	const good = `"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06, "max_input_tokens": 1000`
	with := func(more string) string { return good + ", " + more }
	without := func(key string) string {
		parts := strings.Split(good, ", ")
		return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return strings.HasPrefix(p, `"`+key) }), ", ")
	}
	for name, c := range map[string]struct{ entry, reason string }{
		"bedrock/x":      {strings.Replace(good, `"openai"`, `"bedrock"`, 1), "its provider is none of ours"},
		"number":         {strings.Replace(good, `"openai"`, `7`, 1), "its provider is none of ours"},
		"picture":        {strings.Replace(good, `"chat"`, `"image_generation"`, 1), "it neither chats nor embeds"},
		"no-mode":        {without("mode"), "it neither chats nor embeds"},
		"ft:tuned":       {good, "it is a variant of another model"},
		"us/regional":    {good, "it is a variant of another model"},
		"old":            {with(`"deprecation_date": "2026-11-25"`), "it was withdrawn"},
		"no-input":       {without("input"), "it has no price per token"},
		"no-output":      {without("output"), "its answers have no price per token"},
		"zero":           {strings.Replace(good, "1e-06", "0.0", 1), "it has no price per token"},
		"zero-output":    {strings.Replace(good, "2e-06", "0", 1), "its answers have no price per token"},
		"as-text":        {strings.Replace(good, "1e-06", `"1e-06"`, 1), "it has no price per token"},
		"negative":       {strings.Replace(good, "1e-06", "-1e-06", 1), "it has no price per token"},
		"negative-cache": {with(`"cache_read_input_token_cost": -1e-06`), "a price is negative"},
		"per-million":    {strings.Replace(good, "2e-06", "2.0", 1), "no model costs that much"},
		"huge":           {strings.Replace(good, "2e-06", "2e29", 1), "2e29 dollars is more than can be counted"},
		"no-window":      {without("max_input_tokens"), "its context window is not given"},
		"steps":          {with(`"tiered_pricing": []`), "its price depends on the prompt's length in several steps"},
		"two-steps":      {with(`"input_cost_per_token_above_128k_tokens": 2e-06, "input_cost_per_token_above_200k_tokens": 3e-06`), "its price depends on the prompt's length in several steps"},
		"reasoning":      {with(`"output_cost_per_reasoning_token": 3e-06`), "its reasoning tokens have a price of their own"},
		"dear-cache":     {with(`"cache_read_input_token_cost": 2e-06`), "cached tokens cost more than fresh ones"},
		"cheap-long":     {with(`"input_cost_per_token_above_200k_tokens": 5e-07`), "a long prompt is cheaper than a short one"},
	} {
		i := mustRead(t, LiteLLM, fmt.Sprintf(`{"fine": {%s, "output_cost_per_reasoning_token": 2e-06, "deprecation_date": "2026-11-26"}, %q: {%s}}`, good, name, c.entry))
		if len(i.Rows) != 1 || len(i.Skipped) != 1 || i.Skipped[0] != (Skipped{name, c.reason}) {
			t.Errorf("%s: %d rows, left out %v, want %s", name, len(i.Rows), i.Skipped, c.reason)
		}
	}
}

func TestTheSameModelTwice(t *testing.T) {
	t.Parallel()
	const list = `{"deepseek-chat": {"litellm_provider": "deepseek", "mode": "chat", "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06, "max_input_tokens": 1000},
		"deepseek/deepseek-chat": {"litellm_provider": "deepseek", "mode": "chat", "input_cost_per_token": %s, "output_cost_per_token": 2e-06, "max_input_tokens": 1000}}`
	if i := mustRead(t, LiteLLM, fmt.Sprintf(list, "1e-06")); len(i.Rows) != 1 || len(i.Skipped) != 0 {
		t.Errorf("at the same price: %+v", i)
	}
	i := mustRead(t, LiteLLM, fmt.Sprintf(list, "9e-06"))
	if want := (Skipped{"deepseek deepseek-chat", "it is listed several times, at different prices"}); len(i.Rows) != 0 || i.Skipped[0] != want {
		t.Errorf("at different prices: %+v", i)
	}
}

func TestModelsDev(t *testing.T) {
	t.Parallel()
	i := mustRead(t, ModelsDev, `{
		"google": {"id": "google", "models": {
			"g": {"id": "g", "tool_call": true, "structured_output": false, "modalities": {"input": ["text", "image"], "output": ["text"]},
				"limit": {"context": 1048576, "output": 65536},
				"cost": {"input": 2, "output": 12, "cache_read": 0.2, "context_over_200k": {"input": 4, "output": 18, "cache_read": 0.4}}},
			"g-embedding": {"modalities": {"input": ["text"], "output": ["text"]}, "limit": {"context": 2048}, "cost": {"input": 0.15, "output": 0}}}},
		"openai": {"models": {"o": {"tool_call": false, "modalities": {"input": ["text"], "output": ["text"]}, "limit": {"context": 1050000},
			"cost": {"input": 5.0, "output": 30.0, "cache_read": 0.5, "cache_write": 6.25, "reasoning": 30,
				"tiers": [{"tier": {"type": "context", "size": 272000}, "input": 10.0, "output": 45.0, "cache_read": 1.0, "cache_write": 12.5}]}}}}
	}`)
	g := row("gemini", "g", pricing.Price{Input: 2 * usd, CachedInput: usd / 5, CacheWriteInput: 2 * usd, Output: 12 * usd,
		Long: pricing.LongContext{Above: 200_000, Input: 4 * usd, CachedInput: usd * 2 / 5, CacheWriteInput: 4 * usd, Output: 18 * usd}}, 1_048_576, modelsDevSource)
	g.Lacks = llm.AbilityJSON
	embed := row("gemini", "g-embedding", pricing.Price{Input: usd * 15 / 100, CachedInput: usd * 15 / 100, CacheWriteInput: usd * 15 / 100}, 2048, modelsDevSource)
	embed.Purpose = llm.PurposeEmbedding
	o := row("openai", "o", pricing.Price{Input: 5 * usd, CachedInput: usd / 2, CacheWriteInput: usd * 625 / 100, Output: 30 * usd,
		Long: pricing.LongContext{Above: 272_000, Input: 10 * usd, CachedInput: usd, CacheWriteInput: usd * 125 / 10, Output: 45 * usd}}, 1_050_000, modelsDevSource)
	o.Lacks = llm.AbilityTools | llm.AbilityImages
	checkRows(t, i, []pricing.Row{g, embed, o})
	if len(i.Skipped) != 0 {
		t.Errorf("left out: %v", i.Skipped)
	}
}

func TestModelsDevLeavesOut(t *testing.T) {
	t.Parallel()
	const good = `{"modalities": {"output": ["text"]}, "limit": {"context": 9}, "cost": {"input": 1, "output": 2}}`
	swap := func(old, with string) string { return strings.Replace(good, old, with, 1) }
	for name, c := range map[string]struct{ entry, reason string }{
		"openai/old":       {swap(`{"mod`, `{"status": "deprecated", "mod`), "it was withdrawn"},
		"openai/picture":   {swap("text", "image"), "it neither chats nor embeds"},
		"openai/unpriced":  {swap(`, "cost": {"input": 1, "output": 2}`, ""), "it has no price per token"},
		"openai/free":      {swap(`"input": 1, "output": 2`, `"input": 0, "output": 0`), "it has no price per token"},
		"openai/reasoning": {swap(`"output": 2`, `"output": 2, "reasoning": 3`), "its reasoning tokens have a price of their own"},
		"openai/steps":     {swap(`"output": 2`, `"output": 2, "tiers": [{"tier": {"size": 1}}, {"tier": {"size": 2}}]`), "its price depends on the prompt's length in several steps"},
		"openai/no-length": {swap(`"output": 2`, `"output": 2, "tiers": [{"input": 2, "output": 3}]`), "there are prices of long prompts, but not from which length"},
		"openai/odd":       {`{"cost": "much"}`, "it is written in another way than the others"},
		"openai/list":      {`[]`, "it is written in another way than the others"},
		"elsewhere/m":      {good, "its provider is none of ours"},
	} {
		provider, model, _ := strings.Cut(name, "/")
		i := mustRead(t, ModelsDev, fmt.Sprintf(`{"anthropic": {"models": {"fine": %s}}, %q: {"models": {%q: %s}}}`, good, provider, model, c.entry))
		if len(i.Rows) != 1 || len(i.Skipped) != 1 || i.Skipped[0] != (Skipped{name, c.reason}) {
			t.Errorf("%s: %d rows, left out %v, want %s", name, len(i.Rows), i.Skipped, c.reason)
		}
	}
}

// What is no such list is refused whole, without being quoted.
func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for _, list := range []string{LiteLLM, ModelsDev} {
		for _, text := range []string{"", "hunter2", `{"hunter2"`, `[]`, `"hunter2"`, `{}`, `{"a": 1}`, `{"a": {}}`, `{"a": {"hunter2": 1}}`, `null`} {
			i, err := Read(list, []byte(text), today)
			if err == nil || strings.Contains(err.Error(), "hunter2") || len(i.Rows) > 0 {
				t.Errorf("%s: %q gives %+v, %v", list, text, i, err)
			}
		}
	}
	if _, err := Read("openrouter", []byte(`{}`), today); err == nil {
		t.Error("an unknown list is read")
	}
}

// known is what the table says of models that lists have too.
func known() pricing.Table {
	day := func(s string) time.Time {
		d, err := time.Parse(time.DateOnly, s)
		if err != nil {
			panic(err)
		}
		return d
	}
	base := func(model, from string, input pricing.Nanos) pricing.Row {
		return pricing.Row{Provider: "openai", Model: model, Aliases: []string{model + "-2026", model + "-old"}, Purpose: llm.PurposeChat, Tier: llm.TierComplex,
			Lacks: llm.AbilityImages, ContextTokens: 400_000, Price: pricing.Price{Input: input, CachedInput: input, CacheWriteInput: input, Output: 2 * usd},
			From: day(from), Read: day("2026-11-01"), Source: "https://vendor.example", Confirmed: true}
	}
	return pricing.Table{Version: "v", Rows: []pricing.Row{base("same", "2026-01-01", usd), base("same", "2027-01-01", 5*usd),
		base("moved", "2026-01-01", usd), base("leapt", "2026-01-01", usd)}}
}

func imported() Imported {
	at := func(model string, input pricing.Nanos) pricing.Row {
		r := row("openai", model, pricing.Price{Input: input, CachedInput: input, CacheWriteInput: input, Output: 2 * usd}, 272_000, "https://list.example")
		r.Lacks = llm.AbilityTools
		return r
	}
	return Imported{Rows: []pricing.Row{at("leapt", 10*usd+1), at("moved", 10*usd), at("new", 3*usd), at("same", usd), at("same-2026", usd)}}
}

// What is known beyond a list's price is kept; while the price is the same, so
// is all that is known of it.
func TestTableKeepsWhatIsKnown(t *testing.T) {
	t.Parallel()
	table := imported().Table("list", known(), today)
	if _, err := pricing.ParseTable(table.YAML()); err != nil {
		t.Fatal(err)
	}
	byName := map[string][]pricing.Row{}
	for _, r := range table.Rows {
		byName[r.Model] = append(byName[r.Model], r)
	}
	same := byName["same"]
	if len(same) != 2 || !same[0].Confirmed || same[0].Source != "https://vendor.example" || same[0].From.Year() != 2026 || same[0].From.Equal(today) ||
		same[1].From.Year() != 2027 || same[1].Price.Input != 5*usd || !slices.Equal(same[0].Aliases, []string{"same-old"}) {
		t.Errorf("an unchanged price: %+v", same)
	}
	moved := byName["moved"][0]
	if moved.Confirmed || moved.Source != "https://list.example" || !moved.From.Equal(today) || moved.Price.Input != 10*usd ||
		moved.Tier != llm.TierComplex || moved.ContextTokens != 400_000 || moved.Lacks != llm.AbilityImages|llm.AbilityTools || len(moved.Aliases) != 2 {
		t.Errorf("a changed price: %+v", moved)
	}
	for _, name := range []string{"new", "same-2026"} {
		if r := byName[name][0]; r.Tier != "" || r.Confirmed || r.ContextTokens != 272_000 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestLeaps(t *testing.T) {
	t.Parallel()
	leaps := imported().Leaps(known(), today)
	var got []string
	for _, l := range leaps {
		got = append(got, l.String())
	}
	want := []string{"openai leapt: input from 1 to 10.000000001", "openai leapt: cached input from 1 to 10.000000001"}
	if !slices.Equal(got, want) {
		t.Errorf("leaps %q, want %q", got, want)
	}
	down := Imported{Rows: []pricing.Row{{Provider: "openai", Model: "moved", Price: pricing.Price{Input: usd/10 - 1, CachedInput: usd / 10, Output: 20 * usd}}}}
	if leaps := down.Leaps(known(), today); len(leaps) != 1 || leaps[0].Rate != "input" {
		t.Errorf("downwards: %v", leaps)
	}
}

func TestEnough(t *testing.T) {
	t.Parallel()
	i := Imported{Rows: make([]pricing.Row, minRows-1)}
	if err := i.Enough(); !errors.Is(err, ErrFew) {
		t.Errorf("%d rows: %v", len(i.Rows), err)
	}
	i.Rows = append(i.Rows, pricing.Row{})
	if err := i.Enough(); err != nil {
		t.Errorf("%d rows: %v", len(i.Rows), err)
	}
}

// Whatever a list says, what comes of it is a table that parses, in which
// nothing is free.
func FuzzRead(f *testing.F) {
	f.Add(LiteLLM, `{"m": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06, "max_input_tokens": 1000}}`)
	f.Add(LiteLLM, `{"gemini/m": {"litellm_provider": "gemini", "mode": "embedding", "input_cost_per_token": 1e-06, "input_cost_per_token_above_1k_tokens": 2e-06, "max_tokens": 1}}`)
	f.Add(ModelsDev, `{"openai": {"models": {"m": {"modalities": {"output": ["text"]}, "limit": {"context": 9}, "cost": {"input": 1, "output": 2, "context_over_200k": {"input": 2, "output": 3}}}}}}`)
	f.Fuzz(func(t *testing.T, list, text string) {
		i, err := Read(list, []byte(text), today)
		if err != nil || len(i.Rows) == 0 {
			return
		}
		table := i.Table("fuzz", known(), today)
		again, err := pricing.ParseTable(table.YAML())
		if err != nil {
			t.Fatalf("%v\n%s", err, table.YAML())
		}
		for _, r := range again.Rows {
			if r.Price.Input <= 0 || r.Price.Output <= 0 && r.Purpose == llm.PurposeChat {
				t.Errorf("free: %+v", r)
			}
		}
	})
}
