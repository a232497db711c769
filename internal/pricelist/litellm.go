package pricelist

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
)

const liteLLMSource = "https://github.com/BerriAI/litellm/blob/main/model_prices_and_context_window.json"

// perMillion is how many tokens our prices are for.
const perMillion = 1_000_000

// liteLLMProviders are the list's names for our providers.
var liteLLMProviders = map[string]string{
	"openai": "openai", "anthropic": "anthropic", "gemini": "gemini", "openrouter": "openrouter", "groq": "groq",
	"together_ai": "together", "cerebras": "cerebras", "mistral": "mistral", "deepseek": "deepseek",
	"fireworks_ai": "fireworks", "xai": "xai",
}

// slashed are the providers whose own names of models hold slashes.
var slashed = map[string]bool{"openrouter": true, "groq": true, "together": true, "fireworks": true}

// liteLLMEntry are an entry's keys, each read when it is needed: the list has
// dozens, and gets new ones every week.
type liteLLMEntry map[string]json.RawMessage

// readLiteLLM reads LiteLLM's model_prices_and_context_window.json: an object
// of entries by name, with prices in dollars per token.
func readLiteLLM(c *collection, text []byte) error {
	var entries map[string]liteLLMEntry
	if err := json.Unmarshal(text, &entries); err != nil {
		return withoutText(err)
	}
	known := false
	for name, entry := range entries {
		if name == "sample_spec" {
			continue
		}
		known = known || entry["litellm_provider"] != nil
		entry.read(c, name)
	}
	if !known {
		return errors.New("no entry has a litellm_provider")
	}
	return nil
}

// withoutText says what is wrong with JSON, without quoting it: it may be
// another file than was meant.
func withoutText(err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("byte %d is not JSON", syntax.Offset)
	case errors.As(err, &kind):
		return fmt.Errorf("at byte %d there is a %s in place of another thing", kind.Offset, strings.Fields(kind.Value + " value")[0])
	}
	return errors.New("it is not JSON")
}

func (e liteLLMEntry) text(key string) string {
	var s string
	_ = json.Unmarshal(e[key], &s) // of another type is as good as missing
	return s
}

// number gives a number as it is written; "" when there is none.
func (e liteLLMEntry) number(key string) string {
	var n json.Number
	if json.Unmarshal(e[key], &n) != nil || strings.HasPrefix(string(e[key]), `"`) {
		return ""
	}
	return n.String()
}

func (e liteLLMEntry) count(key string) int {
	n, err := strconv.ParseFloat(e.number(key), 64)
	if err != nil || n < 0 || n > 1e9 {
		return 0
	}
	return int(n)
}

// denies reports whether the entry says no, and not merely nothing.
func (e liteLLMEntry) denies(key string) bool { return string(e[key]) == "false" }

func (e liteLLMEntry) read(c *collection, name string) {
	listed := e.text("litellm_provider")
	provider, ok := liteLLMProviders[listed]
	if !ok {
		c.skip(name, "its provider is none of ours")
		return
	}
	model := strings.TrimPrefix(name, listed+"/")
	purpose := llm.Purpose(e.text("mode"))
	switch {
	case purpose != llm.PurposeChat && purpose != llm.PurposeEmbedding:
		c.skip(name, "it neither chats nor embeds")
	case strings.HasPrefix(model, "ft:") || !slashed[provider] && strings.Contains(model, "/"):
		c.skip(name, "it is a variant of another model")
	case withdrawn(e.text("deprecation_date"), c.on):
		c.skip(name, "it was withdrawn")
	default:
		price, err := e.price()
		if err != nil {
			c.skip(name, "%v", err)
			return
		}
		c.add(name, pricing.Row{Provider: provider, Model: model, Purpose: purpose, Lacks: e.lacks(purpose), Price: price,
			ContextTokens: e.window(), Source: source(e.text("source"), liteLLMSource)})
	}
}

func withdrawn(date string, on time.Time) bool {
	day, err := time.Parse(time.DateOnly, date)
	return err == nil && !day.After(on)
}

