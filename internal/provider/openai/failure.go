package openai

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/busuhq/busu/internal/chat"
	"github.com/busuhq/busu/internal/llm"
)

func (p *Provider) fail(kind llm.ErrorKind, err error) error { return p.failWith(kind, 0, err) }

func (p *Provider) failWith(kind llm.ErrorKind, status int, err error) error {
	return &llm.ProviderError{Provider: p.name, Kind: kind, Status: status, Err: err}
}

// transportError is a call that got no whole answer. The context is asked
// first: what the network says after a cancellation is only its echo.
func (p *Provider) transportError(ctx context.Context, status int, err error) error {
	kind := llm.ErrorUnavailable
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		kind = llm.ErrorCanceled
	case errors.Is(ctx.Err(), context.DeadlineExceeded), timedOut(err):
		kind = llm.ErrorTimeout
	}
	return p.failWith(kind, status, p.withoutKey(err))
}

// statusError is an answer with another status than 200.
func (p *Provider) statusError(response *http.Response, now time.Time) error {
	status := response.StatusCode
	if status >= 300 && status < 400 {
		return p.failWith(kindOf(status), status,
			errors.New("the endpoint redirects, which is not followed, to keep the key where it belongs; set the base URL to where it points"))
	}
	// What could be read is quoted; why the rest is missing does not matter.
	body, _ := readBounded(response.Body, maxErrorBytes)
	return &llm.ProviderError{
		Provider:   p.name,
		Kind:       kindOf(status),
		Status:     status,
		RetryAfter: retryAfter(response.Header, now),
		Err:        errors.New(p.quote(body)),
	}
}

// kindOf says what a status other than 200 means.
func kindOf(status int) llm.ErrorKind {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusPaymentRequired:
		return llm.ErrorAuth // 402: the account behind the key is empty
	case status == http.StatusTooManyRequests:
		return llm.ErrorRateLimited
	case status == http.StatusRequestTimeout:
		return llm.ErrorTimeout
	case status >= 500, status == http.StatusConflict, status == http.StatusTooEarly:
		return llm.ErrorUnavailable
	case status >= 400:
		return llm.ErrorRejected
	}
	return llm.ErrorMalformed // a redirect, or a success without an answer
}

// kindOfFailure says what a failure means that came with status 200: by the
// status that the vendor says it would have been, or by its words.
func kindOfFailure(f *chat.FailureError) llm.ErrorKind {
	if f.Status >= 400 && f.Status <= 599 {
		return kindOf(f.Status)
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

// maxQuoted is how much of a vendor's words an error repeats, in bytes.
const maxQuoted = 300

// quote gives a vendor's message, or the beginning of a body that has none,
// on one line and without the key.
func (p *Provider) quote(body []byte) string {
	if message := p.presentable(messageIn(body, maxNesting)); message != "" {
		return message
	}
	return "the vendor gave no reason"
}

// presentable is s on one line, printable, without the key, and short. The key
// goes before the end does: half a key is still a leak.
func (p *Provider) presentable(s string) string {
	s = oneLine(s)
	for _, secret := range p.secrets {
		s = strings.ReplaceAll(s, secret, "[key]")
	}
	return shorten(s, maxQuoted)
}

// withoutKey is err unless its text is overlong or holds the key, as it may
// when net/http quotes a line that a broken server sent.
func (p *Provider) withoutKey(err error) error {
	text := err.Error()
	holdsKey := slices.ContainsFunc(p.secrets, func(secret string) bool { return strings.Contains(text, secret) })
	if len(text) > 4*maxQuoted || holdsKey {
		return errors.New(p.presentable(text))
	}
	return err
}

// maxNesting is how deep a message may lie in an error.
const maxNesting = 4

// messageIn looks for the message where vendors put it: error.message, error,
// message, detail, and the first of a list. Without one it is the body itself.
func messageIn(body []byte, nesting int) string {
	if nesting == 0 {
		return string(body)
	}
	var list []json.RawMessage
	if json.Unmarshal(body, &list) == nil && len(list) > 0 {
		return messageIn(list[0], nesting-1)
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) == nil {
		for _, name := range []string{"error", "message", "detail"} {
			if said(fields[name]) {
				return messageIn(fields[name], nesting-1)
			}
		}
	}
	var text string
	if json.Unmarshal(body, &text) == nil {
		return text
	}
	return string(body)
}

// said is false for what is missing, null, or empty.
func said(raw json.RawMessage) bool {
	switch string(raw) {
	case "", "null", `""`, "{}", "[]", "false":
		return false
	}
	return true
}

// oneLine drops what cannot be printed and folds white space.
func oneLine(s string) string {
	printable := func(r rune) rune {
		if unicode.IsSpace(r) || unicode.IsPrint(r) {
			return r
		}
		return -1
	}
	return strings.Join(strings.Fields(strings.Map(printable, strings.ToValidUTF8(s, ""))), " ")
}

// shorten cuts valid text after at most limit bytes.
func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "…"
}

// maxRetryAfter bounds what a vendor may ask for.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads how long a vendor asks to wait: milliseconds (OpenAI's own
// header), seconds, or an HTTP date. What cannot be read is nothing.
func retryAfter(header http.Header, now time.Time) time.Duration {
	if wait, ok := inUnits(header.Get("Retry-After-Ms"), time.Millisecond); ok {
		return wait
	}
	value := header.Get("Retry-After")
	if wait, ok := inUnits(value, time.Second); ok {
		return wait
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(0, min(date.Sub(now), maxRetryAfter))
	}
	return 0
}

func inUnits(value string, unit time.Duration) (time.Duration, bool) {
	n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil || !(n >= 0) { // NaN is not either
		return 0, false
	}
	return time.Duration(min(n*float64(unit), float64(maxRetryAfter))), true
}
