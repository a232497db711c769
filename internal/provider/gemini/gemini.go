// Package gemini speaks to Google's Gemini API in its own language,
// generateContent and streamGenerateContent
// (https://ai.google.dev/api/generate-content).
//
// Google also offers an endpoint that is compatible with OpenAI's; this one
// tells more: which tokens were thoughts and which came from a cache, why an
// answer was withheld, how long to wait. Requests are translated from their
// fields and answers into ours, so there is never a Body. The key leaves this
// package in one place only, the header x-goog-api-key to the configured host,
// never in a URL; redirects are not followed, and no error quotes it.
package gemini

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/provider/endpoint"
)

// DefaultBaseURL is Google's own endpoint.
const DefaultBaseURL = "https://generativelanguage.googleapis.com/v1beta"

// Options say where the endpoint is.
type Options struct {
	Name    string            // the configured provider's name, for errors; default "gemini"
	BaseURL string            // up to and including the version; default DefaultBaseURL
	APIKey  string            // empty: no key is sent
	Headers map[string]string // sent with every call beside those of the API
	Timeout time.Duration     // of one call, the whole answer included; 0: only ctx limits it
	Client  *http.Client      // nil: one with a connection pool of its own

	// Propagate adds headers that say which trace a call is part of. nil: none.
	Propagate func(ctx context.Context, h http.Header)
}

// Provider calls one endpoint. It is safe for concurrent use.
type Provider struct {
	endpoint   *endpoint.Endpoint
	base       *url.URL
	timeout    time.Duration
	signatures signatures
}

var _ llm.Provider = (*Provider)(nil)

// New returns the provider of one endpoint. It fails when the base URL is not
// an absolute http or https URL without credentials, query and fragment, or
// when the key cannot be sent in a header; the error does not quote the key.
func New(o Options) (*Provider, error) {
	base, err := endpoint.ParseBase(cmp.Or(o.BaseURL, DefaultBaseURL), DefaultBaseURL, "/models")
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(strings.TrimRight(base.Path, "/"), "/openai") {
		return nil, errors.New("the base URL is that of the endpoint compatible with OpenAI's: leave /openai out, or use the kind openai")
	}
	if err := endpoint.CheckKey(o.APIKey); err != nil {
		return nil, err
	}
	headers := map[string]string{}
	maps.Copy(headers, o.Headers)
	if o.APIKey != "" {
		headers["x-goog-api-key"] = o.APIKey
	}
	return &Provider{
		endpoint: endpoint.New(endpoint.Options{Name: cmp.Or(o.Name, "gemini"), Headers: headers,
			Secrets: []string{o.APIKey}, Client: o.Client, Propagate: o.Propagate, Failure: meaning}),
		base:    base,
		timeout: o.Timeout,
	}, nil
}

// Close drops idle connections. Calls under way are not disturbed.
func (p *Provider) Close() error {
	p.endpoint.Close()
	return nil
}

// Complete asks for one answer. Every error is a *llm.ProviderError. Requests
// in other formats than chat, for more than 8 answers, and with parts that
// Gemini does not know are rejected without a call. So is a prompt that Google
// blocks: another vendor may see it differently.
func (p *Provider) Complete(ctx context.Context, r llm.Request) (llm.Response, error) {
	if p.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.timeout)
		defer cancel()
	}
	wire, err := p.translate(r)
	if err != nil {
		return llm.Response{}, p.endpoint.Refuse(err)
	}
	body, err := json.Marshal(wire)
	if err != nil {
		return llm.Response{}, p.endpoint.Refuse(err)
	}
	a := p.newAnswer(r)
	if r.Emit != nil {
		err = p.stream(ctx, a, body)
	} else {
		err = p.whole(ctx, a, body)
	}
	return a.response(), err
}

func (p *Provider) whole(ctx context.Context, a *answer, body []byte) error {
	response, err := p.endpoint.Post(ctx, p.address(a.request.Model, "generateContent"), http.Header{"Accept": {"application/json"}}, body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	said, err := p.endpoint.ReadAnswer(ctx, response)
	if err != nil {
		return err
	}
	if _, err := a.take(said); err != nil {
		return p.answerError(response, said, err)
	}
	if _, err := a.end(); err != nil {
		return p.answerError(response, said, err)
	}
	return nil
}

// address is the URL of a model's method. Models are named with or without
// their collection: gemini-2.5-flash, models/gemini-2.5-flash, tunedModels/x.
func (p *Provider) address(model, method string) *url.URL {
	collection, name, found := strings.Cut(model, "/")
	if !found {
		collection, name = "models", model
	}
	u := *p.base
	u.RawPath = strings.TrimRight(u.EscapedPath(), "/") + "/" + url.PathEscape(collection) + "/" + url.PathEscape(name) + ":" + method
	u.Path = strings.TrimRight(u.Path, "/") + "/" + collection + "/" + name + ":" + method
	return &u
}
