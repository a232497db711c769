// Package budget keeps what is spent under limits, in as many processes as
// there are, without a round trip per request.
//
// A process leases slices of an account, which is a budget in one of its
// periods, from a desk that all processes share, and spends from them on its
// own: Reserve what a request may cost at the worst, Settle what it did cost.
// What is stored, what processes say they have spent since, and what they hold
// never exceed the limit together:
//
//	stored(before m) + Σ spent(from m on) + Σ slices ≤ limit
//
// The ledger is the truth, and the desk only holds its tail: when it is lost,
// it is made again from what is stored and what processes say. A process
// without the desk spends its slices, and no more.
package budget

import (
	"fmt"
	"time"

	"github.com/busuhq/busu/internal/pricing"
)

// Scope is whose spending a budget limits.
type Scope string

// The scopes.
const (
	Key     Scope = "key"
	Project Scope = "project"
)

// Period is how long a budget lasts, in UTC.
type Period string

// The periods.
const (
	Day   Period = "day"
	Month Period = "month"
)

// Start is when the period began that a moment lies in.
func (p Period) Start(at time.Time) time.Time {
	at = at.UTC()
	if p == Month {
		return time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
	}
	return at.Truncate(24 * time.Hour)
}

// end is when a period ends that began at start.
func (p Period) end(start time.Time) time.Time {
	if p == Month {
		return start.AddDate(0, 1, 0)
	}
	return start.AddDate(0, 0, 1)
}

// Budget is what may be spent in each period.
type Budget struct {
	Scope  Scope
	Name   string // of the key or the project: its id
	Period Period
	Limit  pricing.Nanos
}

// Account is a budget in one of its periods.
type Account struct {
	Scope  Scope
	Name   string
	Period Period
	Began  int64 // in Unix seconds
}

// Account is the budget's in the period that a moment lies in.
func (b Budget) Account(at time.Time) Account {
	return Account{b.Scope, b.Name, b.Period, b.Period.Start(at).Unix()}
}

// Start is when the account's period began.
func (a Account) Start() time.Time { return time.Unix(a.Began, 0).UTC() }

// End is when the account's period ends.
func (a Account) End() time.Time { return a.Period.end(a.Start()) }

// ExhaustedError says that too little is left for a request.
type ExhaustedError struct {
	Budget
	Spent  pricing.Nanos // in the period, as far as it is known
	Resets time.Time     // when the period ends
	// RetryAfter is until there may be more: a moment where it is only held for
	// requests under way, else the end of the period.
	RetryAfter time.Duration
}

func (e *ExhaustedError) Error() string {
	return fmt.Sprintf("the budget of %s %s is exhausted: %s of %s dollars a %s are spent", e.Scope, e.Name, e.Spent, e.Limit, e.Period)
}

// UnavailableError says that it cannot be known whether a budget has room.
type UnavailableError struct {
	Budget
	RetryAfter time.Duration
}

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("what is left of the budget of %s %s cannot be known now", e.Scope, e.Name)
}
