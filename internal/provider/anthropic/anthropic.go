// Package anthropic speaks to Anthropic's Messages API
// (https://platform.claude.com/docs/en/api/messages), and to whoever offers
// the same.
//
// It is at home in that format: what callers wrote in it, and what the vendor
// answers, passes through as it is, and package messages reads it beside.
// Requests in OpenAI's format are translated from their fields. The key leaves
// this package in one place only, the header x-api-key to the configured host;
// redirects are not followed, and no error quotes it.
package anthropic

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/messages"
	"github.com/busuhq/busu/internal/provider/endpoint"
)

// DefaultBaseURL is Anthropic's own endpoint.
const DefaultBaseURL = "https://api.anthropic.com"

// betaHeader names what callers want that is not yet for everybody, separated
// by commas.
const betaHeader = "anthropic-beta"

// Options say where the endpoint is.
type Options struct {
	Name      string            // the configured provider's name, for errors; default "anthropic"
	BaseURL   string            // up to and without /v1; default DefaultBaseURL
	APIKey    string            // empty: no key is sent
	Headers   map[string]string // sent with every call, such as anthropic-beta; no secrets
	MaxTokens int               // asked for where a translated request sets no limit; 0: what suits the model
	Timeout   time.Duration     // of one call, the whole answer included; 0: only ctx limits it
	Client    *http.Client      // nil: one with a connection pool of its own

	// Propagate adds headers that say which trace a call is part of. nil: none.
	Propagate func(ctx context.Context, h http.Header)
}

// Provider calls one endpoint. It is safe for concurrent use.
type Provider struct {
	endpoint  *endpoint.Endpoint
	address   *url.URL
	beta      string // configured, for callers who ask for others beside
	maxTokens int
	timeout   time.Duration
}

var _ llm.Provider = (*Provider)(nil)

// New returns the provider of one endpoint. It fails when the base URL is not
// an absolute http or https URL without credentials, query and fragment, or
// when the key cannot be sent in a header; the error does not quote the key.
func New(o Options) (*Provider, error) {
	base, err := endpoint.ParseBase(cmp.Or(o.BaseURL, DefaultBaseURL), DefaultBaseURL, "/v1")
	if err != nil {
		return nil, err
	}
	if err := endpoint.CheckKey(o.APIKey); err != nil {
		return nil, err
	}
	headers := map[string]string{}
	for name, value := range o.Headers {
		headers[strings.ToLower(name)] = value
	}
	headers["anthropic-version"] = messages.Version
	if o.APIKey != "" {
		headers["x-api-key"] = o.APIKey
	}
	return &Provider{
		endpoint: endpoint.New(endpoint.Options{Name: cmp.Or(o.Name, "anthropic"), Headers: headers,
			Secrets: []string{o.APIKey}, Client: o.Client, Propagate: o.Propagate}),
		address:   base.JoinPath("v1/messages"),
		beta:      headers[betaHeader],
		maxTokens: o.MaxTokens,
		timeout:   o.Timeout,
	}, nil
}

// Close drops idle connections. Calls under way are not disturbed.
func (p *Provider) Close() error {
	p.endpoint.Close()
	return nil
}

// Complete asks for one answer. Every error is a *llm.ProviderError.
func (p *Provider) Complete(ctx context.Context, r llm.Request) (llm.Response, error) {
	if p.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.timeout)
		defer cancel()
	}
	if r.Format != llm.FormatChat && r.Format != llm.FormatMessages {
		return llm.Response{}, p.endpoint.Refuse(errors.New("the vendor speaks messages only; send this request to a provider of its own format"))
	}
	body, err := messages.Upstream(r, p.maxTokens)
	if err != nil {
		return llm.Response{}, p.endpoint.Refuse(err)
	}
	if r.Emit != nil {
		return p.stream(ctx, r, body)
	}
	return p.whole(ctx, r, body)
}

func (p *Provider) whole(ctx context.Context, r llm.Request, body []byte) (llm.Response, error) {
	response, err := p.endpoint.Post(ctx, p.address, p.header(r, "application/json"), body)
	if err != nil {
		return llm.Response{}, err
	}
	defer response.Body.Close()
	said, err := p.endpoint.ReadAnswer(ctx, response)
	if err != nil {
		return llm.Response{}, err
	}
	answer, err := messages.Decode(said)
	if err != nil {
		return llm.Response{}, p.answerError(response, said, err)
	}
	if !native(r) {
		answer.Body = nil
	}
	return answer, nil
}

// native reports whether the answer goes on in the vendor's own words.
func native(r llm.Request) bool { return r.Format == llm.FormatMessages }

// header is what goes with one call beside its body.
func (p *Provider) header(r llm.Request, accept string) http.Header {
	h := http.Header{"Accept": {accept}}
	if !native(r) {
		return h
	}
	for name, value := range r.Headers {
		if name == betaHeader && p.beta != "" {
			value = p.beta + "," + value
		}
		if slices.Contains(messages.Headers(), name) {
			h.Set(name, value)
		}
	}
	return h
}

// answerError is a 200 that holds no good answer.
func (p *Provider) answerError(response *http.Response, said []byte, err error) error {
	if failure, ok := errors.AsType[*messages.FailureError](err); ok {
		return p.endpoint.Told(failure.Kind(), response.StatusCode, failure.Message)
	}
	return p.endpoint.Malformed(response, said, err)
}
