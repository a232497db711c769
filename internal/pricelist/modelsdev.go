package pricelist

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
)

const modelsDevSource = "https://models.dev"

// modelsDevProviders are the list's names for our providers.
var modelsDevProviders = map[string]string{
	"openai": "openai", "anthropic": "anthropic", "google": "gemini", "openrouter": "openrouter", "groq": "groq",
	"togetherai": "together", "cerebras": "cerebras", "mistral": "mistral", "deepseek": "deepseek",
	"fireworks-ai": "fireworks", "xai": "xai",
}

// modelsDevModel is a model of https://models.dev/api.json: an object of
// providers by name, each with its models by name.
type modelsDevModel struct {
	Status           string `json:"status"`
	ToolCall         *bool  `json:"tool_call"`
	StructuredOutput *bool  `json:"structured_output"`
	Modalities       struct {
		Input  []string `json:"input"`
		Output []string `json:"output"`
	} `json:"modalities"`
	Limit struct {
		Context float64 `json:"context"`
	} `json:"limit"`
	Cost *modelsDevCost `json:"cost"`
}

// modelsDevRates are in dollars per million tokens.
type modelsDevRates struct {
	Input      json.Number `json:"input"`
	CacheRead  json.Number `json:"cache_read"`
	CacheWrite json.Number `json:"cache_write"`
	Output     json.Number `json:"output"`
}

type modelsDevCost struct {
	modelsDevRates
	Reasoning   json.Number     `json:"reasoning"`
	Over200K    *modelsDevRates `json:"context_over_200k"`
	LongPrompts []struct {
		modelsDevRates
		Tier struct {
			Size int64 `json:"size"`
		} `json:"tier"`
	} `json:"tiers"`
}

func readModelsDev(c *collection, text []byte) error {
	var providers map[string]struct {
		Models map[string]json.RawMessage `json:"models"`
	}
	if err := json.Unmarshal(text, &providers); err != nil {
		return withoutText(err)
	}
	known := false
	for listed, provider := range providers {
		known = known || provider.Models != nil
		for name, entry := range provider.Models {
			readModelsDevModel(c, listed, name, entry)
		}
	}
	if !known {
		return errors.New("no provider has models")
	}
	return nil
}

func readModelsDevModel(c *collection, listed, model string, entry []byte) {
	name := listed + "/" + model
	provider, ok := modelsDevProviders[listed]
	if !ok {
		c.skip(name, "its provider is none of ours")
		return
	}
	var m modelsDevModel
	if json.Unmarshal(entry, &m) != nil {
		c.skip(name, "it is written in another way than the others")
		return
	}
	switch {
	case m.Status == "deprecated":
		c.skip(name, "it was withdrawn")
	case !slices.Contains(m.Modalities.Output, "text"):
		c.skip(name, "it neither chats nor embeds")
	case m.Cost == nil:
		c.skip(name, "it has no price per token")
	default:
		price, err := m.Cost.price()
		if err != nil {
			c.skip(name, "%v", err)
			return
		}
		row := pricing.Row{Provider: provider, Model: model, Purpose: llm.PurposeChat, Price: price,
			ContextTokens: int(min(max(m.Limit.Context, 0), 1e9)), Source: modelsDevSource}
		if price.Output == 0 && strings.Contains(strings.ToLower(model), "embed") {
			row.Purpose = llm.PurposeEmbedding
		} else {
			row.Lacks = m.lacks()
		}
		c.add(name, row)
	}
}

func (m modelsDevModel) lacks() llm.Ability {
	var lacks llm.Ability
	if m.ToolCall != nil && !*m.ToolCall {
		lacks |= llm.AbilityTools
	}
	if len(m.Modalities.Input) > 0 && !slices.Contains(m.Modalities.Input, "image") {
		lacks |= llm.AbilityImages
	}
	if m.StructuredOutput != nil && !*m.StructuredOutput {
		lacks |= llm.AbilityJSON
	}
	return lacks
}

func (m modelsDevCost) price() (pricing.Price, error) {
	rates, err := m.rates()
	if err != nil {
		return pricing.Price{}, err
	}
	p := pricing.Price{Input: rates.Input, CachedInput: rates.CachedInput, CacheWriteInput: rates.CacheWriteInput, Output: rates.Output}
	reasoning, err := dollarsOf(m.Reasoning)
	if err != nil || reasoning != 0 && reasoning != p.Output {
		return pricing.Price{}, errReasoning
	}
	p.Long, err = m.long(p)
	return p, err
}

func (m modelsDevCost) long(p pricing.Price) (long pricing.LongContext, err error) {
	switch {
	case len(m.LongPrompts) > 1:
		return long, errSteps
	case len(m.LongPrompts) == 1:
		long, err = m.LongPrompts[0].rates()
		long.Above = m.LongPrompts[0].Tier.Size
	case m.Over200K != nil:
		long, err = m.Over200K.rates()
		long.Above = 200_000
	default:
		return long, nil
	}
	if long.Output == 0 {
		long.Output = p.Output
	}
	return long, err
}

// rates reads the prices of tokens; a cached or written token of no price
// costs what a fresh one does.
func (m modelsDevRates) rates() (r pricing.LongContext, err error) {
	for _, rate := range []struct {
		text json.Number
		into *pricing.Nanos
	}{{m.Input, &r.Input}, {m.CacheRead, &r.CachedInput}, {m.CacheWrite, &r.CacheWriteInput}, {m.Output, &r.Output}} {
		if *rate.into, err = dollarsOf(rate.text); err != nil {
			return r, err
		}
	}
	if r.CachedInput == 0 {
		r.CachedInput = r.Input
	}
	if r.CacheWriteInput == 0 {
		r.CacheWriteInput = r.Input
	}
	return r, nil
}

func dollarsOf(n json.Number) (pricing.Nanos, error) {
	if n == "" {
		return 0, nil
	}
	return pricing.RoundUSD(n.String(), 1)
}
