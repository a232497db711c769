package openai

import (
	"errors"
	"net/http"
	"strings"

	"github.com/busuhq/busu/internal/chat"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/provider/endpoint"
)

// answerError is a 200 that holds no good answer.
func (p *Provider) answerError(response *http.Response, said []byte, err error) error {
	if failure, ok := errors.AsType[*chat.FailureError](err); ok {
		return p.endpoint.Told(kindOf(failure), failure.Status, failure.Message)
	}
	return p.endpoint.Malformed(response, said, err)
}

// kindOf says what a failure means that came with the status 200: by the
// status that the vendor says it would have been, or by its words.
func kindOf(f *chat.FailureError) llm.ErrorKind {
	if f.Status >= 400 && f.Status <= 599 {
		return endpoint.KindOf(f.Status)
	}
	for _, word := range []string{f.Code, f.Type} {
		if kind := kindOfWord(strings.ToLower(word)); kind != "" {
			return kind
		}
	}
	return llm.ErrorUnavailable
}

func kindOfWord(word string) llm.ErrorKind {
	switch word {
	case "rate_limit_exceeded", "rate_limit_error", "rate_limited", "too_many_requests", "insufficient_quota":
		return llm.ErrorRateLimited
	case "invalid_api_key", "authentication_error", "permission_error", "permission_denied", "insufficient_credits":
		return llm.ErrorAuth
	case "context_length_exceeded", "invalid_request_error", "badrequesterror", "bad_request", "content_filter", "content_policy_violation",
		"invalid_prompt", "model_not_found", "not_found_error":
		return llm.ErrorRejected
	case "timeout", "timeout_error", "request_timeout":
		return llm.ErrorTimeout
	}
	return ""
}
