package config

import (
	"cmp"
	"time"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
)

// preset is what is known of a provider by its name alone.
type preset struct {
	name    string // also its name in the price table
	kind    string
	baseURL string
	keyEnv  string
}

// presets, in the order in which their models come. Those without a key run on
// one's own machines, where nobody asks for one unless told to.
var presets = []preset{
	{name: "openai", kind: KindOpenAI, baseURL: "https://api.openai.com/v1", keyEnv: "OPENAI_API_KEY"},
	{name: "anthropic", kind: KindAnthropic, baseURL: "https://api.anthropic.com", keyEnv: "ANTHROPIC_API_KEY"},
	{name: "gemini", kind: KindGemini, baseURL: "https://generativelanguage.googleapis.com/v1beta", keyEnv: "GEMINI_API_KEY"},
	{name: "openrouter", kind: KindOpenAI, baseURL: "https://openrouter.ai/api/v1", keyEnv: "OPENROUTER_API_KEY"},
	{name: "cerebras", kind: KindOpenAI, baseURL: "https://api.cerebras.ai/v1", keyEnv: "CEREBRAS_API_KEY"},
	{name: "groq", kind: KindOpenAI, baseURL: "https://api.groq.com/openai/v1", keyEnv: "GROQ_API_KEY"},
	{name: "together", kind: KindOpenAI, baseURL: "https://api.together.xyz/v1", keyEnv: "TOGETHER_API_KEY"},
	{name: "mistral", kind: KindOpenAI, baseURL: "https://api.mistral.ai/v1", keyEnv: "MISTRAL_API_KEY"},
	{name: "deepseek", kind: KindOpenAI, baseURL: "https://api.deepseek.com/v1", keyEnv: "DEEPSEEK_API_KEY"},
	{name: "fireworks", kind: KindOpenAI, baseURL: "https://api.fireworks.ai/inference/v1", keyEnv: "FIREWORKS_API_KEY"},
	{name: "xai", kind: KindOpenAI, baseURL: "https://api.x.ai/v1", keyEnv: "XAI_API_KEY"},
	{name: "ollama", kind: KindOpenAI, baseURL: "http://127.0.0.1:11434/v1"},
	{name: "vllm", kind: KindOpenAI, baseURL: "http://127.0.0.1:8000/v1"},
	{name: "simulated", kind: KindSimulated},
}

func presetNamed(name string) (preset, bool) {
	for _, p := range presets {
		if p.name == name {
			return p, true
		}
	}
	return preset{}, false
}

// presetOfKind is the one vendor that speaks a kind's language. OpenAI's is
// spoken by many.
func presetOfKind(kind string) preset {
	switch kind {
	case KindAnthropic, KindGemini, KindSimulated:
		p, _ := presetNamed(kind)
		return p
	}
	return preset{}
}

func presetNames() []string {
	names := make([]string, len(presets))
	for i, p := range presets {
		names[i] = p.name
	}
	return names
}

func (p preset) provider(key Secret) Provider {
	provider := newProvider()
	provider.Name, provider.Kind, provider.BaseURL = p.name, p.kind, p.baseURL
	provider.APIKeyEnv, provider.APIKey = p.keyEnv, key
	return provider
}

const (
	kiloTokens  = 1000
	nanosDollar = 1_000_000_000
	nanosCent   = nanosDollar / 100
)

// simulatedRows are the simulated provider's models, at typical prices of a
// small, a medium and a large model, and of one that embeds. Its cached prices equal the fresh ones:
// it caches nothing.
var simulatedRows = []pricing.Row{
	simulatedRow("small", llm.TierSimple, 15*nanosCent, 60*nanosCent),
	simulatedRow("medium", llm.TierModerate, 80*nanosCent, 4*nanosDollar),
	simulatedRow("large", llm.TierComplex, 3*nanosDollar, 15*nanosDollar),
	simulatedEmbedding(2 * nanosCent),
}

func simulatedRow(model string, tier llm.Tier, input, output pricing.Nanos) pricing.Row {
	return pricing.Row{
		Provider: KindSimulated, Model: model, Tier: tier, ContextTokens: 128 * kiloTokens,
		Price:     pricing.Price{Input: input, CachedInput: input, CacheWriteInput: input, Output: output},
		Confirmed: true,
	}
}

func simulatedEmbedding(input pricing.Nanos) pricing.Row {
	row := simulatedRow("embedding", "", input, 0)
	row.Purpose, row.ContextTokens = llm.PurposeEmbedding, 8*kiloTokens
	return row
}

// catalog lists the models that a provider brings without being told: the
// simulated ones, or the price table's where the provider is asked at its own
// address. Another address under a known name may charge something else.
func catalog(p Provider, prices pricing.Table, at time.Time) []pricing.Row {
	if p.Kind == KindSimulated {
		return simulatedRows
	}
	if known, ok := presetAt(p); ok {
		return served(prices.Of(known.name, at))
	}
	return nil
}

// catalogRow finds what is known of one model, brought by default or not.
func catalogRow(p Provider, prices pricing.Table, upstream string, at time.Time) (pricing.Row, bool) {
	if p.Kind == KindSimulated {
		return pricing.Table{Rows: simulatedRows}.Lookup(KindSimulated, upstream, at)
	}
	if known, ok := presetAt(p); ok {
		return prices.Lookup(known.name, upstream, at)
	}
	return pricing.Row{}, false
}

func presetAt(p Provider) (preset, bool) {
	for _, known := range presets {
		if known.kind == p.Kind && known.baseURL == p.BaseURL {
			return known, true
		}
	}
	return preset{}, false
}

func modelOf(p Provider, row pricing.Row) Model {
	return Model{
		Model: llm.Model{ID: row.Model, Provider: p.Name, Upstream: row.Model, Tier: row.Tier, ContextTokens: row.ContextTokens,
			Purpose: cmp.Or(row.Purpose, llm.PurposeChat), Lacks: row.Lacks},
		Price: row.Price,
	}
}

// defaultBaseline is the cheapest model of the most demanding tier there is:
// what a careful team would use for everything, so that savings against it
// flatter nobody. A model without a price is taken only where all are.
func defaultBaseline(models []Model) string {
	priced := hasPriced(models)
	best := -1
	for i, m := range models {
		if !m.Chats() || priced && m.Price.Unknown {
			continue
		}
		if best < 0 || m.Tier.Rank() > models[best].Tier.Rank() ||
			(m.Tier == models[best].Tier && listPrice(m) < listPrice(models[best])) {
			best = i
		}
	}
	if best < 0 {
		return ""
	}
	return models[best].ID
}

// listPrice orders models by what they cost with as many tokens in as out.
func listPrice(m Model) pricing.Nanos { return m.Price.Input + m.Price.Output }
