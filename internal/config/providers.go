package config

import (
	"fmt"
	"regexp"
	"strconv"
)

var (
	providerName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
	variableName = regexp.MustCompile(`^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$`)
)

// provider reads one item of providers. One with mistakes is kept if it has a
// name, so that models which name it are not called wrong too.
func (l *loader) provider(v value) {
	p := newProvider()
	presetName := ""
	given := v.object(
		field{"name", func(v value) { l.providerName(v, &p) }},
		field{"kind", func(v value) { v.choice(&p.Kind, KindOpenAI, KindAnthropic, KindGemini, KindSimulated) }},
		field{"preset", func(v value) { v.choice(&presetName, presetNames()...) }},
		field{"base_url", func(v value) { baseURL(v, &p) }},
		field{"api_key_env", func(v value) { l.apiKeyEnv(v, &p) }},
		field{"headers", func(v value) { headers(v, &p) }},
		field{"max_concurrency", func(v value) { v.count(&p.MaxConcurrency, 1, 100_000) }},
		field{"queue", func(v value) { v.count(&p.Queue, 0, 1_000_000) }},
		field{"retries", func(v value) { v.count(&p.Retries, 0, 10) }},
		field{"timeout", timeout(&p.Timeout)},
		field{"attempt_timeout", timeout(&p.AttemptTimeout)},
		field{"first_token_timeout", timeout(&p.FirstTokenTimeout)},
		field{"idle_timeout", timeout(&p.IdleTimeout)},
		field{"seed", func(v value) { v.seed(&p.Simulation.Seed) }},
		field{"speed", func(v value) { v.number(&p.Simulation.Speed, 0, 1e6) }},
		field{"failure_rate", func(v value) { v.number(&p.Simulation.FailureRate, 0, 1) }},
	)
	if given == nil {
		return
	}
	if _, named := given["name"]; !named {
		v.wrong(v.path+" has no name", "add name: openai, for example; models refer to it")
	}
	if presetName == "" {
		presetName = p.Name
	}
	l.completeProvider(v, given, presetName, &p)
	if p.Name != "" {
		l.cfg.Providers = append(l.cfg.Providers, p)
		l.providerAt[p.Name] = v
	}
}

func (l *loader) providerName(v value, p *Provider) {
	var name string
	if !v.text(&name) {
		return
	}
	if !providerName.MatchString(name) {
		v.wrong(fmt.Sprintf("%s %q is no name", v.path, shorten(name)), "use lower-case letters, digits, dots, dashes and underscores")
		return
	}
	if first, twice := l.providerAt[name]; twice {
		v.wrong(fmt.Sprintf("a second provider is named %q", shorten(name)), fmt.Sprintf("the first is on line %d; rename one", first.line))
		return
	}
	p.Name = name
}

// seed reads any unsigned number of 64 bits.
func (v value) seed(into *uint64) {
	text, ok := v.literal()
	if n, err := strconv.ParseUint(text, 10, 64); ok && err == nil {
		*into = n
		return
	}
	v.wrong(v.path+" must be a whole number from 0, but is "+v.kindOfNumber(), "write any, such as 1")
}

// completeProvider fills in what is known of a provider and refuses keys that
// belong to another kind.
func (l *loader) completeProvider(v value, given map[string]value, presetName string, p *Provider) {
	known, _ := presetNamed(presetName)
	at, presetGiven := given["preset"]
	if _, ok := given["kind"]; !ok {
		p.Kind = known.kind
		if p.Kind == "" && !presetGiven {
			v.wrong(v.path+" has no kind", "add kind: openai for any OpenAI-compatible endpoint, or preset: with the name of a known provider")
		}
	} else if known.kind != p.Kind {
		if presetGiven && known.kind != "" && p.Kind != "" {
			at.wrong(fmt.Sprintf("%s %s is of kind %s, not %s", at.path, known.name, known.kind, p.Kind), "remove kind or preset")
		}
		known = presetOfKind(p.Kind)
	}
	switch p.Kind {
	case "": // said so
	case KindSimulated:
		refuse(given, p.Kind, "base_url", "api_key_env", "headers")
	default:
		refuse(given, p.Kind, "seed", "speed", "failure_rate")
		l.completeEndpoint(v, given, known, p)
	}
	completeBounds(given, p)
}

func refuse(given map[string]value, kind string, keys ...string) {
	for _, key := range keys {
		if v, ok := given[key]; ok {
			v.wrong(v.path+" does not apply to kind "+kind, "remove it")
		}
	}
}
