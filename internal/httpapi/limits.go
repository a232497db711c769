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

func limitsOf(caller access.Caller) (of limit.Limits) {
	if caller.Key == nil {
		return of
	}
	of.Key = caller.Key.ID
	if n := caller.Key.RequestsPerMinute; n != nil {
		of.Requests = *n
	}
	if n := caller.Key.TokensPerMinute; n != nil {
		of.Tokens = *n
	}
	return of
}

// pass has a request answered that its key's limits let pass, and settles what
// it has used, whatever comes of it. The headers of the answer say how the limits stand.
func (a *API) pass(c echo.Context, r gateway.Request) (gateway.Answer, error) {
	of := limitsOf(callerOf(c))
	if a.Limits == nil || of.Requests == 0 && of.Tokens == 0 {
		return a.Gateway.Complete(c.Request().Context(), r)
	}
	most := int64(0)
	if of.Tokens > 0 {
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
	h := c.Response().Header()
	if of := s.Requests; of.PerMinute > 0 {
		setHeaders(h, [2]string{"X-Ratelimit-Limit-Requests", strconv.FormatInt(of.PerMinute, 10)},
			[2]string{"X-Ratelimit-Remaining-Requests", strconv.FormatInt(of.Remaining, 10)},
			[2]string{"X-Ratelimit-Reset-Requests", of.Reset.Round(time.Millisecond).String()})
	}
	if of := s.Tokens; of.PerMinute > 0 {
		setHeaders(h, [2]string{"X-Ratelimit-Limit-Tokens", strconv.FormatInt(of.PerMinute, 10)},
			[2]string{"X-Ratelimit-Remaining-Tokens", strconv.FormatInt(of.Remaining, 10)},
			[2]string{"X-Ratelimit-Reset-Tokens", of.Reset.Round(time.Millisecond).String()})
	}
}

// limitProblem holds the part of the table that is about limits.
func limitProblem(err error) (p problem, ok bool) {
	if full, is := errors.AsType[*limit.ExceededError](err); is {
		per := full.Requests.PerMinute
		if full.Kind == limit.Tokens {
			per = full.Tokens.PerMinute
		}
		return problem{Type: "limit-exceeded", Status: http.StatusTooManyRequests, retryAfter: wholeSeconds(full.RetryAfter),
			Detail: fmt.Sprintf("this key may have %d %s a minute, and has had them: try again later, as Retry-After says", per, full.Kind)}, true
	}
	if unknown, is := errors.AsType[*limit.UnavailableError](err); is {
		return problem{Type: "limit-unavailable", Status: http.StatusServiceUnavailable, retryAfter: wholeSeconds(unknown.RetryAfter),
			Detail: fmt.Sprintf("how many %s this key has had cannot be known now: try again", unknown.Kind)}, true
	}
	return problem{}, false
}
