package httpapi

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/pricing"
)

// Budgets know what pays for requests.
type Budgets interface {
	// Of lists the budgets that the requests of a caller count in.
	Of(caller access.Caller) []budget.Budget
	// Look tells how a budget stands.
	Look(ctx context.Context, b budget.Budget, at time.Time) (budget.Standing, error)
	// Alerts are the shares of a budget that were found spent in the period of a
	// moment.
	Alerts(ctx context.Context, b budget.Budget, at time.Time) ([]budget.Alert, error)
}

func (a *API) budgetsOf(caller access.Caller) []budget.Budget {
	if a.Budgets == nil {
		return nil
	}
	return a.Budgets.Of(caller)
}

// budgetProblem holds the part of the table that is about budgets.
func budgetProblem(err error) (p problem, ok bool) {
	if full, is := errors.AsType[*budget.ExhaustedError](err); is {
		return exhausted(full), true
	}
	if unknown, is := errors.AsType[*budget.UnavailableError](err); is {
		return problem{Type: "budget-unavailable", Status: http.StatusServiceUnavailable, retryAfter: wholeSeconds(unknown.RetryAfter),
			Detail: fmt.Sprintf("what is left of %s cannot be known now, and what this process held of it is spent: try again", whose(unknown.Budget))}, true
	}
	return problem{}, false
}

func exhausted(e *budget.ExhaustedError) problem {
	p := problem{Type: "budget-exhausted", Status: http.StatusTooManyRequests, retryAfter: wholeSeconds(e.RetryAfter)}
	p.Detail = fmt.Sprintf("too little is left of %s for this request: %s of %s US dollars of this %s are spent", whose(e.Budget), e.Spent, e.Limit, e.Period)
	if e.RetryAfter < time.Until(e.Resets)-time.Second {
		p.Detail += ", and some are held for requests under way: try again in a moment"
	} else {
		p.Detail += fmt.Sprintf("; it begins anew at %s", e.Resets.Format(time.RFC3339))
	}
	return p
}

func whose(b budget.Budget) string {
	if b.Scope == budget.Key {
		return "the budget of this key"
	}
	return "the budget of the project " + b.Name
}

func wholeSeconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// keyStanding is a key with how its budget stands.
type keyStanding struct {
	access.Key
	Standing *standing `json:"budget"` // null: it has none, or that cannot be known now
}

type standing struct {
	LimitUSD     pricing.Nanos `json:"limit_usd"`
	SpentUSD     pricing.Nanos `json:"spent_usd"`
	ReservedUSD  pricing.Nanos `json:"reserved_usd"`
	RemainingUSD pricing.Nanos `json:"remaining_usd"`
	ResetsAt     time.Time     `json:"resets_at"`
	AsOf         time.Time     `json:"as_of"`

	Alerts []budget.Alert `json:"alerts"` // the lowest first; null: that cannot be known now
}

// standingOf tells how a key's budget stands.
func (a *API) standingOf(ctx context.Context, k access.Key) keyStanding {
	told := keyStanding{Key: k}
	for _, b := range a.budgetsOf(access.Caller{KeyID: k.ID, Key: &k}) {
		if b.Scope != budget.Key {
			continue
		}
		now := time.Now()
		s, err := a.Budgets.Look(ctx, b, now)
		if err != nil {
			continue
		}
		told.Standing = &standing{s.Limit, s.Spent, s.Reserved, s.Remaining, s.Resets, s.AsOf.UTC(), nil}
		if alerts, err := a.Budgets.Alerts(ctx, b, now); err == nil {
			told.Standing.Alerts = append([]budget.Alert{}, alerts...)
		}
	}
	return told
}
