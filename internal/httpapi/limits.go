package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/limit"
)

// Limits know what keys have had in a minute.
type Limits interface {
	// Admit lets a request pass that may use so many tokens, or refuses it with a
	// limit.ExceededError or a limit.UnavailableError.
	Admit(ctx context.Context, of limit.Limits, now time.Time, tokens int64) (limit.Pass, error)
}

// limitsOf are those of a caller's key, for a request of one of its users.
func limitsOf(caller access.Caller, user string) (of limit.Limits) {
	if caller.Key == nil {
		return of
	}
	k := caller.Key
	of = limit.Limits{Key: k.ID, Own: limit.Most{Requests: orZero(k.RequestsPerMinute), Tokens: orZero(k.TokensPerMinute), Concurrency: orZero(k.Concurrency)}}
	if u := k.PerUser; u != nil {
		of.User = user
		of.PerUser = limit.Most{Requests: orZero(u.RequestsPerMinute), Tokens: orZero(u.TokensPerMinute), Concurrency: orZero(u.Concurrency)}
	}
	return of
}

func orZero(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}

// pass has a request answered that the limits of its key and its user let pass,
// and settles what it has used once it has ended, whatever comes of it. The headers of the answer say how the limits stand.
func (a *API) pass(c echo.Context, r gateway.Request) (gateway.Answer, error) {
	of := limitsOf(callerOf(c), r.UserID)
	if a.Limits == nil || of.Own == (limit.Most{}) && of.PerUser == (limit.Most{}) {
		return a.Gateway.Complete(c.Request().Context(), r)
	}
	most := int64(0)
	if of.Own.Tokens > 0 || of.PerUser.Tokens > 0 {
		most = gateway.MostTokens(&r.Ask)
	}
	p, err := a.Limits.Admit(c.Request().Context(), of, time.Now(), most)
	if err != nil {
		if full, ok := errors.AsType[*limit.ExceededError](err); ok {
			describeLimits(c, full.Standings)
		}
		return gateway.Answer{}, err
	}
	describeLimits(c, p.Standings)
	used := int64(0)
	defer func() { p.Settle(time.Now(), used) }()
	answer, err := a.Gateway.Complete(c.Request().Context(), r)
	if f := answer.Fact; f != nil && f.Cache == event.CacheMiss { // others' answers cost no tokens
		used = f.TokensIn + f.TokensOut
	}
	return answer, err
}

// describeLimits tells how limits stand, in the headers that OpenAI's clients
// know.
func describeLimits(c echo.Context, s limit.Standings) {
	x := exchangeOf(c)
	if of := s.Requests; of.PerMinute > 0 {
		most, remaining, reset := told(of)
		x.set("X-Ratelimit-Limit-Requests", most)
		x.set("X-Ratelimit-Remaining-Requests", remaining)
		x.set("X-Ratelimit-Reset-Requests", reset)
	}
	if of := s.Tokens; of.PerMinute > 0 {
		most, remaining, reset := told(of)
		x.set("X-Ratelimit-Limit-Tokens", most)
		x.set("X-Ratelimit-Remaining-Tokens", remaining)
		x.set("X-Ratelimit-Reset-Tokens", reset)
	}
}

// told writes how a limit stands. The three texts are parts of one: an
// allocation each would be a tenth of all that an answer from memory takes.
func told(of limit.Standing) (most, remaining, reset string) {
	text := make([]byte, 0, 48)
	text = strconv.AppendInt(text, of.PerMinute, 10)
	first := len(text)
	text = strconv.AppendInt(text, of.Remaining, 10)
	second := len(text)
	text = append(text, of.Reset.Round(time.Millisecond).String()...)
	all := string(text)
	return all[:first], all[first:second], all[second:]
}

// limitProblem holds the part of the table that is about limits.
func limitProblem(err error) (p problem, ok bool) {
	if full, is := errors.AsType[*limit.ExceededError](err); is {
		return problem{Type: "limit-exceeded", Status: http.StatusTooManyRequests, retryAfter: wholeSeconds(full.RetryAfter), Detail: exceeded(full)}, true
	}
	if unknown, is := errors.AsType[*limit.UnavailableError](err); is {
		return problem{Type: "limit-unavailable", Status: http.StatusServiceUnavailable, retryAfter: wholeSeconds(unknown.RetryAfter),
			Detail: fmt.Sprintf("how the limit of %s of %s stands cannot be known now: try again", unknown.Kind, limited(unknown.Bucket))}, true
	}
	return problem{}, false
}

func exceeded(e *limit.ExceededError) string {
	if e.Kind == limit.Concurrency {
		return fmt.Sprintf("%s may have %d requests under way at once, and has them: try again when one of them has ended", limited(e.Bucket), e.Most)
	}
	return fmt.Sprintf("%s may have %d %s a minute, and has had them: try again later, as Retry-After says", limited(e.Bucket), e.Most, e.Kind)
}

func limited(b limit.Bucket) string {
	if b.User != "" {
		return "this user"
	}
	return "this key"
}
