package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

const maxHeaders = 32

var headerName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,63}$`)

// headers reads what is sent with every call. Values are not quoted in
// messages: somebody may have put a key there all the same.
func headers(v value, p *Provider) {
	v.pairs(func(name string, v value) {
		header := Header{Name: name}
		switch fault, hint := headerFault(name); {
		case fault != "":
			v.wrong(fmt.Sprintf("%s: %q %s", v.path, shorten(name), fault), hint)
		case slices.ContainsFunc(p.Headers, func(h Header) bool { return strings.EqualFold(h.Name, name) }):
			v.wrong(fmt.Sprintf("%s: %q is given twice", v.path, shorten(name)), "keep one; headers know no upper and lower case")
		case v.filled(&header.Value) && headerValue(v, header.Value):
			p.Headers = append(p.Headers, header)
		}
	})
	slices.SortFunc(p.Headers, func(a, b Header) int { return strings.Compare(a.Name, b.Name) })
	if len(p.Headers) > maxHeaders {
		v.wrong(fmt.Sprintf("%s are more than %d", v.path, maxHeaders), "remove some")
	}
}

// ownHeaders are those that a call makes itself.
var ownHeaders = []string{"accept", "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "cookie",
	"expect", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "anthropic-version", "x-request-id"}

func headerFault(name string) (fault, hint string) {
	lower := strings.ToLower(name)
	secret := func(word string) bool { return strings.Contains(lower, word) || strings.HasPrefix(lower, "sk-") }
	switch {
	case !headerName.MatchString(name):
		return "is no name of a header", "use letters, digits and dashes"
	case slices.ContainsFunc([]string{"authorization", "api-key", "apikey", "token", "secret", "password"}, secret):
		return "looks like a key", "put keys into the environment and name the variable in api_key_env"
	case slices.Contains(ownHeaders, lower):
		return "is set by the call itself", "remove it"
	}
	return "", ""
}

// headerValue refuses what HTTP cannot carry, and the commonest forms of keys.
func headerValue(v value, text string) bool {
	odd := func(r rune) bool { return r < ' ' || r > '~' }
	switch {
	case strings.ContainsFunc(text, odd):
		v.wrong(v.path+" holds a character that no header can carry", "use plain ASCII")
	case strings.HasPrefix(text, "sk-") || strings.HasPrefix(strings.ToLower(text), "bearer "):
		v.wrong(v.path+" looks like a key", "put keys into the environment and name the variable in api_key_env")
	default:
		return true
	}
	return false
}
