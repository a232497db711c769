// Package contract holds what busu answers against the document that describes
// it: the status, the headers, the body, and nothing in the body beyond that.
package contract

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// Document is an OpenAPI document. It is safe for concurrent use.
type Document struct {
	*openapi3.T
	routers.Router
}

// Answer is an answer that was read to its end, unless it is of events.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Read reads a document, and says what is wrong with it.
func Read(text []byte) (*Document, error) {
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, err
	}
	doc.Servers = nil // it listens anywhere
	router, err := legacy.NewRouter(doc)
	return &Document{doc, router}, err
}

// Check says what of an answer is not as documented; what was answered with
// success must also have been asked as documented. A body that was asked with
// is read again where the request can.
func (d *Document) Check(r *http.Request, got Answer) error {
	asked, err := d.input(r)
	if err == nil && got.Status/100 == 2 && (r.Method == http.MethodGet || r.Header.Get("Content-Type") == "application/json") {
		if err := checkAsked(asked); err != nil {
			return errors.Join(err, d.CheckAnswer(r, got))
		}
	}
	return d.CheckAnswer(r, got)
}

// CheckAnswer is Check, whatever was asked.
func (d *Document) CheckAnswer(r *http.Request, got Answer) error {
	asked, err := d.input(r)
	if err != nil {
		return d.checkElsewhere(r, got)
	}
	answer := &openapi3filter.ResponseValidationInput{RequestValidationInput: asked, Status: got.Status, Header: got.Header, Options: asked.Options}
	answer.SetBodyBytes(got.Body)
	if strings.HasPrefix(got.Header.Get("Content-Type"), "text/event-stream") { // events are looked at one by one
		asked.Options.ExcludeResponseBody = true
	}
	var errs []error
	if err := openapi3filter.ValidateResponse(context.Background(), answer); err != nil {
		errs = append(errs, fmt.Errorf("the answer is not as documented: %w", err))
	}
	if schema := bodySchema(asked.Route.Operation, got); schema != nil {
		errs = append(errs, nothingElse(schema, got.Body))
	}
	return errors.Join(errs...)
}

// input is a request with the operation that it is for; an error where the
// document has none. An escaped slash does not part, and a slash at the end
// makes another path, which the router overlooks.
func (d *Document) input(r *http.Request) (*openapi3filter.RequestValidationInput, error) {
	asSent := r.Clone(r.Context())
	asSent.URL.Path = r.URL.EscapedPath()
	if path := asSent.URL.Path; path != "/" && strings.HasSuffix(path, "/") {
		return nil, routers.ErrPathNotFound
	}
	route, parameters, err := d.FindRoute(asSent)
	for _, value := range parameters {
		if value == "" { // the router takes /keys for /keys/{key_id}
			err = routers.ErrPathNotFound
		}
	}
	return &openapi3filter.RequestValidationInput{Request: r, Route: route, PathParams: parameters, Options: &openapi3filter.Options{
		AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true, SkipSettingDefaults: true}}, err
}

func checkAsked(input *openapi3filter.RequestValidationInput) error {
	if r := input.Request; r.GetBody != nil {
		body, err := r.GetBody()
		if err != nil {
			return err
		}
		r.Body = body
	}
	if err := openapi3filter.ValidateRequest(context.Background(), input); err != nil {
		return fmt.Errorf("it was answered and is not documented: %.400w", err)
	}
	return nil
}

// checkElsewhere is for what is not in the document: other paths and methods.
func (d *Document) checkElsewhere(r *http.Request, got Answer) error {
	path, kind := r.URL.Path, got.Header.Get("Content-Type")
	switch {
	case r.Method == http.MethodHead && len(got.Body) == 0, r.Method == http.MethodOptions && got.Status == http.StatusNoContent:
		return nil
	case strings.HasPrefix(path, "/v1/") && got.Status >= 400:
		if strings.HasPrefix(path, "/v1/messages") || r.Header.Get("anthropic-version") != "" {
			return d.CheckJSON("AnthropicError", got.Body)
		}
		return d.CheckJSON("OpenAIError", got.Body)
	case got.Status < 400 || kind != "application/problem+json":
		return fmt.Errorf("it is not documented and answers %d as %q", got.Status, kind)
	}
	return d.CheckJSON("Problem", got.Body)
}

// CheckJSON says what of a body is not as the named schema says, or is more.
func (d *Document) CheckJSON(schema string, body []byte) error {
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return fmt.Errorf("%w in %.200s", err, body)
	}
	s := d.Components.Schemas[schema].Value
	if err := s.VisitJSON(value, openapi3.EnableJSONSchema2020()); err != nil {
		return fmt.Errorf("it is no %s: %w", schema, err)
	}
	return nothingElse(s, body)
}

// bodySchema finds the schema of a JSON body.
func bodySchema(o *openapi3.Operation, got Answer) *openapi3.Schema {
	response := o.Responses.Status(got.Status)
	if response == nil {
		response = o.Responses.Default()
	}
	kind := got.Header.Get("Content-Type")
	if response == nil || len(got.Body) == 0 || !strings.Contains(kind, "json") {
		return nil
	}
	media := response.Value.Content.Get(kind)
	if media == nil || media.Schema == nil {
		return nil
	}
	return media.Schema.Value
}

func nothingElse(s *openapi3.Schema, body []byte) error {
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return fmt.Errorf("%w in %.200s", err, body)
	}
	if extra := Undocumented(s, value); len(extra) > 0 {
		return fmt.Errorf("not documented: %s", strings.Join(extra, ", "))
	}
	return nil
}
