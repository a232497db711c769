package httpapi

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

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
	// Alerts are the shares of budgets that were found spent in the periods of a
	// moment.
	Alerts(ctx context.Context, all []budget.Budget, at time.Time) (map[budget.Budget][]budget.Alert, error)
	// OfProjects lists the budgets of a project, or of all where it is "".
	OfProjects(project string) []budget.Budget
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

// alertsWithin bounds the wait for what PostgreSQL knows of budgets.
const alertsWithin = time.Second

// standings tell how budgets stand, in their order; nil where that is not known.
func (a *API) standings(ctx context.Context, all []budget.Budget) []*standing {
	told, now := make([]*standing, len(all)), time.Now()
	var looks sync.WaitGroup
	for i, b := range all { // at once, as each may wait for Redis
		looks.Go(func() {
			if s, err := a.Budgets.Look(ctx, b, now); err == nil {
				told[i] = &standing{s.Limit, s.Spent, s.Reserved, s.Remaining, s.Resets, s.AsOf.UTC(), nil}
			}
		})
	}
	looks.Wait()
	if len(all) == 0 {
		return told
	}
	ctx, cancel := context.WithTimeout(ctx, alertsWithin)
	defer cancel()
	alerts, err := a.Budgets.Alerts(ctx, all, now)
	for i, b := range all {
		if err == nil && told[i] != nil {
			told[i].Alerts = append([]budget.Alert{}, alerts[b]...)
		}
	}
	return told
}

// standingsOf tells how the budgets of keys stand.
func (a *API) standingsOf(ctx context.Context, keys []access.Key) []keyStanding {
	told := make([]keyStanding, len(keys))
	var all []budget.Budget
	var whose []int
	for i := range keys {
		told[i].Key = keys[i]
		for _, b := range a.budgetsOf(access.Caller{KeyID: keys[i].ID, Key: &keys[i]}) {
			if b.Scope == budget.Key {
				all, whose = append(all, b), append(whose, i)
			}
		}
	}
	for n, s := range a.standings(ctx, all) {
		told[whose[n]].Standing = s
	}
	return told
}

// projectBudget is a budget of a project with how it stands.
type projectBudget struct {
	Project  string        `json:"project"`
	Limit    pricing.Nanos `json:"budget_usd"`
	Period   budget.Period `json:"budget_period"`
	Standing *standing     `json:"budget"` // null: that cannot be known now
}

// budgetList is the answer of GET /budgets.
type budgetList struct {
	Budgets []projectBudget `json:"budgets"` // by project
}

func (a *API) listBudgets(c echo.Context) error {
	if err := noQuery(c); err != nil {
		return err
	}
	list := budgetList{[]projectBudget{}}
	if a.Budgets == nil {
		return c.JSON(http.StatusOK, list)
	}
	all := a.Budgets.OfProjects(scopeOf(c))
	for i, s := range a.standings(c.Request().Context(), all) {
		list.Budgets = append(list.Budgets, projectBudget{all[i].Name, all[i].Limit, all[i].Period, s})
	}
	return c.JSON(http.StatusOK, list)
}
