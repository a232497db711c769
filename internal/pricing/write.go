package pricing

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/busuhq/busu/internal/llm"
)

// YAML writes a table as ParseTable reads it.
func (t Table) YAML() []byte {
	var w strings.Builder
	fmt.Fprintf(&w, "version: %s\nprices:\n", strconv.Quote(t.Version))
	for _, row := range t.Rows {
		row.write(&w)
	}
	return []byte(w.String())
}

func (r Row) write(w *strings.Builder) {
	line := func(format string, args ...any) { fmt.Fprintf(w, "    "+format+"\n", args...) }
	fmt.Fprintf(w, "  - provider: %s\n", strconv.Quote(r.Provider))
	line("model: %s", strconv.Quote(r.Model))
	if len(r.Aliases) > 0 {
		quoted := make([]string, len(r.Aliases))
		for i, alias := range r.Aliases {
			quoted[i] = strconv.Quote(alias)
		}
		line("aliases: [%s]", strings.Join(quoted, ", "))
	}
	if r.Purpose != llm.PurposeChat {
		line("purpose: %s", r.Purpose)
	}
	if r.Tier != "" {
		line("tier: %s", r.Tier)
	}
	p := r.Price
	writeRates(line, LongContext{Input: p.Input, CachedInput: p.CachedInput, CacheWriteInput: p.CacheWriteInput, Output: p.Output})
	if p.PerRequest > 0 {
		line("request_usd: %s", p.PerRequest)
	}
	if p.Long.Above > 0 {
		line("long_context:")
		deeper := func(format string, args ...any) { line("  "+format, args...) }
		deeper("above_tokens: %d", p.Long.Above)
		writeRates(deeper, p.Long)
	}
	line("context_tokens: %d", r.ContextTokens)
	for _, a := range []struct {
		key     string
		ability llm.Ability
	}{{"tools", llm.AbilityTools}, {"images", llm.AbilityImages}, {"json", llm.AbilityJSON}} {
		if r.Lacks&a.ability != 0 {
			line("%s: false", a.key)
		}
	}
	line("effective_from: %s", r.From.Format(time.DateOnly))
	line("source: %s", strconv.Quote(r.Source))
	line("read: %s", r.Read.Format(time.DateOnly))
	if !r.Confirmed {
		line("confirmed: false")
	}
}

func writeRates(line func(string, ...any), r LongContext) {
	line("input_usd_per_mtok: %s", r.Input)
	line("cached_input_usd_per_mtok: %s", r.CachedInput)
	if r.CacheWriteInput != r.Input {
		line("cache_write_usd_per_mtok: %s", r.CacheWriteInput)
	}
	line("output_usd_per_mtok: %s", r.Output)
}
