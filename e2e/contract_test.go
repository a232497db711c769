package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// contract is the OpenAPI document that busu serves, for what passed between
// it and the clients to be held against.
type contract struct {
	schemas openapi3.Schemas
	router  routers.Router

	answers, events int // that were
}

func readContract(busu string) (*contract, error) {
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
	router, err := legacy.NewRouter(document)
	return &contract{schemas: document.Components.Schemas, router: router}, err
}

// judge says what is not as documented. Without answers and events it has seen
// nothing.
func (c *contract) judge(talks []*talk) error {
	var errs []error
	for _, t := range talks {
		all, err := t.read()
		errs = append(errs, err)
		for _, e := range all {
			if err := c.check(e); err != nil {
				errs = append(errs, fmt.Errorf("%s %s: %d: %w", e.request.Method, e.request.URL.Path, e.response.StatusCode, err))
			}
		}
	}
	if c.answers == 0 || c.events == 0 {
		errs = append(errs, errors.New("no answers or no events were held against the document"))
	}
	fmt.Printf("%d answers and %d events were held against openapi.json\n", c.answers, c.events)
	return errors.Join(errs...)
}

// check validates a status, headers and a body; of a stream, each event.
func (c *contract) check(e exchange) error {
	c.answers++
	route, params, err := c.router.FindRoute(e.request)
	if err != nil {
		return err
	}
	stream := strings.HasPrefix(e.response.Header.Get("Content-Type"), "text/event-stream")
	options := &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true, ExcludeResponseBody: stream || e.cut}
	e.request.Body = io.NopCloser(bytes.NewReader(e.asked))
	request := &openapi3filter.RequestValidationInput{Request: e.request, Route: route, PathParams: params, Options: options}
	if e.response.StatusCode == http.StatusOK {
		err = openapi3filter.ValidateRequest(context.Background(), request)
	}
	answer := &openapi3filter.ResponseValidationInput{RequestValidationInput: request,
		Status: e.response.StatusCode, Header: e.response.Header, Options: options}
	answer.SetBodyBytes(e.body)
	err = errors.Join(err, openapi3filter.ValidateResponse(context.Background(), answer))
	if stream {
		err = errors.Join(err, c.checkEvents(route.Operation, e))
	}
	return err
}

// checkEvents holds what each event of a stream says against x-item-schema,
// which the document has for it.
func (c *contract) checkEvents(o *openapi3.Operation, e exchange) error {
	media := o.Responses.Status(e.response.StatusCode).Value.Content["text/event-stream"]
	item, ok := media.Extensions["x-item-schema"].(map[string]any)
	if !ok {
		return errors.New("the document does not say what the events are")
	}
	schema := c.schemas[path.Base(fmt.Sprint(item["$ref"]))]
	if schema == nil {
		return fmt.Errorf("the document has no schema %v", item["$ref"])
	}
	var errs []error
	for _, data := range eventsOf(e.body) {
		var value any
		err := json.Unmarshal([]byte(data), &value)
		if err == nil {
			err = schema.Value.VisitJSON(value, openapi3.EnableJSONSchema2020())
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("event %.200s: %w", data, err))
		}
		c.events++
	}
	return errors.Join(errs...)
}

// eventsOf gives the data of all events that are whole. The end of OpenAI's
// streams is none.
func eventsOf(stream []byte) (all []string) {
	blocks := strings.Split(string(stream), "\n\n")
	for _, block := range blocks[:len(blocks)-1] {
		var lines []string
		for line := range strings.SplitSeq(block, "\n") {
			if data, ok := strings.CutPrefix(line, "data:"); ok {
				lines = append(lines, strings.TrimPrefix(data, " "))
			}
		}
		if data := strings.Join(lines, "\n"); data != "" && data != "[DONE]" {
			all = append(all, data)
		}
	}
	return all
}
