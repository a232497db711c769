package config

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	providerName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
	variableName = regexp.MustCompile(`^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$`)
)

// provider reads one item of providers. One with mistakes is kept if it has a
// name, so that models which name it are not called wrong too.
func (l *loader) provider(v value) {
	p := newProvider()
	given := v.object(
		field{"name", func(v value) { l.providerName(v, &p) }},
		field{"kind", func(v value) { kind(v, &p) }},
		field{"base_url", func(v value) { baseURL(v, &p) }},
		field{"api_key_env", func(v value) { l.apiKeyEnv(v, &p) }},
		field{"max_concurrency", func(v value) { v.count(&p.MaxConcurrency, 1, 100_000) }},
		field{"timeout", func(v value) { v.duration(&p.Timeout, time.Millisecond, time.Hour) }},
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
	l.completeProvider(v, given, &p)
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

func kind(v value, p *Provider) {
	var word string
	if v.choice(&word, KindOpenAI, KindAnthropic, KindGemini, KindSimulated) {
		p.Kind = word
		if hint, not := notYetKinds[word]; not {
			v.wrong(fmt.Sprintf("%s: this build has no provider of kind %s", v.path, word), hint)
		}
	}
}

func baseURL(v value, p *Provider) {
	const hint = "write it like https://api.example.com/v1; keys belong into the environment, see api_key_env"
	var raw string
	if !v.text(&raw) {
		return
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "":
		v.wrong(v.path+" is not an http or https address of a host", hint)
	case u.User != nil:
		v.wrong(v.path+" holds a user or password", hint)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		v.wrong(v.path+" holds a ? or #", hint)
	default:
		p.BaseURL = strings.TrimRight(raw, "/")
	}
}

// apiKeyEnv reads the name of the variable that holds a key. What does not
// look like such a name may be the key itself, so it is not quoted.
func (l *loader) apiKeyEnv(v value, p *Provider) {
	var name string
	if !v.text(&name) {
		return
	}
	if !variableName.MatchString(name) || len(name) > 64 {
		v.wrong(v.path+" is not the name of an environment variable", "write a name such as OPENAI_API_KEY and put the key into that variable")
		return
	}
	key, set := l.env.secret(name)
	if !set {
		v.wrong(fmt.Sprintf("%s names %s, which is not set", v.path, name), fmt.Sprintf("set %s or %s_FILE, or remove the provider", name, name))
	}
	p.APIKeyEnv, p.APIKey = name, key
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

// completeProvider fills in what the preset of that name knows and refuses
// keys that belong to another kind.
func (l *loader) completeProvider(v value, given map[string]value, p *Provider) {
	known, _ := presetNamed(p.Name)
	if _, ok := given["kind"]; !ok {
		p.Kind = known.kind
		if p.Kind == "" {
			v.wrong(v.path+" has no kind", "add kind: openai for any OpenAI-compatible endpoint, or kind: simulated")
		}
	}
	switch p.Kind {
	case KindOpenAI:
		refuse(given, p.Kind, "seed", "speed", "failure_rate")
		l.completeEndpoint(v, given, known, p)
	case KindSimulated:
		refuse(given, p.Kind, "base_url", "api_key_env")
	}
}

func refuse(given map[string]value, kind string, keys ...string) {
	for _, key := range keys {
		if v, ok := given[key]; ok {
			v.wrong(v.path+" does not apply to kind "+kind, "remove it")
		}
	}
}

// completeEndpoint takes address and key from the preset. The preset's key is
// sent to the preset's own address only.
func (l *loader) completeEndpoint(v value, given map[string]value, known preset, p *Provider) {
	if _, ok := given["base_url"]; !ok {
		p.BaseURL = known.baseURL
		if p.BaseURL == "" {
			v.wrong(v.path+" has no base_url", "add the endpoint's address, such as https://api.example.com/v1")
		}
	}
	_, keyNamed := given["api_key_env"]
	if !keyNamed && known.keyEnv != "" && p.BaseURL == known.baseURL {
		key, set := l.env.secret(known.keyEnv)
		if !set {
			v.wrong(fmt.Sprintf("provider %s needs %s, which is not set", p.Name, known.keyEnv),
				fmt.Sprintf("set %s or %s_FILE, or remove the provider", known.keyEnv, known.keyEnv))
		}
		p.APIKeyEnv, p.APIKey = known.keyEnv, key
	}
	u, err := url.Parse(p.BaseURL)
	if err == nil && u.Scheme == "http" && !isPrivate(u.Hostname()) {
		l.cfg.Warnings = append(l.cfg.Warnings, fmt.Sprintf("provider %s is asked over plain http: keys and prompts can be read on the way; use https", p.Name))
	}
}
