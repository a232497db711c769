package app

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/experiment"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/httpapi"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/provider/anthropic"
	"github.com/busuhq/busu/internal/provider/gemini"
	"github.com/busuhq/busu/internal/provider/guard"
	"github.com/busuhq/busu/internal/provider/openai"
	"github.com/busuhq/busu/internal/provider/simulated"
	"github.com/busuhq/busu/internal/routing"
	"github.com/busuhq/busu/internal/tracing"
)

func newGateway(cfg config.Config, providers []*guard.Provider, strategies *gateway.Published, ledger gateway.Ledger) *gateway.Gateway {
	now := offer(cfg, time.Time{})
	guards := map[string]*guard.Provider{}
	for _, p := range providers {
		guards[p.Name()] = p
	}
	g := &gateway.Gateway{
		Strategies:   strategies,
		Default:      cfg.Routing.Strategy,
		Candidates:   now.Candidates,
		Baseline:     now.Baseline,
		Providers:    map[string]llm.Provider{},
		PriceVersion: now.PriceVersion,
		Ledger:       ledger,
		Holdout: func(project, user string) bool {
			return user != "" && experiment.Holdout(holdoutSalt(project), user, cfg.Routing.Holdout)
		},
		Failing: func(provider string) bool { p, ok := guards[provider]; return ok && p.Failing() },
	}
	for _, change := range cfg.PriceChanges() {
		g.Later = append(g.Later, offer(cfg, change))
	}
	for _, p := range providers {
		g.Providers[p.Name()] = p
	}
	return g
}

// holdoutSalt draws another hold-out for each project. It never changes: who
// is in stays in, and a larger share only adds to them.
func holdoutSalt(project string) string { return "busu holdout/" + project }

// offer is what the models cost from a moment on; before the first change,
// what they cost when the configuration was loaded.
func offer(cfg config.Config, from time.Time) gateway.Offer {
	o := gateway.Offer{From: from, Baseline: candidate(cfg, cfg.Baseline(), from), PriceVersion: priceVersion(cfg.Models, from)}
	for _, m := range cfg.Models {
		o.Candidates = append(o.Candidates, candidate(cfg, m, from))
	}
	return o
}

func candidate(cfg config.Config, m config.Model, at time.Time) routing.Candidate {
	c := routing.Candidate{Model: m.Model, Price: m.PriceAt(at)}
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

func newProvider(p config.Provider, t *tracing.Tracing) (llm.Provider, error) {
	headers := map[string]string{}
	for _, h := range p.Headers {
		headers[h.Name] = h.Value
	}
	switch p.Kind {
	case config.KindOpenAI:
		return openai.New(openai.Options{Name: p.Name, BaseURL: p.BaseURL, APIKey: p.APIKey.Reveal(), Headers: headers, Propagate: t.Propagate()})
	case config.KindAnthropic:
		return anthropic.New(anthropic.Options{Name: p.Name, BaseURL: p.BaseURL, APIKey: p.APIKey.Reveal(), Headers: headers, Propagate: t.Propagate()})
	case config.KindGemini:
		return gemini.New(gemini.Options{Name: p.Name, BaseURL: p.BaseURL, APIKey: p.APIKey.Reveal(), Headers: headers, Propagate: t.Propagate()})
	case config.KindSimulated:
		return simulated.New(simulated.Options{Name: p.Name, Seed: p.Simulation.Seed,
			Speed: p.Simulation.Speed, FailureRate: p.Simulation.FailureRate}), nil
	default:
		return nil, fmt.Errorf("kind %q is not known", p.Kind)
	}
}

// priceVersion names the prices in force at a moment: the same ones have the
// same name, wherever they were written down.
func priceVersion(models []config.Model, at time.Time) string {
	h := sha256.New()
	for _, m := range models {
		p := m.PriceAt(at)
		fmt.Fprintln(h, strconv.Quote(m.ID), int64(p.Input), int64(p.CachedInput), int64(p.CacheWriteInput), int64(p.Output), int64(p.PerRequest), p.Unknown,
			p.Long.Above, int64(p.Long.Input), int64(p.Long.CachedInput), int64(p.Long.CacheWriteInput), int64(p.Long.Output))
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}

func namesOf(g *gateway.Gateway) httpapi.Names {
	n := httpapi.Names{Owners: map[string]string{}, Default: g.Default, Strategies: allStrategies()}
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
