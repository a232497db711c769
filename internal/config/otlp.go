package config

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// OTLPHeaders go with everything that is sent to the collector; they may hold a
// key. The zero value is none.
type OTLPHeaders struct{ Secret }

// Pairs are the headers by name.
func (h OTLPHeaders) Pairs() map[string]string {
	pairs, _ := otlpPairs(h.value)
	return pairs
}

// otlpPairs reads a=b,c=d, with values as they are in addresses.
func otlpPairs(text string) (map[string]string, bool) {
	pairs := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		name, raw, ok := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(raw))
		name = strings.TrimSpace(name)
		if !ok || err != nil || !isToken(name) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
			return nil, false
		}
		pairs[name] = value
	}
	return pairs, true
}

// isToken reports whether a text can be a header's name.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

func (e *environment) otlp() OTLP {
	return OTLP{Endpoint: e.otlpEndpoint(), Headers: e.otlpHeaders(), Ratio: e.otlpRatio()}
}

func (e *environment) otlpHeaders() OTLPHeaders {
	const name = "OTEL_EXPORTER_OTLP_HEADERS"
	s, _ := e.secret(name)
	if _, ok := otlpPairs(s.value); !ok {
		e.wrong(name, "it is no list of headers", "write it like Authorization=Bearer%20KEY,X-Team=search, with spaces as %20")
		return OTLPHeaders{}
	}
	return OTLPHeaders{s}
}

func (e *environment) otlpRatio() float64 {
	const name = "OTEL_TRACES_SAMPLER_ARG"
	text := e.text(name, "1")
	ratio, err := strconv.ParseFloat(text, 64)
	if err != nil || !(ratio >= 0 && ratio <= 1) {
		e.wrong(name, fmt.Sprintf("%q is not from 0 to 1", shorten(text)), "0.01 tells of one in a hundred traces that begin here")
		return 1
	}
	return ratio
}

func (e *environment) otlpEndpoint() string {
	const name = "OTEL_EXPORTER_OTLP_ENDPOINT"
	raw := e.text(name, "")
	if raw == "" {
		return ""
	}
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil {
		e.wrong(name, "it is not an http or https address of a host", "write it like http://127.0.0.1:4318, without user or password")
		return ""
	}
	return raw
}
