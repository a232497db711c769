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
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/busuhq/busu/internal/llm"
)

// DefaultBaseURL is Google's own endpoint.
const DefaultBaseURL = "https://generativelanguage.googleapis.com/v1beta"

// Options say where the endpoint is.
type Options struct {
	Name    string        // the configured provider's name, for errors; default "gemini"
	BaseURL string        // up to and including the version; default DefaultBaseURL
	APIKey  string        // empty: no key is sent
	Timeout time.Duration // of one call, the whole answer included; 0: only ctx limits it
	Client  *http.Client  // nil: one with a connection pool of its own
}

// Provider calls one endpoint. It is safe for concurrent use.
type Provider struct {
	name       string
	key        string
	base       string
	timeout    time.Duration
	client     *http.Client
	signatures signatures
}

var _ llm.Provider = (*Provider)(nil)

// New returns the provider of one endpoint. It fails when the base URL is not
// an absolute http or https URL without credentials, query and fragment, or
// when the key cannot be sent in a header; the error does not quote the key.
func New(o Options) (*Provider, error) {
	if o.BaseURL == "" {
		o.BaseURL = DefaultBaseURL
	}
	base, err := parseBase(o.BaseURL)
	if err != nil {
		return nil, err
	}
	if strings.ContainsFunc(o.APIKey, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("the API key holds a space, a line break or a sign that no header can carry")
	}
	if o.Name == "" {
		o.Name = "gemini"
	}
	return &Provider{
		name:    o.Name,
		key:     o.APIKey,
		base:    strings.TrimRight(base.String(), "/"),
		timeout: o.Timeout,
		client:  clientWithoutRedirects(o.Client),
	}, nil
}

func parseBase(raw string) (*url.URL, error) {
	base, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the base URL cannot be read; it should look like %s", DefaultBaseURL)
	case base.Scheme != "https" && base.Scheme != "http", base.Host == "":
		return nil, errors.New("the base URL must begin with https:// or http:// and name a host")
	case base.User != nil:
		return nil, errors.New("the base URL holds credentials; put the key into the API key instead")
	case base.RawQuery != "" || base.ForceQuery || base.Fragment != "":
		return nil, errors.New("the base URL must not have a query or a fragment; put the key into the API key")
	case strings.HasSuffix(strings.TrimRight(base.Path, "/"), "/models"):
		return nil, errors.New("the base URL must end before /models")
	case strings.HasSuffix(strings.TrimRight(base.Path, "/"), "/openai"):
		return nil, errors.New("the base URL is that of the endpoint compatible with OpenAI's: leave /openai out, or use the kind openai")
	}
	return base, nil
}

// Close drops idle connections. Calls under way are not disturbed.
func (p *Provider) Close() error {
	p.client.CloseIdleConnections()
	return nil
}

// Complete asks for one answer. Every error is a *llm.ProviderError. Requests
// in other formats than chat, for several answers, and with parts that Gemini
// does not know are rejected without a call. So is a prompt that Google
// blocks: another vendor may see it differently.
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
		return llm.Response{}, p.statusError(ctx, response, time.Now())
	}
	answer := p.newAnswer(r)
	if r.Emit == nil {
		err = p.readWhole(ctx, response, answer)
	} else {
		err = p.readStream(ctx, response, answer, r.Emit)
	}
	return answer.response(), err
}

func (p *Provider) readWhole(ctx context.Context, response *http.Response, a *answer) error {
	body, err := readBounded(response.Body, maxAnswer)
	if errors.Is(err, errTooLarge) {
		return p.failWith(llm.ErrorMalformed, response.StatusCode, err)
	}
	if err != nil {
		return p.transportError(ctx, response.StatusCode, fmt.Errorf("answer cut off: %w", err))
	}
	if _, err := a.take(body); err != nil {
		return p.answerError(response, body, err)
	}
	if _, err := a.end(); err != nil {
		return p.answerError(response, body, err)
	}
	return nil
}
