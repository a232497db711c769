package config

import (
	"fmt"
	"net/url"
	"strings"
)

func baseURL(v value, p *Provider) {
	address(v, &p.BaseURL, "write it like https://api.example.com/v1; keys belong into the environment, see api_key_env")
}

// address reads where to ask over HTTP, without a slash at its end.
func address(v value, into *string, hint string) {
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
		*into = strings.TrimRight(raw, "/")
	}
}

// isPlain reports whether what is sent to an address can be read on the way.
func isPlain(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "http" && !isPrivate(u.Hostname())
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
	if isPlain(p.BaseURL) {
		l.warn("provider %s is asked over plain http: keys and prompts can be read on the way; use https", p.Name)
	}
}
