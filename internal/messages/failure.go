package messages

import (
	"encoding/json"

	"github.com/tidwall/gjson"

	"github.com/busuhq/busu/internal/llm"
)

// Types of errors, in Anthropic's words
// (https://platform.claude.com/docs/en/api/errors).
const (
	errorInvalid    = "invalid_request_error"
	errorAuth       = "authentication_error"
	errorBilling    = "billing_error"
	errorPermission = "permission_error"
	errorNotFound   = "not_found_error"
	errorConflict   = "conflict_error"
	errorTooLarge   = "request_too_large"
	errorRateLimit  = "rate_limit_error"
	errorAPI        = "api_error"
	errorTimeout    = "timeout_error"
	errorOverloaded = "overloaded_error"
)

// ErrorType is the word that goes with an HTTP status of 400 or more. 529 is
// Anthropic's own: there is too much to do at the moment, which is what others
// call 503.
func ErrorType(status int) string {
	switch status {
	case 401:
		return errorAuth
	case 402:
		return errorBilling
	case 403:
		return errorPermission
	case 404:
		return errorNotFound
	case 409:
		return errorConflict
	case 413:
		return errorTooLarge
	case 429:
		return errorRateLimit
	case 408, 504:
		return errorTimeout
	case 503, 529:
		return errorOverloaded
	}
	if status >= 500 {
		return errorAPI
	}
	return errorInvalid
}

// EncodeError makes the body that clients of the format expect beside a status
// of 400 or more, and as the data of a stream's event error. requestID may be
// empty.
func EncodeError(status int, message, requestID string) []byte {
	type detail struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	}
	body, err := json.Marshal(struct {
		Type      string `json:"type"`
		Error     detail `json:"error"`
		RequestID string `json:"request_id,omitempty"`
	}{"error", detail{ErrorType(status), message}, requestID})
	if err != nil {
		panic(err) // strings are always JSON
	}
	return body
}

// FailureError is a failure that the vendor reports where an answer should be,
// or a piece of one.
type FailureError struct {
	Type    string // the vendor's word, such as overloaded_error
	Message []byte // JSON. It may hold anything, a key that was echoed too
}

func (e *FailureError) Error() string { return "the vendor reports a failure" }

// newFailure reads the member error of an answer; nil where it is none.
func newFailure(v gjson.Result) *FailureError {
	switch v.Raw {
	case "", "null", `""`, "{}", "[]", "false":
		return nil
	}
	e := &FailureError{Message: []byte(v.Raw)}
	if v.IsObject() {
		e.Type = v.Get("type").String()
	}
	return e
}

// Kind says what the failure means.
func (e *FailureError) Kind() llm.ErrorKind {
	switch e.Type {
	case errorInvalid, errorNotFound, errorTooLarge:
		return llm.ErrorRejected
	case errorAuth, errorPermission, errorBilling:
		return llm.ErrorAuth
	case errorRateLimit:
		return llm.ErrorRateLimited
	case errorTimeout:
		return llm.ErrorTimeout
	}
	return llm.ErrorUnavailable
}
