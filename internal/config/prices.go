package config

import (
	"fmt"
	"path/filepath"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
)

// priceFile lays the operator's prices over the built-in ones. One that cannot
// be read is a mistake: without it some models would have other prices, or
// none.
func (l *loader) priceFile(v value) {
	p := &l.cfg.Prices
	v.object(field{"file", func(v value) {
		if !v.filled(&p.File) {
			return
		}
		path := p.File
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(l.cfg.File), path)
		}
		text, err := l.env.read(path)
		if err != nil {
			v.wrong(v.path+" cannot be read ("+reason(err)+")", "check the path, which begins where busu.yaml is, and its permissions")
			return
		}
		table, err := pricing.ParseTable(text)
		if err != nil {
			v.wrong(fmt.Sprintf("%s is no price table: %v", v.path, err), "correct it, or make it anew with busu prices import")
			return
		}
		p.Table = table.Over(p.Table)
	}})
}

// priceFields are the keys of a model's price.
func priceFields(m *Model) []field {
	p := &m.Price
	return []field{
		{"input_usd_per_mtok", func(v value) { v.price(&p.Input) }},
		{"cached_input_usd_per_mtok", func(v value) { v.price(&p.CachedInput) }},
		{"cache_write_usd_per_mtok", func(v value) { v.price(&p.CacheWriteInput) }},
		{"output_usd_per_mtok", func(v value) { v.price(&p.Output) }},
		{"request_usd", func(v value) { v.dollars(&p.PerRequest, "per request") }},
		{"long_context", func(v value) { longContext(v, &p.Long) }},
	}
}

// longContext reads what long prompts cost; what it leaves out follows input.
func longContext(v value, l *pricing.LongContext) {
	given := v.object(
		field{"above_tokens", func(v value) { v.integer(&l.Above, 1, 1_000_000_000) }},
		field{"input_usd_per_mtok", func(v value) { v.price(&l.Input) }},
		field{"cached_input_usd_per_mtok", func(v value) { v.price(&l.CachedInput) }},
		field{"cache_write_usd_per_mtok", func(v value) { v.price(&l.CacheWriteInput) }},
		field{"output_usd_per_mtok", func(v value) { v.price(&l.Output) }},
	)
	for _, key := range []string{"above_tokens", "input_usd_per_mtok", "output_usd_per_mtok"} {
		if _, ok := given[key]; given != nil && !ok {
			v.wrong(v.path+" has no "+key, "add it, or remove "+v.path)
		}
	}
	follow(given, l.Input, &l.CachedInput, &l.CacheWriteInput)
	notDearer(given, l.Input, l.CachedInput)
}

// follow prices cached and written tokens as fresh ones where the file does
// not say otherwise.
func follow(given map[string]value, input pricing.Nanos, cached, written *pricing.Nanos) {
	if _, ok := given["cached_input_usd_per_mtok"]; !ok {
		*cached = input
	}
	if _, ok := given["cache_write_usd_per_mtok"]; !ok {
		*written = input
	}
}

func notDearer(given map[string]value, input, cached pricing.Nanos) {
	_, both := given["input_usd_per_mtok"]
	if at, ok := given["cached_input_usd_per_mtok"]; ok && both && cached > input {
		at.wrong(at.path+" is more than input_usd_per_mtok", "a cached token never costs more than a fresh one")
	}
}

// completePrice takes the price from the table when the file gives none of it.
// A model that neither has priced is allowed, and never taken to be free.
func (l *loader) completePrice(v value, given map[string]value, row pricing.Row, listed bool, m *Model) {
	stated := false
	for _, f := range priceFields(new(Model)) {
		_, ok := given[f.name]
		stated = stated || ok
	}
	if stated {
		statedPrice(v, given, m)
		return
	}
	if listed {
		m.Price, m.Later = row.Price, l.cfg.Prices.Table.Changes(row.Provider, row.Model, l.now)
		return
	}
	m.Price = pricing.Price{Unknown: true}
	l.warn("model %s has no price: its requests are counted as unpriced and missing from every sum of costs; "+
		"add input_usd_per_mtok and output_usd_per_mtok, 0 if it costs nothing", m.ID)
}

func statedPrice(v value, given map[string]value, m *Model) {
	_, input := given["input_usd_per_mtok"]
	_, output := given["output_usd_per_mtok"]
	if !input || !output && m.Chats() {
		v.wrong(v.path+" has no whole price", "add input_usd_per_mtok and output_usd_per_mtok, 0 for a model that costs nothing")
		return
	}
	p := &m.Price
	follow(given, p.Input, &p.CachedInput, &p.CacheWriteInput)
	notDearer(given, p.Input, p.CachedInput)
	if at, ok := given["long_context"]; ok && p.Long.Above > 0 {
		if err := p.Validate(); err != nil {
			at.wrong(fmt.Sprintf("%s: %v", at.path, err), "long prompts cost at least as much as short ones")
		}
	}
}

// notePrices tells what start-up should say of the prices as a whole.
func (l *loader) notePrices() {
	chats, priced := 0, 0
	for _, m := range l.cfg.Models {
		if m.Chats() {
			chats++
			if !m.Price.Unknown {
				priced++
			}
		}
	}
	if chats > 0 && priced == 0 {
		l.warn("no model has a price, so neither costs nor savings can be told")
	}
	var unconfirmed []string
	for _, m := range l.cfg.Models {
		p, _ := l.cfg.Provider(m.Provider)
		row, ok := catalogRow(p, l.cfg.Prices.Table, m.Upstream, l.now)
		if ok && !row.Confirmed && m.Price == row.Price {
			unconfirmed = append(unconfirmed, m.ID)
		}
	}
	if n := len(unconfirmed); n > 0 {
		l.note("%d prices were not confirmed by the provider's own page, %s among them; see busu prices list", n, unconfirmed[0])
	}
}

// hasPriced reports whether savings can be measured against any model.
func hasPriced(models []Model) bool {
	for _, m := range models {
		if m.Chats() && !m.Price.Unknown {
			return true
		}
	}
	return false
}

// served lists the rows that a provider brings by default: those whose place
// among the others is known.
func served(rows []pricing.Row) []pricing.Row {
	var kept []pricing.Row
	for _, row := range rows {
		if row.Tier != "" || row.Purpose == llm.PurposeEmbedding {
			kept = append(kept, row)
		}
	}
	return kept
}
