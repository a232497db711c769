package app

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/httpapi"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/provider/openai"
	"github.com/busuhq/busu/internal/provider/simulated"
	"github.com/busuhq/busu/internal/routing"
)

func newGateway(cfg config.Config, ledger gateway.Ledger) (*gateway.Gateway, error) {
	g := &gateway.Gateway{
		Strategies:   map[string]routing.Strategy{config.StrategyComplexity: routing.Complexity{}},
		Default:      cfg.Routing.Strategy,
		Baseline:     candidate(cfg, cfg.Baseline()),
		Providers:    map[string]llm.Provider{},
		PriceVersion: priceVersion(cfg.Models),
		Ledger:       ledger,
	}
	for _, m := range cfg.Models {
		g.Candidates = append(g.Candidates, candidate(cfg, m))
	}
	for _, p := range cfg.Providers {
		provider, err := newProvider(p)
		if err != nil {
			return nil, fmt.Errorf("provider %s: %w", p.Name, err)
		}
		g.Providers[p.Name] = provider
	}
	return g, nil
}

func candidate(cfg config.Config, m config.Model) routing.Candidate {
	c := routing.Candidate{Model: m.Model, Price: m.Price}
	for _, p := range cfg.Providers {
		if p.Name == m.Provider {
			c.Formats = formatsOf(p.Kind)
		}
	}
	return c
}

// formatsOf lists what a kind of provider speaks without translation; chat
// all of them speak.
func formatsOf(kind string) []llm.Format {
	switch kind {
	case config.KindOpenAI:
		return []llm.Format{llm.FormatChat, llm.FormatEmbeddings}
	case config.KindAnthropic:
		return []llm.Format{llm.FormatChat, llm.FormatMessages}
	case config.KindSimulated:
		return []llm.Format{llm.FormatChat, llm.FormatMessages, llm.FormatEmbeddings}
	default:
		return []llm.Format{llm.FormatChat}
	}
}

func newProvider(p config.Provider) (llm.Provider, error) {
	switch p.Kind {
	case config.KindOpenAI:
		return openai.New(openai.Options{Name: p.Name, BaseURL: p.BaseURL, APIKey: p.APIKey.Reveal(), Timeout: p.Timeout})
	case config.KindSimulated:
		return simulated.New(simulated.Options{Name: p.Name, Seed: p.Simulation.Seed,
			Speed: p.Simulation.Speed, FailureRate: p.Simulation.FailureRate}), nil
	default:
		return nil, fmt.Errorf("this build cannot ask providers of kind %s: remove it from the configuration, or unset its key", p.Kind)
	}
}

// priceVersion names the prices in force: the same ones have the same name,
// wherever they were written down.
func priceVersion(models []config.Model) string {
	h := sha256.New()
	for _, m := range models {
		fmt.Fprintf(h, "%q %d %d %d\n", m.ID, m.Price.Input, m.Price.CachedInput, m.Price.Output)
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}

func namesOf(g *gateway.Gateway) httpapi.Names {
	n := httpapi.Names{Owners: map[string]string{}}
	for name := range g.Strategies {
		n.Strategies = append(n.Strategies, name)
	}
	for _, c := range g.Candidates {
		if c.Model.Chats() {
			n.Models = append(n.Models, c.Model.ID)
		} else {
			n.Embedders = append(n.Embedders, c.Model.ID)
		}
		n.Owners[c.Model.ID] = c.Model.Provider
	}
	return n
}
