package gemini

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/busuhq/busu/internal/llm"
)

func (p *Provider) fail(kind llm.ErrorKind, err error) error { return p.failWith(kind, 0, err) }

func (p *Provider) failWith(kind llm.ErrorKind, status int, err error) error {
	return &llm.ProviderError{Provider: p.name, Kind: kind, Status: status, Err: err}
}

// transportError is a call that got no whole answer. The context is asked
// first: what the network says after a cancellation is only its echo.
func (p *Provider) transportError(ctx context.Context, status int, err error) error {
	switch ended := ctx.Err(); {
	case errors.Is(ended, context.DeadlineExceeded):
		return p.failWith(llm.ErrorTimeout, status, fmt.Errorf("no answer in time: %w", ended))
	case ended != nil:
		return p.failWith(llm.ErrorCanceled, status, fmt.Errorf("the call was given up: %w", ended))
	case timedOut(err):
		return p.failWith(llm.ErrorTimeout, status, p.withoutKey(err))
	}
	return p.failWith(llm.ErrorUnavailable, status, p.withoutKey(err))
}

// statusError is an answer with another status than 200.
func (p *Provider) statusError(ctx context.Context, response *http.Response, now time.Time) error {
	status := response.StatusCode
	if status >= 300 && status < 400 {
		return p.failWith(kindOf(status), status,
			errors.New("the endpoint redirects, which is not followed, to keep the key where it belongs; set the base URL to where it points"))
	}
	// What could be read is quoted; why the rest is missing matters only when
	// nobody waits any more.
	body, err := readBounded(response.Body, maxErrorBytes)
	if err != nil && ctx.Err() != nil {
		return p.transportError(ctx, status, err)
	}
	failure := readFailure(body)
	return &llm.ProviderError{
		Provider:   p.name,
		Kind:       failure.kind(status),
		Status:     status,
		RetryAfter: cmp.Or(retryAfter(response.Header, now), failure.retryAfter()),
		Err:        errors.New(p.quote(body)),
	}
}

// answerError is a 200 that holds no good answer.
func (p *Provider) answerError(response *http.Response, body []byte, err error) error {
	status := response.StatusCode
	if vendor, ok := errors.AsType[*vendorError](err); ok {
		return &llm.ProviderError{Provider: p.name, Kind: vendor.failure.kind(0), Status: cmp.Or(vendor.failure.status(), status),
			RetryAfter: vendor.failure.retryAfter(), Err: errors.New(p.quote(vendor.body))}
	}
	if ended, ok := errors.AsType[*endError](err); ok {
		return p.failWith(ended.kind, status, errors.New(p.presentable(ended.Error())))
	}
	if !errors.Is(err, errTooLarge) {
		err = fmt.Errorf("%w (content type %q): %s", err, p.presentable(response.Header.Get("Content-Type")), p.quote(body))
	}
	return p.failWith(llm.ErrorMalformed, status, err)
}

// kindOf says what a status other than 200 means.
func kindOf(status int) llm.ErrorKind {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusPaymentRequired:
		return llm.ErrorAuth
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

// wireFailure is Google's form of an error, google.rpc.Status as JSON.
type wireFailure struct {
	Code    int    `json:"code"` // an HTTP status
	Message string `json:"message"`
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

func (f wireFailure) status() int {
	if f.Code < 400 || f.Code > 599 {
		return 0
	}
	return f.Code
}

// kind is what the failure means that came with an HTTP status, or with 0
// where another one came first. Google reports a wrong key, and an account
// that may not call from where it is, as bad requests.
func (f wireFailure) kind(status int) llm.ErrorKind {
	if f.Status == "FAILED_PRECONDITION" {
		return llm.ErrorAuth
	}
	for _, detail := range f.Details {
		if strings.HasPrefix(detail.Reason, "API_KEY_") {
			return llm.ErrorAuth
		}
	}
	if status = cmp.Or(status, f.status()); status != 0 {
		return kindOf(status)
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

// maxRetryAfter bounds what a vendor may ask for.
const maxRetryAfter = 24 * time.Hour

func (f wireFailure) retryAfter() time.Duration {
	for _, detail := range f.Details {
		if wait, err := time.ParseDuration(detail.RetryDelay); err == nil {
			return max(0, min(wait, maxRetryAfter))
		}
	}
	return 0
}

// retryAfter reads the header Retry-After: seconds, or an HTTP date. What
// cannot be read is nothing.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, err := strconv.ParseFloat(value, 64); err == nil && seconds >= 0 {
		return time.Duration(min(seconds*float64(time.Second), float64(maxRetryAfter)))
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(0, min(date.Sub(now), maxRetryAfter))
	}
	return 0
}

// maxQuoted is how much of a vendor's words an error repeats, in bytes.
const maxQuoted = 300

// quote gives a vendor's message, or the beginning of a body that has none, on
// one line and without the key.
func (p *Provider) quote(body []byte) string {
	text := string(body)
	if failure := readFailure(body); failure.Message != "" {
		text = failure.Message
		if failure.Status != "" {
			text = failure.Status + ": " + text
		}
	}
	return cmp.Or(p.presentable(text), "the vendor gave no reason")
}

// presentable is s on one line, printable, without the key, and short. The key
// goes before the end does: half a key is still a leak.
func (p *Provider) presentable(s string) string {
	s = oneLine(s)
	if p.key != "" {
		s = strings.ReplaceAll(s, p.key, "[key]")
	}
	return shorten(s, maxQuoted)
}

// withoutKey is err unless its text is overlong or holds the key, as it may
// when net/http quotes a line that a broken server sent.
func (p *Provider) withoutKey(err error) error {
	text := err.Error()
	if len(text) > 4*maxQuoted || p.key != "" && strings.Contains(text, p.key) {
		return errors.New(p.presentable(text))
	}
	return err
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
