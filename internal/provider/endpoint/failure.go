package endpoint

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/busuhq/busu/internal/llm"
)

// Fail makes a *llm.ProviderError. Secrets in err's text, and its length, are
// taken care of; status is the vendor's, 0 where there was none.
func (e *Endpoint) Fail(kind llm.ErrorKind, status int, err error) error {
	return &llm.ProviderError{Provider: e.name, Kind: kind, Status: status, Err: e.presentableError(err)}
}

// errTold is a failure that the vendor has given a reason for.
var errTold = errors.New("the vendor says why, in words that may quote the prompt and are not repeated here")

// Told is a failure that the vendor reports. What it said goes to callers only.
func (e *Endpoint) Told(kind llm.ErrorKind, status int, said []byte) error {
	return &llm.ProviderError{Provider: e.name, Kind: kind, Status: status, Said: e.Quote(said), Err: errTold}
}

// Refuse is a request that the vendor is not asked, since it cannot be put in
// its words.
func (e *Endpoint) Refuse(err error) error {
	return &llm.ProviderError{Provider: e.name, Kind: llm.ErrorRejected, Unsent: true, Err: e.presentableError(err)}
}

// Malformed is an answer that makes no sense: err says why, and the beginning
// of it is kept for callers.
func (e *Endpoint) Malformed(response *http.Response, body []byte, err error) error {
	return &llm.ProviderError{Provider: e.name, Kind: llm.ErrorMalformed, Status: response.StatusCode, Said: e.Quote(body),
		Err: e.presentableError(fmt.Errorf("%w (content type %q)", err, e.presentable(response.Header.Get("Content-Type"))))}
}

// CutOff is a call that got no whole answer. The context is asked first: what
// the network says after a cancellation is only its echo.
func (e *Endpoint) CutOff(ctx context.Context, status int, err error) error {
	failed := &llm.ProviderError{Provider: e.name, Kind: llm.ErrorUnavailable, Status: status, Unsent: unsent(err), Err: e.presentableError(err)}
	switch ended := ctx.Err(); {
	case errors.Is(ended, context.DeadlineExceeded):
		failed.Kind, failed.Err = llm.ErrorTimeout, fmt.Errorf("no answer in time: %w", ended)
	case ended != nil:
		failed.Kind, failed.Err = llm.ErrorCanceled, fmt.Errorf("the call was given up: %w", ended)
	case timedOut(err):
		failed.Kind = llm.ErrorTimeout
	}
	return failed
}

// unsent reports whether a call failed before there was a connection.
func unsent(err error) bool {
	failed, ok := errors.AsType[*net.OpError](err)
	return ok && (failed.Op == "dial" || failed.Op == "proxyconnect")
}

// Left is a call that ends because nobody listens any more; err is what Emit
// returned.
func (e *Endpoint) Left(err error) error {
	return e.Fail(llm.ErrorCanceled, 0, fmt.Errorf("nobody takes the answer any more: %w", err))
}

// statusError is an answer with another status than 200.
func (e *Endpoint) statusError(ctx context.Context, response *http.Response, now time.Time) error {
	status := response.StatusCode
	if status >= 300 && status < 400 {
		return e.Fail(KindOf(status), status,
			errors.New("the endpoint redirects, which is not followed, to keep the key where it belongs; set the base URL to where it points"))
	}
	// What could be read is quoted; why the rest is missing matters only when
	// nobody waits any more.
	body, err := ReadAll(response.Body, maxError)
	if err != nil && ctx.Err() != nil {
		return e.CutOff(ctx, status, err)
	}
	failed := &llm.ProviderError{
		Provider:   e.name,
		Kind:       KindOf(status),
		Status:     status,
		RetryAfter: retryAfter(response.Header, now),
		Said:       e.Quote(body),
		Err:        errTold,
	}
	if e.failure != nil {
		kind, wait := e.failure(body)
		failed.Kind = cmp.Or(kind, failed.Kind)
		failed.RetryAfter = cmp.Or(failed.RetryAfter, wait)
	}
	return failed
}

// KindOf says what a status other than 200 means.
func KindOf(status int) llm.ErrorKind {
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

func timedOut(err error) bool {
	netError, ok := errors.AsType[net.Error](err)
	return ok && netError.Timeout()
}

// maxQuoted is how much of a vendor's words an error repeats, in bytes.
const maxQuoted = 300

// Quote gives a vendor's message, or the beginning of a body that has none, on
// one line and without secrets.
func (e *Endpoint) Quote(body []byte) string {
	if message := e.presentable(messageIn(body, maxNesting)); message != "" {
		return message
	}
	return "the vendor gave no reason"
}

// presentable is s on one line, printable, without secrets, and short. Secrets
// go before the end does: half a key is still a leak.
func (e *Endpoint) presentable(s string) string {
	s = oneLine(s)
	for _, secret := range e.secrets {
		s = strings.ReplaceAll(s, secret, "[key]")
	}
	return shorten(s, maxQuoted)
}

// presentableError is err, unless its text is overlong or holds a secret, as
// it may when net/http quotes a line that a broken server sent.
func (e *Endpoint) presentableError(err error) error {
	text := err.Error()
	leaks := slices.ContainsFunc(e.secrets, func(secret string) bool { return strings.Contains(text, secret) })
	if leaks || len(text) > 4*maxQuoted || oneLine(text) != text {
		return &presented{e.presentable(text), err}
	}
	return err
}

// presented says what is left of err's text. It is still err to those who ask
// for a cause.
type presented struct {
	text string
	err  error
}

func (p *presented) Error() string        { return p.text }
func (p *presented) Is(target error) bool { return errors.Is(p.err, target) }

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

// retryAfter reads how long a vendor asks to wait: milliseconds (a header of
// OpenAI's and others), seconds, or an HTTP date. What cannot be read is
// nothing.
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
