package budget

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/webhook"
)

// Watched is a budget with what is told of it.
type Watched struct {
	Budget
	Project string    // that is told: the budget's own, or the key's
	Label   string    // the key's name; "" for a project
	Since   time.Time // of periods that had ended by then nothing is told; zero: of all
}

// KindAlert is the message that a share of a budget is spent.
const KindAlert = "budget.alert"

// Thresholds are the shares of a budget, in percent, that are told, the lowest
// first.
func Thresholds() []int { return []int{50, nearly, 100} }

// nearly is the threshold from which on a refusal says that the rest is of no
// use any more: what a request may cost at the worst is reserved before it, so
// that the last of a budget is hardly ever spent.
const nearly = 80

// Crossed lists the thresholds that are reached when something is spent of a
// limit, the lowest first. A budget that has refused a request is spent from 80
// percent on.
func Crossed(spent, limit pricing.Nanos, refused bool) (reached []int) {
	share := func(percent int) pricing.Nanos { // rounded up, and without an overflow
		p := pricing.Nanos(percent)
		return limit/100*p + (limit%100*p+99)/100
	}
	for _, t := range Thresholds() {
		if spent >= share(t) || t == 100 && refused && spent >= share(nearly) {
			reached = append(reached, t)
		}
	}
	return reached
}

// Reached is what a budget had reached in a period, at the moment that is told.
type Reached struct {
	Watched
	Began      time.Time
	Thresholds []int // the lowest first, at least one
	Spent      pricing.Nanos
}

// Highest is the threshold that is told. Who reaches several at once is told the
// highest only: it says what the others would.
func (r Reached) Highest() int { return r.Thresholds[len(r.Thresholds)-1] }

// Alert is a threshold that was reached.
type Alert struct {
	Threshold int           `json:"threshold_percent"`
	Spent     pricing.Nanos `json:"spent_usd"` // when that was found
	At        time.Time     `json:"at"`
}

// Refused is a budget that has refused a request since nothing was left that
// would do.
type Refused struct {
	Account
	Limit pricing.Nanos
}

// Notice is what is told of a budget.
type Notice struct {
	ID        string        `json:"id"` // also webhook-id
	Project   string        `json:"project"`
	Scope     Scope         `json:"scope"`
	KeyID     *string       `json:"key_id"`   // null for a project
	KeyName   *string       `json:"key_name"` // null for a project
	Period    Period        `json:"budget_period"`
	Began     time.Time     `json:"period_start"`
	Resets    time.Time     `json:"resets_at"`
	Threshold int           `json:"threshold_percent"`
	Limit     pricing.Nanos `json:"limit_usd"`
	Spent     pricing.Nanos `json:"spent_usd"`
	Summary   string        `json:"summary"` // for people, on one line
}

// Notice tells the highest threshold that was reached, as of a moment.
func (r Reached) Notice(id uuid.UUID, at time.Time) Notice {
	began := r.Began.UTC()
	n := Notice{ID: id.String(), Project: r.Project, Scope: r.Scope, Period: r.Period, Began: began, Resets: r.Period.end(began),
		Threshold: r.Highest(), Limit: r.Limit, Spent: r.Spent}
	whose := "project " + r.Name
	if r.Scope == Key {
		n.KeyID, n.KeyName = &r.Name, &r.Label
		whose = fmt.Sprintf("key %q (%s)", r.Label, r.Name)
	}
	n.Summary = fmt.Sprintf("%s has spent %s of the %s US dollars that it has for this %s: %d %% are reached.", whose, r.Spent, r.Limit, r.Period, n.Threshold)
	if n.Threshold == 100 {
		n.Summary = fmt.Sprintf("%s has spent %s of the %s US dollars that it has for this %s: requests are refused until %s.",
			whose, r.Spent, r.Limit, r.Period, n.Resets.Format(time.RFC3339))
	}
	if !at.Before(n.Resets) {
		n.Summary = fmt.Sprintf("%s had spent %s of the %s US dollars that it had for the %s until %s: %d %% were reached.",
			whose, r.Spent, r.Limit, r.Period, n.Resets.Format(time.RFC3339), n.Threshold)
	}
	return n
}

// Message is the notice as it is sent to an address.
func (r Reached) Message(id uuid.UUID, url string, at time.Time) (webhook.Message, error) {
	subject := fmt.Sprintf("budget/%s/%s/%s/%s/%d/%d", r.Scope, r.Name, r.Period, r.Began.UTC().Format(time.DateOnly), r.Limit, r.Highest())
	return webhook.NewMessage(id, r.Project, KindAlert, subject, url, at, r.Notice(id, at))
}
