package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/routing"
)

// catalog describes models by the name that a log or a command line gives
// them.
type catalog = map[string]routing.Candidate

// catalogOf describes models by the configuration, or, where that does not know
// one, by the price table. A price file goes before both.
func catalogOf(cfg config.Config, priceFile string, names []string, now time.Time) (catalog, error) {
	file, err := readPriceFile(priceFile)
	if err != nil {
		return nil, err
	}
	described := catalog{}
	for _, name := range names {
		c, ok := describedBy(cfg, file, name, now)
		if !ok {
			return nil, fmt.Errorf("tier and price of %s are not known: describe it under models in busu.yaml (BUSU_CONFIG), or with its tier in a price file (--prices)", name)
		}
		described[name] = c
	}
	return described, nil
}

// readPriceFile reads a price file; without a name there are no prices in it.
func readPriceFile(name string) (pricing.Table, error) {
	if name == "" {
		return pricing.Table{}, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return pricing.Table{}, err
	}
	table, err := pricing.ParseTable(text)
	if err != nil {
		return pricing.Table{}, fmt.Errorf("%s: %w", name, err)
	}
	return table, nil
}

// describedBy finds one model. It is true where tier and price are known; what
// is found without a tier has a name all the same.
func describedBy(cfg config.Config, file pricing.Table, name string, now time.Time) (routing.Candidate, bool) {
	m, configured := cfg.Model(name)
	c := routing.Candidate{Model: m.Model, Price: m.PriceAt(now)}
	row, listed := newestRow(cfg.Prices.Table, name, now)
	if !configured && listed {
		c = candidateOf(name, row)
	}
	upstream := name
	if configured {
		upstream = m.Upstream
	}
	if row, stated := newestRow(file, upstream, now); stated {
		if !configured && !listed {
			c, listed = candidateOf(name, row), true
		}
		c.Price = row.Price
	}
	return c, (configured || listed) && c.Model.Tier != ""
}

func candidateOf(name string, row pricing.Row) routing.Candidate {
	return routing.Candidate{Price: row.Price, Model: llm.Model{ID: name, Provider: row.Provider, Upstream: row.Model, Tier: row.Tier,
		ContextTokens: row.ContextTokens, Purpose: row.Purpose, Lacks: row.Lacks}}
}

// newestRow finds a chat model's price in force, under any of its names, of
// the first provider in the table that has it: its own, most often.
func newestRow(table pricing.Table, name string, now time.Time) (pricing.Row, bool) {
	rows := slices.DeleteFunc(rowsOf(table, name), func(r pricing.Row) bool { return r.Purpose != llm.PurposeChat && r.Purpose != "" })
	if len(rows) == 0 {
		return pricing.Row{}, false
	}
	return table.Lookup(rows[0].Provider, rows[0].Model, now)
}
