package gemini

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/provider/endpoint"
)

// wireFailure is Google's form of an error, google.rpc.Status as JSON.
type wireFailure struct {
	Code    int    `json:"code"`   // an HTTP status
	Status  string `json:"status"` // a word, such as RESOURCE_EXHAUSTED
	Details []struct {
		Reason     string `json:"reason"`     // of google.rpc.ErrorInfo
		RetryDelay string `json:"retryDelay"` // of google.rpc.RetryInfo, such as 34.5s
	} `json:"details"`
}

// readFailure reads the error in a body, or in the first of a list, as streams
// have it that are no events. The zero value is none.
func readFailure(body []byte) wireFailure {
	var w struct {
		Error wireFailure `json:"error"`
	}
	var list []json.RawMessage
	if json.Unmarshal(body, &list) == nil && len(list) > 0 {
		body = list[0]
	}
	if json.Unmarshal(body, &w) != nil {
		return wireFailure{}
	}
	return w.Error
}

// maxWait bounds what a vendor may ask for.
const maxWait = 24 * time.Hour

// meaning is what a failure's body says beside its status. Google reports a
// wrong key, and an account that may not call from where it is, as bad
// requests.
func meaning(body []byte) (kind llm.ErrorKind, wait time.Duration) {
	failure := readFailure(body)
	if failure.Status == "FAILED_PRECONDITION" {
		kind = llm.ErrorAuth
	}
	for _, detail := range failure.Details {
		if strings.HasPrefix(detail.Reason, "API_KEY_") {
			kind = llm.ErrorAuth
		}
		if delay, err := time.ParseDuration(detail.RetryDelay); err == nil && wait == 0 {
			wait = max(0, min(delay, maxWait))
		}
	}
	return kind, wait
}

// kind is what a failure means that came with no status of its own.
func (f wireFailure) kind() llm.ErrorKind {
	if f.Code >= 400 && f.Code <= 599 {
		return endpoint.KindOf(f.Code)
	}
	switch f.Status {
	case "RESOURCE_EXHAUSTED":
		return llm.ErrorRateLimited
	case "UNAUTHENTICATED", "PERMISSION_DENIED":
		return llm.ErrorAuth
	case "INVALID_ARGUMENT", "NOT_FOUND", "OUT_OF_RANGE":
		return llm.ErrorRejected
	}
	return llm.ErrorUnavailable
}

// answerError is a 200 that holds no good answer.
func (p *Provider) answerError(response *http.Response, body []byte, err error) error {
	status := response.StatusCode
	if errors.Is(err, errFailure) {
		failure := readFailure(body)
		kind, wait := meaning(body)
		err := p.endpoint.Told(cmp.Or(kind, failure.kind()), cmp.Or(failure.Code, status), body)
		if failed, ok := errors.AsType[*llm.ProviderError](err); ok {
			failed.RetryAfter = wait
		}
		return err
	}
	if ended, ok := errors.AsType[*endError](err); ok {
		err := p.endpoint.Fail(ended.kind, status, ended)
		if failed, ok := errors.AsType[*llm.ProviderError](err); ok {
			failed.Said = p.endpoint.Quote([]byte(ended.said))
		}
		return err
	}
	return p.endpoint.Malformed(response, body, err)
}
