package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// contract stands between the clients and busu, changes nothing, and holds
// every answer against the OpenAPI document that busu serves.
type contract struct {
	router routers.Router
	proxy  *httputil.ReverseProxy

	mu      sync.Mutex
	checked int
	broken  []error
}

func newContract(busu string) (*contract, error) {
	response, err := http.Get(busu + "/openapi.json")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	document, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, err
	}
	document.Servers = nil // it listens anywhere
	c := new(contract)
	if c.router, err = legacy.NewRouter(document); err != nil {
		return nil, err
	}
	target, err := url.Parse(busu)
	if err != nil {
		return nil, err
	}
	c.proxy = &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(target) },
		FlushInterval:  -1, // pieces go on as they come
		ModifyResponse: c.check,
		ErrorHandler:   func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }, // the client has left
	}
	return c, nil
}

// ServeHTTP implements http.Handler.
func (c *contract) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.proxy.ServeHTTP(w, r) }

// check validates status, headers, and the body where it is not a stream.
func (c *contract) check(response *http.Response) error {
	stream := strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream")
	var body []byte
	if !stream {
		var err error
		if body, err = io.ReadAll(response.Body); err != nil {
			return err
		}
		response.Body = io.NopCloser(bytes.NewReader(body))
	}
	err := c.validate(response, body, stream)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checked++
	if err != nil {
		c.broken = append(c.broken, fmt.Errorf("%s %s: %d: %w", response.Request.Method, response.Request.URL.Path, response.StatusCode, err))
	}
	return nil
}

func (c *contract) validate(response *http.Response, body []byte, stream bool) error {
	route, params, err := c.router.FindRoute(response.Request)
	if err != nil {
		return err
	}
	request := &openapi3filter.RequestValidationInput{Request: response.Request, Route: route, PathParams: params,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true, ExcludeResponseBody: stream}}
	answer := &openapi3filter.ResponseValidationInput{RequestValidationInput: request,
		Status: response.StatusCode, Header: response.Header, Options: request.Options}
	answer.SetBodyBytes(body)
	return openapi3filter.ValidateResponse(context.Background(), answer)
}

// verdict says what was not as documented. Without a single answer it has seen
// nothing.
func (c *contract) verdict() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.checked == 0 {
		return errors.New("no answer was held against the document")
	}
	fmt.Printf("%d answers were held against openapi.json\n", c.checked)
	return errors.Join(c.broken...)
}
