package httpapi

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/messages"
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
	if !strings.HasPrefix(c.Request().URL.Path, "/v1/") {
		return "application/problem+json", p.Status, p
	}
	p = asVendor(p)
	if speaksAnthropic(c.Request()) {
		return echo.MIMEApplicationJSON, p.Status, anthropicErrorOf(p)
	}
	return echo.MIMEApplicationJSON, p.Status, openAIErrorOf(p)
}

// asVendor gives a problem the status that the vendor would have answered
// with, so that a client does what it would do there: it mends what was
// refused, and waits where it was too much. Vendors know no 422.
func asVendor(p problem) problem {
	if p.Status == http.StatusUnprocessableEntity {
		p.Status = http.StatusBadRequest
	}
	if p.failed == nil || p.failed.vendor == nil {
		return p
	}
	switch p.failed.kind {
	case llm.ErrorRejected:
		p.Type, p.Status, p.Detail = problemURN+"rejected", http.StatusBadRequest, cmp.Or(p.failed.vendor.Said, p.failed.vendor.Err.Error())
	case llm.ErrorRateLimited:
		p.Type, p.Status = problemURN+"rate-limited", http.StatusTooManyRequests
	}
	return p
}

// speaksAnthropic recognises Anthropic's clients on /v1: by the path that is theirs,
// or by the header that they always send.
func speaksAnthropic(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/v1/messages") || given(r.Header, "Anthropic-Version") != ""
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
		code = cmp.Or(p.Errors[0].Code, code)
	}
	return e
}

// openAICodes are OpenAI's names for problems that it has, too; clients look
// for them.
var openAICodes = map[string]string{
	"no-key":         "invalid_api_key",
	"unknown-model":  "model_not_found",
	"context-window": "context_length_exceeded",
	"limit-exceeded": "rate_limit_exceeded",
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
	e.Error.Type = messages.ErrorType(p.Status)
	return e
}
