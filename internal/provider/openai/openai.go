// Package openai speaks to any endpoint that offers OpenAI's chat completions:
// OpenAI itself, OpenRouter, Groq, Together, Ollama, vLLM and many more.
//
// The client is our own and small, because "compatible" means something a
// little different at every vendor: what they add is passed over, what they
// leave out is not missed, and what cannot be understood becomes an
// *llm.ProviderError of the right kind. What callers wrote in this format, and
// what vendors answer, passes through as it is: package chat reads it and
// changes what must be. The key leaves this package in one place only, the
// headers to the configured host; redirects are not followed, and no error
// quotes it.
package openai

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/busuhq/busu/internal/chat"
	"github.com/busuhq/busu/internal/llm"
)

// Options say where the endpoint is. BaseURL is required.
type Options struct {
	Name    string            // the configured provider's name, for errors; default "openai"
	BaseURL string            // up to and including the version, such as https://api.openai.com/v1
	APIKey  string            // empty: no Authorization header, as local servers want it
	Headers map[string]string // sent with every call, such as OpenAI-Organization; may hold secrets
	Timeout time.Duration     // of one call, the whole answer included; 0: only ctx limits it
	Client  *http.Client      // nil: one with a connection pool of its own
}

// Provider calls one endpoint. It is safe for concurrent use.
type Provider struct {
	name       string
	key        string
	headers    http.Header
	secrets    []string // what no error may quote
	chat       string   // addresses
	embeddings string
	dialect    chat.Dialect
	timeout    time.Duration
	client     *http.Client
}

var _ llm.Provider = (*Provider)(nil)

// New returns the provider of one endpoint. It fails when the base URL is not
// an absolute http or https URL without credentials, query and fragment, or
// when the key or another header cannot be sent; the error quotes neither.
func New(o Options) (*Provider, error) {
	base, err := parseBase(o.BaseURL)
	if err != nil {
		return nil, err
	}
	if strings.ContainsFunc(o.APIKey, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("the API key holds a space, a line break or a sign that no header can carry")
	}
	headers, err := headersOf(o)
	if err != nil {
		return nil, err
	}
	if o.Name == "" {
		o.Name = "openai"
	}
	return &Provider{
		name:       o.Name,
		key:        o.APIKey,
		headers:    headers,
		secrets:    secretsOf(o),
		chat:       base.JoinPath("chat/completions").String(),
		embeddings: base.JoinPath("embeddings").String(),
		dialect:    dialectOf(base),
		timeout:    o.Timeout,
		client:     clientWithoutRedirects(o.Client),
	}, nil
}

// secretsOf are the texts that no error may quote. What is shorter cannot be a
// secret, and would make errors unreadable.
func secretsOf(o Options) []string {
	const shortest = 8
	var secrets []string
	if o.APIKey != "" {
		secrets = append(secrets, o.APIKey)
	}
	for _, value := range slices.Sorted(maps.Values(o.Headers)) {
		if len(value) >= shortest {
			secrets = append(secrets, value)
		}
	}
	return secrets
}

// Close drops idle connections. Calls under way are not disturbed.
func (p *Provider) Close() error {
	p.client.CloseIdleConnections()
	return nil
}

// Complete asks for one answer, or for the embeddings of a text. Every error
// is a *llm.ProviderError. An endpoint that does not report usage leaves
// Response.Usage zero. Embeddings come whole, whatever r.Emit says.
func (p *Provider) Complete(ctx context.Context, r llm.Request) (llm.Response, error) {
	if p.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.timeout)
		defer cancel()
	}
	switch r.Format {
	case llm.FormatChat:
		return p.completeChat(ctx, r)
	case llm.FormatEmbeddings:
		return p.completeEmbeddings(ctx, r)
	}
	return llm.Response{}, p.fail(llm.ErrorRejected, errors.New("the endpoint speaks chat completions and embeddings only; send this request to a provider of its own format"))
}

func (p *Provider) completeChat(ctx context.Context, r llm.Request) (llm.Response, error) {
	body, err := chat.Upstream(r, p.dialect)
	if err != nil {
		return llm.Response{}, p.fail(llm.ErrorRejected, err)
	}
	if r.Emit != nil {
		return p.stream(ctx, r, body)
	}
	response, err := p.post(ctx, p.chat, body, acceptJSON)
	if err != nil {
		return llm.Response{}, err
	}
	defer response.Body.Close()
	return p.readAnswer(ctx, response, response.Body, maxAnswer, chat.Decode)
}

func (p *Provider) completeEmbeddings(ctx context.Context, r llm.Request) (llm.Response, error) {
	body, err := chat.WithModel(r.Body, r.Model)
	if err != nil {
		return llm.Response{}, p.fail(llm.ErrorRejected, err)
	}
	response, err := p.post(ctx, p.embeddings, body, acceptJSON)
	if err != nil {
		return llm.Response{}, err
	}
	defer response.Body.Close()
	return p.readAnswer(ctx, response, response.Body, maxEmbeddings, chat.DecodeEmbeddings)
}

func parseBase(raw string) (*url.URL, error) {
	base, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, errors.New("the base URL cannot be read; it should look like https://api.openai.com/v1")
	case base.Scheme != "https" && base.Scheme != "http", base.Host == "":
		return nil, errors.New("the base URL must begin with https:// or http:// and name a host")
	case base.User != nil:
		return nil, errors.New("the base URL holds credentials; put the key into the API key instead")
	case base.RawQuery != "" || base.ForceQuery || base.Fragment != "":
		return nil, errors.New("the base URL must not have a query or a fragment")
	case strings.HasSuffix(strings.TrimRight(base.Path, "/"), "/chat/completions"):
		return nil, errors.New("the base URL must end before /chat/completions")
	}
	return base, nil
}

// headersOf checks and gives the headers of every call. Those that the call
// itself decides on are not to be had.
func headersOf(o Options) (http.Header, error) {
	headers := http.Header{"Content-Type": {"application/json"}, "User-Agent": {"busu"}}
	for name, value := range o.Headers {
		canonical := http.CanonicalHeaderKey(name)
		switch canonical {
		case "Host", "Content-Type", "Content-Length", "Content-Encoding", "Transfer-Encoding", "Connection", "Accept", "Accept-Encoding",
			"Expect", "Te", "Trailer", "Upgrade":
			return nil, fmt.Errorf("the header %s is not to be set: the call decides on it", canonical)
		case "Authorization":
			if o.APIKey != "" {
				return nil, errors.New("the header Authorization is what carries the API key; leave one of the two out")
			}
		}
		if name == "" || strings.ContainsFunc(name, func(r rune) bool { return !isToken(r) }) {
			return nil, fmt.Errorf("%q cannot be the name of a header", name)
		}
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
			return nil, fmt.Errorf("the header %s holds a line break or a sign that no header can carry", canonical)
		}
		headers.Set(canonical, value)
	}
	if o.APIKey != "" {
		headers.Set("Authorization", "Bearer "+o.APIKey)
	}
	return headers, nil
}

// isToken reports whether a header's name may hold r (RFC 9110, 5.6.2).
func isToken(r rune) bool {
	return r > ' ' && r < 0x7f && !strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
}
