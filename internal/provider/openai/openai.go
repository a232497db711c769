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
	"cmp"
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
	"github.com/busuhq/busu/internal/provider/endpoint"
)

// Options say where the endpoint is. BaseURL is required.
type Options struct {
	Name    string            // the configured provider's name, for errors; default "openai"
	BaseURL string            // up to and including the version, such as https://api.openai.com/v1
	APIKey  string            // empty: no Authorization header, as local servers want it
	Headers map[string]string // sent with every call, such as OpenAI-Organization; may hold secrets
	Timeout time.Duration     // of one call, the whole answer included; 0: only ctx limits it
	Client  *http.Client      // nil: one with a connection pool of its own

	// Propagate adds headers that say which trace a call is part of. nil: none.
	Propagate func(ctx context.Context, h http.Header)
}

// Provider calls one endpoint. It is safe for concurrent use.
type Provider struct {
	endpoint   *endpoint.Endpoint
	chat       *url.URL // addresses
	embeddings *url.URL
	json       http.Header // of calls for a whole answer, and for one in pieces; nobody changes them
	events     http.Header
	dialect    chat.Dialect
	timeout    time.Duration
}

var _ llm.Provider = (*Provider)(nil)

// New returns the provider of one endpoint. It fails when the base URL is not
// an absolute http or https URL without credentials, query and fragment, or
// when the key or another header cannot be sent; the error quotes neither.
func New(o Options) (*Provider, error) {
	base, err := endpoint.ParseBase(o.BaseURL, "https://api.openai.com/v1", "/chat/completions")
	if err != nil {
		return nil, err
	}
	if err := endpoint.CheckKey(o.APIKey); err != nil {
		return nil, err
	}
	headers, err := headersOf(o)
	if err != nil {
		return nil, err
	}
	return &Provider{
		endpoint: endpoint.New(endpoint.Options{Name: cmp.Or(o.Name, "openai"), Headers: headers,
			Secrets: secretsOf(o), Client: o.Client, Propagate: o.Propagate}),
		chat:       base.JoinPath("chat/completions"),
		embeddings: base.JoinPath("embeddings"),
		json:       http.Header{"Accept": {"application/json"}},
		events:     http.Header{"Accept": {"text/event-stream"}},
		dialect:    dialectOf(base),
		timeout:    o.Timeout,
	}, nil
}

// dialectOf knows hosts that take something otherwise than all others.
func dialectOf(base *url.URL) chat.Dialect {
	host := strings.ToLower(base.Hostname())
	of := func(domain string) bool { return host == domain || strings.HasSuffix(host, "."+domain) }
	return chat.Dialect{
		NewLimit:        of("openai.com") || of("openai.azure.com"),
		NoStreamOptions: of("mistral.ai"),
	}
}

// Close drops idle connections. Calls under way are not disturbed.
func (p *Provider) Close() error {
	p.endpoint.Close()
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
	return llm.Response{}, p.endpoint.Refuse(errors.New("the endpoint speaks chat completions and embeddings only; send this request to a provider of its own format"))
}

func (p *Provider) completeChat(ctx context.Context, r llm.Request) (llm.Response, error) {
	body, err := chat.Upstream(r, p.dialect)
	if err != nil {
		return llm.Response{}, p.endpoint.Refuse(err)
	}
	if r.Emit != nil {
		return p.stream(ctx, r, body)
	}
	return p.whole(ctx, p.chat, body, endpoint.MaxAnswer, chat.Decode)
}

// maxEmbeddings bounds an answer with embeddings, in bytes: those of 2,000
// texts have about half of it.
const maxEmbeddings = 64 << 20

func (p *Provider) completeEmbeddings(ctx context.Context, r llm.Request) (llm.Response, error) {
	body, err := chat.WithModel(r.Body, r.Model)
	if err != nil {
		return llm.Response{}, p.endpoint.Refuse(err)
	}
	return p.whole(ctx, p.embeddings, body, maxEmbeddings, chat.DecodeEmbeddings)
}

// whole posts body and reads an answer of at most limit bytes.
func (p *Provider) whole(ctx context.Context, address *url.URL, body []byte, limit int64,
	decode func([]byte) (llm.Response, error)) (llm.Response, error) {
	response, err := p.endpoint.Post(ctx, address, p.json, body)
	if err != nil {
		return llm.Response{}, err
	}
	defer response.Body.Close()
	said, err := p.endpoint.ReadUpTo(ctx, response, limit)
	if err != nil {
		return llm.Response{}, err
	}
	answer, err := decode(said)
	if err != nil {
		return llm.Response{}, p.answerError(response, said, err)
	}
	return answer, nil
}

// headersOf checks and gives the headers of every call. Those that the call
// itself decides on are not to be had.
func headersOf(o Options) (map[string]string, error) {
	headers := map[string]string{}
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
		headers[canonical] = value
	}
	if o.APIKey != "" {
		headers["Authorization"] = "Bearer " + o.APIKey
	}
	return headers, nil
}

// isToken reports whether a header's name may hold r (RFC 9110, 5.6.2).
func isToken(r rune) bool {
	return r > ' ' && r < 0x7f && !strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
}

// secretsOf are the texts that no error may quote: the key, and the values of
// headers. What is shorter than a key can be would make errors unreadable.
func secretsOf(o Options) []string {
	const shortest = 8
	secrets := []string{o.APIKey}
	for _, value := range slices.Sorted(maps.Values(o.Headers)) {
		if len(value) >= shortest {
			secrets = append(secrets, value)
		}
	}
	return secrets
}
