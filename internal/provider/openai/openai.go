// Package openai speaks to any endpoint that offers OpenAI's chat completions:
// OpenAI itself, OpenRouter, Groq, Together, Ollama, vLLM and many more.
//
// The client is our own and small, because "compatible" means something a
// little different at every vendor: what they add is passed over, what they
// leave out is not missed, and what cannot be understood becomes an
// *llm.ProviderError of the right kind. The key leaves this package in one
// place only, the Authorization header to the configured host; redirects are
// not followed, and no error quotes it.
package openai

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/busuhq/busu/internal/llm"
)

// Options say where the endpoint is. BaseURL is required.
type Options struct {
	Name    string        // the configured provider's name, for errors; default "openai"
	BaseURL string        // up to and including the version, such as https://api.openai.com/v1
	APIKey  string        // empty: no Authorization header, as local servers want it
	Timeout time.Duration // of one call, the whole answer included; 0: only ctx limits it
	Client  *http.Client  // nil: one with a connection pool of its own
}

// Provider calls one endpoint. It is safe for concurrent use.
type Provider struct {
	name     string
	key      string
	endpoint string
	timeout  time.Duration
	client   *http.Client
	limit    limitField
}

var _ llm.Provider = (*Provider)(nil)

// New returns the provider of one endpoint. It fails when the base URL is not
// an absolute http or https URL without credentials, query and fragment, or
// when the key cannot be sent in a header; the error does not quote the key.
func New(o Options) (*Provider, error) {
	base, err := parseBase(o.BaseURL)
	if err != nil {
		return nil, err
	}
	if strings.ContainsFunc(o.APIKey, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("the API key holds a space, a line break or a sign that no header can carry")
	}
	if o.Name == "" {
		o.Name = "openai"
	}
	return &Provider{
		name:     o.Name,
		key:      o.APIKey,
		endpoint: base.JoinPath("chat/completions").String(),
		timeout:  o.Timeout,
		client:   clientWithoutRedirects(o.Client),
		limit:    limitFieldOf(base),
	}, nil
}

// Close drops idle connections. Calls under way are not disturbed.
func (p *Provider) Close() error {
	p.client.CloseIdleConnections()
	return nil
}

// Complete asks for one answer and waits for all of it. Every error is a
// *llm.ProviderError. An endpoint that does not report usage leaves
// Response.Usage zero.
func (p *Provider) Complete(ctx context.Context, r llm.Request) (llm.Response, error) {
	if p.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.timeout)
		defer cancel()
	}
	request, err := p.newRequest(ctx, r)
	if err != nil {
		return llm.Response{}, p.fail(llm.ErrorRejected, err)
	}
	response, err := p.client.Do(request)
	if err != nil {
		return llm.Response{}, p.transportError(ctx, 0, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return llm.Response{}, p.statusError(response, time.Now())
	}
	return p.readAnswer(ctx, response)
}

func (p *Provider) readAnswer(ctx context.Context, response *http.Response) (llm.Response, error) {
	body, err := readBounded(response.Body, maxAnswer)
	if errors.Is(err, errTooLarge) {
		return llm.Response{}, p.failWith(llm.ErrorMalformed, response.StatusCode, err)
	}
	if err != nil {
		return llm.Response{}, p.transportError(ctx, response.StatusCode, fmt.Errorf("answer cut off: %w", err))
	}
	answer, err := decode(body)
	if vendor, ok := errors.AsType[*vendorError](err); ok {
		return llm.Response{}, p.failWith(vendor.kind(), vendor.status, errors.New(p.quote(vendor.message)))
	}
	if err != nil {
		err = fmt.Errorf("%w (content type %q): %s", err, p.presentable(response.Header.Get("Content-Type")), p.quote(body))
		return llm.Response{}, p.failWith(llm.ErrorMalformed, response.StatusCode, err)
	}
	return answer, nil
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
