package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/routing"
)

// payers give every key that has a budget that one.
type payers struct{ err, errAlerts error }

func (*payers) Of(c access.Caller) []budget.Budget {
	if c.Key == nil || c.Key.Budget == nil {
		return nil
	}
	return []budget.Budget{{Scope: budget.Key, Name: c.Key.ID, Period: budget.Month, Limit: *c.Key.Budget}}
}

func (p *payers) Look(_ context.Context, b budget.Budget, _ time.Time) (budget.Standing, error) {
	return budget.Standing{Limit: b.Limit, Spent: 30e7, Reserved: 2e8, Remaining: b.Limit - 30e7, Resets: time.Unix(1_800_000_000, 0).UTC(), AsOf: time.Unix(1_700_000_000, 0)}, p.err
}

func (p *payers) Alerts(_ context.Context, all []budget.Budget, _ time.Time) (map[budget.Budget][]budget.Alert, error) {
	found := map[budget.Budget][]budget.Alert{}
	for _, b := range all {
		found[b] = []budget.Alert{{Threshold: 50, Spent: b.Limit / 2, At: time.Unix(1_700_000_000, 0).UTC()}}
	}
	return found, p.errAlerts
}

// OfProjects gives acme two budgets, and globex one.
func (*payers) OfProjects(project string) (all []budget.Budget) {
	for _, b := range []budget.Budget{{Scope: budget.Project, Name: "acme", Period: budget.Month, Limit: 9e9}, {Scope: budget.Project, Name: "acme", Period: budget.Day, Limit: 1e9},
		{Scope: budget.Project, Name: "globex", Period: budget.Month, Limit: 2e9}} {
		if project == "" || project == b.Name {
			all = append(all, b)
		}
	}
	return all
}

// penniless is a gateway that refuses whoever has a budget.
type penniless struct{ asked []budget.Budget }

func (g *penniless) Complete(_ context.Context, r gateway.Request) (gateway.Answer, error) {
	g.asked = r.Budgets
	return gateway.Answer{}, &budget.ExhaustedError{Budget: r.Budgets[0], Resets: time.Now().Add(time.Hour), RetryAfter: time.Hour}
}

func (g *penniless) Plan(gateway.Request) (routing.Plan, error) { return routing.Plan{}, nil }

// Requests are sent with the budget of their key; what it refuses is a 429 that
// says when to ask again, in each format; and the key shows how it stands.
func TestKeysHaveBudgets(t *testing.T) {
	t.Parallel()
	p, g := new(payers), new(penniless)
	s := serve(t, func(s *setup) { s.adminKey, s.budgets, s.gateway = "the admin key", p, g })
	var made struct{ ID, Key string }
	s.post(t, "/keys", `{"name": "k", "role": "complete", "project": "acme", "budget_usd": 1.5}`, asAdmin).want(t, 201).decode(t, &made)
	for path, body := range map[string]string{
		"/complete":            `{"prompt": "a"}`,
		"/v1/chat/completions": `{"model": "auto", "messages": [{"role": "user", "content": "a"}]}`,
		"/v1/messages":         `{"model": "auto", "max_tokens": 5, "messages": [{"role": "user", "content": "a"}]}`,
		"/v1/embeddings":       `{"model": "embedding", "input": "a"}`,
	} {
		g.asked = nil
		refused := s.post(t, path, body, "x-api-key: "+made.Key).want(t, 429)
		if len(g.asked) != 1 || g.asked[0].Name != made.ID || g.asked[0].Limit != 1_500_000_000 {
			t.Errorf("%s is asked for with the budgets %+v", path, g.asked)
		}
		if refused.Header.Get("Retry-After") != "3600" || !strings.Contains(string(refused.Body), "the budget of this key") {
			t.Errorf("%s: %s", path, refused.Body)
		}
	}
	s.post(t, "/keys", `{"name": "without", "role": "complete", "project": "acme"}`, asAdmin).want(t, 201)
	const standing = `"budget":{"limit_usd":1.5,"spent_usd":0.3,"reserved_usd":0.2,"remaining_usd":1.2,"resets_at":"2027-01-15T08:00:00Z","as_of":"2023-11-14T22:13:20Z","alerts":`
	const alerts = `[{"threshold_percent":50,"spent_usd":0.75,"at":"2023-11-14T22:13:20Z"}]}`
	shows := func(wanted string) {
		t.Helper()
		for _, path := range []string{"/keys/" + made.ID, "/keys"} { // the list needs no look at each key
			if shown := s.send(t, "GET", path, "", asAdmin).want(t, 200); !strings.Contains(string(shown.Body), wanted) {
				t.Errorf("%s shows %s", path, shown.Body)
			}
		}
	}
	shows(standing + alerts)
	if n := strings.Count(string(s.send(t, "GET", "/keys", "", asAdmin).Body), `"budget":null`); n != 1 {
		t.Errorf("%d keys without a budget are shown, want 1", n)
	}
	p.errAlerts = errors.New("PostgreSQL is away")
	shows(standing + "null}")
	p.err = errors.New("Redis is away")
	shows(`"budget":null`)
}

// Whoever administers a project sees its budgets, and those of all who may.
func TestBudgetsOfProjects(t *testing.T) {
	t.Parallel()
	p := new(payers)
	s := serve(t, func(s *setup) { s.adminKey, s.budgets = "the admin key", p })
	var made struct{ Key string }
	s.post(t, "/keys", `{"name": "k", "role": "admin", "project": "acme"}`, asAdmin).want(t, 201).decode(t, &made)
	ofAcme := "Authorization: Bearer " + made.Key
	for who, want := range map[string]string{asAdmin: "acme month 9, acme day 1, globex month 2", ofAcme: "acme month 9, acme day 1"} {
		var got struct {
			Budgets []struct {
				Project string
				USD     float64 `json:"budget_usd"`
				Period  string  `json:"budget_period"`
				Budget  *struct {
					Spent  float64 `json:"spent_usd"`
					Alerts []struct {
						Threshold int `json:"threshold_percent"`
					}
				}
			}
		}
		s.send(t, "GET", "/budgets", "", who).want(t, 200).decode(t, &got)
		var all []string
		for _, b := range got.Budgets {
			all = append(all, fmt.Sprint(b.Project, " ", b.Period, " ", b.USD))
			if b.Budget == nil || b.Budget.Spent != 0.3 || len(b.Budget.Alerts) != 1 || b.Budget.Alerts[0].Threshold != 50 {
				t.Errorf("%s stands at %+v", b.Project, b.Budget)
			}
		}
		if strings.Join(all, ", ") != want {
			t.Errorf("listed are %q, want %q", all, want)
		}
	}
	p.err = errors.New("Redis is away")
	if got := s.send(t, "GET", "/budgets", "", asAdmin).want(t, 200); strings.Count(string(got.Body), `"budget":null`) != 3 {
		t.Errorf("when nothing is known, listed is %s", got.Body)
	}
	s.send(t, "GET", "/budgets?x=1", "", asAdmin).want(t, 422)
}