// source keeps an address that a row can have.
func source(given, otherwise string) string {
	if u, err := url.Parse(given); err == nil && u.Scheme == "https" && u.Host != "" {
		return given
	}
	return otherwise
}

func (e liteLLMEntry) window() int {
	if n := e.count("max_input_tokens"); n > 0 {
		return n
	}
	return e.count("max_tokens")
}

func (e liteLLMEntry) lacks(purpose llm.Purpose) llm.Ability {
	var lacks llm.Ability
	for _, a := range []struct {
		key     string
		ability llm.Ability
	}{
		{"supports_function_calling", llm.AbilityTools}, {"supports_vision", llm.AbilityImages}, {"supports_response_schema", llm.AbilityJSON},
	} {
		if purpose == llm.PurposeChat && e.denies(a.key) {
			lacks |= a.ability
		}
	}
	return lacks
}

// Keys of prices.
const (
	keyInput   = "input_cost_per_token"
	keyCached  = "cache_read_input_token_cost"
	keyWritten = "cache_creation_input_token_cost"
	keyOutput  = "output_cost_per_token"
)

func (e liteLLMEntry) price() (pricing.Price, error) {
	if _, ok := e["tiered_pricing"]; ok {
		return pricing.Price{}, errSteps
	}
	rates, err := e.rates("", false)
	if err != nil {
		return pricing.Price{}, err
	}
	p := pricing.Price{Input: rates.Input, CachedInput: rates.CachedInput, CacheWriteInput: rates.CacheWriteInput, Output: rates.Output}
	if p.PerRequest, err = e.usd("input_cost_per_request", 1); err != nil {
		return pricing.Price{}, err
	}
	if reasoning, err := e.usd("output_cost_per_reasoning_token", perMillion); err != nil || reasoning != 0 && reasoning != p.Output {
		return pricing.Price{}, errReasoning
	}
	p.Long, err = e.long(p)
	return p, err
}

// What a row cannot say.
var (
	errSteps     = errors.New("its price depends on the prompt's length in several steps")
	errReasoning = errors.New("its reasoning tokens have a price of their own")
)

// usd reads dollars for one of count things; 0 where there is nothing.
func (e liteLLMEntry) usd(key string, count int64) (pricing.Nanos, error) {
	text := e.number(key)
	if text == "" {
		return 0, nil
	}
	return pricing.RoundUSD(text, count)
}

// rates reads the prices of tokens. The list writes 0 where nobody has looked,
// so that a cached or written token of no price costs what a fresh one does.
func (e liteLLMEntry) rates(suffix string, long bool) (r pricing.LongContext, err error) {
	for _, rate := range []struct {
		key  string
		into *pricing.Nanos
	}{{keyInput, &r.Input}, {keyCached, &r.CachedInput}, {keyWritten, &r.CacheWriteInput}, {keyOutput, &r.Output}} {
		if *rate.into, err = e.usd(rate.key+suffix, perMillion); err != nil {
			return r, err
		}
	}
	if r.CachedInput == 0 {
		r.CachedInput = r.Input
	}
	if _, charged := e[keyWritten]; r.CacheWriteInput == 0 || long && !charged {
		r.CacheWriteInput = r.Input
	}
	return r, nil
}

var aboveTokens = regexp.MustCompile(`^input_cost_per_token_above_([0-9]{1,5})k_tokens$`)

// long reads what long prompts cost.
func (e liteLLMEntry) long(p pricing.Price) (pricing.LongContext, error) {
	above := ""
	for name := range e {
		match := aboveTokens.FindStringSubmatch(name)
		if match == nil || e.number(name) == "" {
			continue
		}
		if above != "" {
			return pricing.LongContext{}, errSteps
		}
		above = match[1]
	}
	if above == "" {
		return pricing.LongContext{}, nil
	}
	long, err := e.rates("_above_"+above+"k_tokens", true)
	if err != nil {
		return pricing.LongContext{}, err
	}
	thousands, err := strconv.ParseInt(above, 10, 64)
	long.Above = thousands * 1000
	if long.Output == 0 {
		long.Output = p.Output
	}
	return long, err
}
