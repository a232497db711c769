package openai

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/busuhq/busu/internal/chat"
	"github.com/busuhq/busu/internal/llm"
)

// What a call wants to get.
const (
	acceptJSON   = "application/json"
	acceptStream = "text/event-stream"
)

// dialectOf knows hosts that take something otherwise than all others.
func dialectOf(base *url.URL) chat.Dialect {
	host := strings.ToLower(base.Hostname())
	of := func(domain string) bool { return host == domain || strings.HasSuffix(host, "."+domain) }
	return chat.Dialect{
		NewLimit:        of("openai.com") || of("openai.azure.com"),
		NoStreamOptions: of("mistral.ai"),
	}
}

// post sends body and gives an answer with the status 200, to be closed by the
// caller, or a *llm.ProviderError.
func (p *Provider) post(ctx context.Context, address string, body []byte, accept string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, p.fail(llm.ErrorRejected, err)
	}
	request.Header = p.headers.Clone()
	request.Header.Set("Accept", accept)
	response, err := p.client.Do(request)
	if err != nil {
		return nil, p.transportError(ctx, 0, err)
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		return nil, p.statusError(response, time.Now())
	}
	return response, nil
}
