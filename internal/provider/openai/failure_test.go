package openai

import (
	"testing"

	"github.com/busuhq/busu/internal/chat"
	"github.com/busuhq/busu/internal/llm"
)

func TestKindsOfFailures(t *testing.T) {
	t.Parallel()
	for f, want := range map[*chat.FailureError]llm.ErrorKind{
		{Status: 429}:             llm.ErrorRateLimited,
		{Status: 400}:             llm.ErrorRejected,
		{Status: 401}:             llm.ErrorAuth,
		{Status: 502}:             llm.ErrorUnavailable,
		{Status: 1302, Code: "?"}: llm.ErrorUnavailable,
		{Status: 200}:             llm.ErrorUnavailable,
		{}:                        llm.ErrorUnavailable,
		{Code: "rate_limit_exceeded", Type: "tokens"}:                    llm.ErrorRateLimited,
		{Code: "context_length_exceeded", Type: "invalid_request_error"}: llm.ErrorRejected,
		{Type: "BadRequestError"}:                                        llm.ErrorRejected,
		{Code: "what", Type: "authentication_error"}:                     llm.ErrorAuth,
		{Type: "timeout"}:                                                llm.ErrorTimeout,
		{Type: "server_error"}:                                           llm.ErrorUnavailable,
	} {
		if got := kindOf(f); got != want {
			t.Errorf("%+v: %s, want %s", f, got, want)
		}
	}
}
