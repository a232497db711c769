// Package endpoint is what calling any vendor over HTTP takes, whatever
// language it speaks: a client that keeps the key where it belongs, answers
// that are bounded, and failures as *llm.ProviderError, in words that may be
// logged.
//
// A secret leaves this package in one place only, the headers to the
// configured host. Redirects are not followed, and no error quotes one.
package endpoint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/busuhq/busu/internal/llm"
)

// Options describe one endpoint.
type Options struct {
	Name    string            // the configured provider's name, for errors
	Headers map[string]string // sent with every call
	Secrets []string          // what no error may quote, such as the key
	Client  *http.Client      // nil: one with connections of its own

	// Propagate adds headers that say which trace a call is part of. nil: none.
	Propagate func(ctx context.Context, h http.Header)
	// Failure reads what the body of a failure says beside its status: the
	// kind, "" where the status tells it, and how long to wait. nil: nothing.
	Failure func(body []byte) (llm.ErrorKind, time.Duration)
}

// Endpoint is a vendor's API. It is safe for concurrent use.
type Endpoint struct {
	name    string
	headers http.Header
	secrets []string
	client  *http.Client
	plain   *plain                                   // nil: client makes all calls
	trace   func(ctx context.Context, h http.Header) // nil: no header
	failure func(body []byte) (llm.ErrorKind, time.Duration)
}

// New returns an endpoint that nobody has called yet.
func New(o Options) *Endpoint {
	headers := http.Header{"Content-Type": {"application/json"}, "User-Agent": {"busu"}}
	for name, value := range o.Headers {
		headers.Set(name, value)
	}
	e := &Endpoint{name: o.Name, headers: headers, client: withoutRedirects(o.Client), trace: o.Propagate, failure: o.Failure}
	if o.Client == nil {
		e.plain = newPlain()
	}
	for _, secret := range o.Secrets {
		if secret != "" {
			e.secrets = append(e.secrets, secret)
		}
	}
	return e
}

// Close drops idle connections. Calls under way are not disturbed.
func (e *Endpoint) Close() {
	e.client.CloseIdleConnections()
	if e.plain != nil {
		e.plain.close()
	}
}

// Post sends body and gives an answer with the status 200, to be closed by the
// caller, or a *llm.ProviderError. The header, with canonical names, goes with
// this call only.
func (e *Endpoint) Post(ctx context.Context, address *url.URL, header http.Header, body []byte) (*http.Response, error) {
	all := make(http.Header, len(e.headers)+len(header)+1) // values are shared: nobody changes them
	maps.Copy(all, e.headers)
	maps.Copy(all, header)
	if e.trace != nil {
		e.trace(ctx, all)
	}
	response, err := e.send(ctx, address, all, body)
	if err != nil {
		return nil, e.CutOff(ctx, 0, err)
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		return nil, e.statusError(ctx, response, time.Now())
	}
	return response, nil
}

func (e *Endpoint) send(ctx context.Context, address *url.URL, header http.Header, body []byte) (*http.Response, error) {
	if e.plain != nil && e.plain.serves(address, body) {
		return e.plain.post(ctx, address, header, body)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.URL, request.Header = address, header
	return e.client.Do(request)
}

// CheckKey fails where no header could carry key; the error does not quote it.
func CheckKey(key string) error {
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("the API key holds a space, a line break or a sign that no header can carry")
	}
	return nil
}

// ParseBase reads a base URL, such as example, which an error shows. It must
// be absolute, http or https, without credentials, query and fragment, and end
// before path, which is added to it.
func ParseBase(raw, example, path string) (*url.URL, error) {
	base, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the base URL cannot be read; it should look like %s", example)
	case base.Scheme != "https" && base.Scheme != "http", base.Host == "":
		return nil, errors.New("the base URL must begin with https:// or http:// and name a host")
	case base.User != nil:
		return nil, errors.New("the base URL holds credentials; put the key into the API key instead")
	case base.RawQuery != "" || base.ForceQuery || base.Fragment != "":
		return nil, errors.New("the base URL must not have a query or a fragment")
	case strings.HasSuffix(strings.TrimRight(base.Path, "/"), path):
		return nil, fmt.Errorf("the base URL must end before %s", path)
	case base.Path == "":
		base.Path = "/" // what is joined to it begins there
	}
	return base, nil
}

// withoutRedirects copies given, or makes a client, that hands redirects back
// as answers: following one would show the key to whoever it points at.
func withoutRedirects(given *http.Client) *http.Client {
	client := &http.Client{}
	if given == nil {
		client.Transport = newTransport()
	} else {
		*client = *given
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client
}

// mostIdle is above the calls that are under way at once at a busy vendor.
// Those that nobody needs are closed after IdleConnTimeout.
const mostIdle = 4096

// newTransport keeps the connections to its one host: opening one costs more
// than busu's own work for a request. Where more calls are under way at once
// than may be kept, some would open one each. Waiting for the answer is not limited
// here, because models may think for minutes; the call's deadline is.
func newTransport() *http.Transport {
	dialer := newDialer()
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // answers are short, and unpacking them is the gateway's time
		MaxIdleConnsPerHost:    mostIdle,
		IdleConnTimeout:        idleFor,
		TLSHandshakeTimeout:    10 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		// A dead HTTP/2 connection would otherwise swallow every call on it.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
	}
}

func newDialer() net.Dialer { return net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second} }
