package gemini

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/busuhq/busu/internal/llm"
)

func (p *Provider) newRequest(ctx context.Context, r llm.Request) (*http.Request, error) {
	wire, err := p.translate(r)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(wire)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.endpoint(r.Model, r.Emit != nil), bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the model's name does not fit into a URL")
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	if r.Emit != nil {
		request.Header.Set("Accept", "text/event-stream")
	}
	request.Header.Set("User-Agent", "busu")
	if p.key != "" {
		request.Header.Set("X-Goog-Api-Key", p.key)
	}
	return request, nil
}

// endpoint is the URL of a model's method. Models are named with or without
// their collection: gemini-2.5-flash, models/gemini-2.5-flash, tunedModels/x.
func (p *Provider) endpoint(model string, streamed bool) string {
	collection, name, found := strings.Cut(model, "/")
	if !found {
		collection, name = "models", model
	}
	method := ":generateContent"
	if streamed {
		method = ":streamGenerateContent?alt=sse"
	}
	return p.base + "/" + url.PathEscape(collection) + "/" + url.PathEscape(name) + method
}

// clientWithoutRedirects copies given, or makes a client, that hands redirects
// back as answers: following one would show the key to whoever it points at.
func clientWithoutRedirects(given *http.Client) *http.Client {
	client := &http.Client{}
	if given == nil {
		client.Transport = newTransport()
	} else {
		*client = *given
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client
}

// newTransport keeps many connections to the one host. Waiting for the answer
// is not limited here, because models may think for minutes; the call's
// deadline is.
func newTransport() *http.Transport {
	dialer := net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           256,
		MaxIdleConnsPerHost:    64,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		// A dead HTTP/2 connection would otherwise swallow every call on it.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
	}
}

const (
	maxAnswer     = 8 << 20  // bytes, of a body or of what a stream adds up to
	maxErrorBytes = 64 << 10 // read of an error; far less is quoted
)

var errTooLarge = fmt.Errorf("the answer is larger than %d MiB", maxAnswer>>20)

// readBounded reads all of r, or fails with errTooLarge beyond limit bytes.
func readBounded(r io.Reader, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, limit+1))
	if int64(len(body)) > limit {
		return nil, errTooLarge
	}
	return body, err
}

func timedOut(err error) bool {
	var netError net.Error
	return errors.As(err, &netError) && netError.Timeout()
}
