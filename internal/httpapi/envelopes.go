package httpapi

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// On /v1 errors look as clients of the vendors expect them: their SDKs read
// the envelope to tell the caller what happened.

// openAIError is OpenAI's envelope.
type openAIError struct {
	Error struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    *string `json:"code"`
	} `json:"error"`
}

// anthropicError is Anthropic's envelope.
type anthropicError struct {
	Type  string `json:"type"` // error
	Error struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	} `json:"error"`
	RequestID string `json:"request_id"`
}

// envelope gives a problem's body and status as the endpoint's clients expect
// them.
func envelope(c echo.Context, p problem) (contentType string, status int, body any) {
	path := c.Request().URL.Path
	switch {
	case speaksAnthropic(c.Request()):
		return echo.MIMEApplicationJSON, vendorStatus(p), anthropicErrorOf(p)
	case strings.HasPrefix(path, "/v1/"):
		return echo.MIMEApplicationJSON, vendorStatus(p), openAIErrorOf(p)
	default:
		return "application/problem+json", p.Status, p
	}
}

// speaksAnthropic recognises Anthropic's clients: by the path that is theirs,
// or by the header that they always send.
func speaksAnthropic(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/v1/messages") ||
		strings.HasPrefix(r.URL.Path, "/v1/") && r.Header.Get("anthropic-version") != ""
}

// vendorStatus is the status that vendors use: they know no 422.
func vendorStatus(p problem) int {
	if p.Status == http.StatusUnprocessableEntity {
		return http.StatusBadRequest
	}
	return p.Status
}

func openAIErrorOf(p problem) openAIError {
	var e openAIError
	e.Error.Message = cmp.Or(p.Detail, p.Title)
	e.Error.Type = openAIType(p.Status)
	code := strings.TrimPrefix(p.Type, problemURN)
	if vendors, ok := openAICodes[code]; ok {
		code = vendors
	}
	e.Error.Code = &code
	if len(p.Errors) > 0 {
		e.Error.Param = &p.Errors[0].Field
	}
	return e
}

// openAICodes are OpenAI's names for problems that it has, too; clients look
// for them.
var openAICodes = map[string]string{
	"no-key":         "invalid_api_key",
	"unknown-model":  "model_not_found",
	"context-window": "context_length_exceeded",
}

func openAIType(status int) string {
	switch {
	case status == http.StatusUnauthorized:
		return "authentication_error"
	case status == http.StatusForbidden:
		return "permission_error"
	case status == http.StatusTooManyRequests:
		return "rate_limit_error"
	case status >= http.StatusInternalServerError:
		return "server_error"
	default:
		return "invalid_request_error"
	}
}

func anthropicErrorOf(p problem) anthropicError {
	e := anthropicError{Type: "error", RequestID: p.RequestID}
	e.Error.Message = cmp.Or(p.Detail, p.Title)
	e.Error.Type = anthropicType(p.Status)
	return e
}

func anthropicType(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "authentication_error"
	case http.StatusForbidden:
		return "permission_error"
	case http.StatusNotFound:
		return "not_found_error"
	case http.StatusRequestEntityTooLarge:
		return "request_too_large"
	case http.StatusTooManyRequests:
		return "rate_limit_error"
	case http.StatusServiceUnavailable:
		return "overloaded_error"
	}
	if status >= http.StatusInternalServerError {
		return "api_error"
	}
	return "invalid_request_error"
}
