package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
)

var modelID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}$`)

// model reads one item of models. One with mistakes is kept if it has an id,
// so that a baseline_model which names it is not called wrong too.
func (l *loader) model(v value) {
	m := Model{Model: llm.Model{Purpose: llm.PurposeChat}}
	given := v.object(append([]field{
		{"id", func(v value) { l.modelID(v, &m) }},
		{"provider", func(v value) { l.modelProvider(v, &m) }},
		{"upstream", func(v value) { v.filled(&m.Upstream) }},
		{"purpose", func(v value) { purpose(v, &m) }},
		{"tier", func(v value) { tier(v, &m) }},
		{"context_tokens", func(v value) { v.count(&m.ContextTokens, 1, 1_000_000_000) }},
		{"tools", ability(&m, llm.AbilityTools)},
		{"images", ability(&m, llm.AbilityImages)},
		{"json", ability(&m, llm.AbilityJSON)},
	}, priceFields(&m)...)...)
	if given == nil {
		return
	}
	for _, key := range []string{"id", "provider"} {
		if _, ok := given[key]; !ok {
			v.wrong(v.path+" has no "+key, "add "+key+": …")
		}
	}
	l.completeModel(v, given, &m)
	if m.ID != "" {
		l.cfg.Models = append(l.cfg.Models, m)
		l.modelAt[m.ID] = v
	}
}

func (l *loader) modelID(v value, m *Model) {
	var id string
	if !v.text(&id) {
		return
	}
	m.Upstream = id // unless the file says otherwise below
	first, twice := l.modelAt[id]
	switch {
	case id == "auto" || strings.HasPrefix(id, "auto:"):
		v.wrong(fmt.Sprintf("%s %q is taken: callers write it to have busu choose", v.path, shorten(id)), "give the model another id")
	case !modelID.MatchString(id):
		v.wrong(fmt.Sprintf("%s %q is no id", v.path, shorten(id)), "use letters, digits and . _ : / @ + -, at most 128")
	case twice:
		v.wrong(fmt.Sprintf("a second model has the id %q", shorten(id)), fmt.Sprintf("the first is on line %d; rename one", first.line))
	default:
		m.ID = id
	}
}

func (l *loader) modelProvider(v value, m *Model) {
	var name string
	if !v.text(&name) {
		return
	}
	if _, ok := l.cfg.Provider(name); ok {
		m.Provider = name
		return
	}
	names := make([]string, len(l.cfg.Providers))
	for i, p := range l.cfg.Providers {
		names[i] = p.Name
	}
	if len(names) == 0 { // all of them are wrong, and said so
		return
	}
	v.wrong(fmt.Sprintf("%s: no provider is named %q", v.path, shorten(name)), did(name, names))
}

func tier(v value, m *Model) {
	names := make([]string, 0, len(llm.Tiers()))
	for _, t := range llm.Tiers() {
		names = append(names, string(t))
	}
	var name string
	if v.choice(&name, names...) {
		m.Tier = llm.Tier(name)
	}
}

func purpose(v value, m *Model) {
	var name string
	if v.choice(&name, string(llm.PurposeChat), string(llm.PurposeEmbedding)) {
		m.Purpose = llm.Purpose(name)
	}
}

// abilities are the flags of a model, by the key that sets them.
var abilities = []struct {
	key     string
	ability llm.Ability
}{
	{"tools", llm.AbilityTools}, {"images", llm.AbilityImages}, {"json", llm.AbilityJSON},
}

func ability(m *Model, a llm.Ability) func(value) {
	return func(v value) {
		can := true
		if v.flag(&can) && !can {
			m.Lacks |= a
		}
	}
}

// completeNature takes from the price table what the file does not say of a
// model's purpose and abilities, and refuses what only chat models have.
func completeNature(given map[string]value, row pricing.Row, m *Model) {
	if _, ok := given["purpose"]; !ok && row.Purpose != "" {
		m.Purpose = row.Purpose
	}
	for _, a := range abilities {
		at, ok := given[a.key]
		switch {
		case !m.Chats() && ok:
			at.wrong(at.path+" does not apply to a model that does not chat", "remove it")
		case !ok:
			m.Lacks |= row.Lacks & a.ability
		}
	}
	if at, ok := given["tier"]; ok && !m.Chats() {
		at.wrong(at.path+" does not apply to a model that does not chat", "remove it")
	}
}

// completeModel takes from the price table what the file leaves out, and asks
// for what neither has.
func (l *loader) completeModel(v value, given map[string]value, m *Model) {
	p, found := l.cfg.Provider(m.Provider)
	if !found {
		return
	}
	row, listed := catalogRow(p, l.cfg.Prices.Table, m.Upstream, l.now)
	completeNature(given, row, m)
	if _, ok := given["tier"]; !ok && m.Chats() {
		m.Tier = row.Tier
		if m.Tier == "" {
			v.wrong(fmt.Sprintf("%s has no tier", v.path), "add tier: simple, moderate or complex")
		}
	}
	if _, ok := given["context_tokens"]; !ok {
		m.ContextTokens = row.ContextTokens
	}
	l.completePrice(v, given, row, listed, m)
}

// completeModels gives every configured provider the models of the catalog
// when the file lists none.
func (l *loader) completeModels() {
	if l.modelsGiven {
		l.note("the models come from %s", l.cfg.File)
		if !slices.ContainsFunc(l.cfg.Models, Model.Chats) && len(l.cfg.Models) > 0 {
			at := l.modelAt[l.cfg.Models[0].ID]
			at.wrong("no model under models chats", "add one that does: its purpose is chat, and it has a tier")
		}
		l.warnUnused()
		return
	}
	for _, p := range l.cfg.Providers {
		rows := catalog(p, l.cfg.Prices.Table, l.now)
		if p.Kind != KindSimulated && len(rows) > 0 {
			l.note("models and prices of %s come from the price table %s", p.Name, l.cfg.Prices.Table.Version)
		}
		if at, inFile := l.providerAt[p.Name]; inFile && len(rows) == 0 && p.BaseURL != "" {
			at.wrong(fmt.Sprintf("no model of provider %s is known", p.Name), "list its models, with their prices, under models")
		}
		for _, row := range rows {
			m := modelOf(p, row)
			m.Later = l.cfg.Prices.Table.Changes(row.Provider, row.Model, l.now)
			if _, taken := l.cfg.Model(m.ID); taken {
				m.ID = p.Name + "/" + m.ID
			}
			l.cfg.Models = append(l.cfg.Models, m)
		}
	}
}

func (l *loader) warnUnused() {
	for _, p := range l.cfg.Providers {
		if !slices.ContainsFunc(l.cfg.Models, func(m Model) bool { return m.Provider == p.Name }) {
			l.warn("provider %s has no model under models, so it is never asked", p.Name)
		}
	}
}
