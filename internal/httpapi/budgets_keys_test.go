package httpapi_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/routing"
)

// payers give every key that has a budget that one.
type payers struct{ err error }

func (*payers) Of(c access.Caller) []budget.Budget {
	if c.Key == nil || c.Key.Budget == nil {
		return nil
	}
	return []budget.Budget{{Scope: budget.Key, Name: c.Key.ID, Period: budget.Month, Limit: *c.Key.Budget}}
}

func (p *payers) Look(_ context.Context, b budget.Budget, _ time.Time) (budget.Standing, error) {
	return budget.Standing{Limit: b.Limit, Spent: 30e7, Reserved: 2e8, Remaining: b.Limit - 30e7, Resets: time.Unix(1_800_000_000, 0).UTC(), AsOf: time.Unix(1_700_000_000, 0)}, p.err
}

func (p *payers) Alerts(_ context.Context, b budget.Budget, _ time.Time) ([]budget.Alert, error) {
	return []budget.Alert{{Threshold: 50, Spent: b.Limit / 2, At: time.Unix(1_700_000_000, 0).UTC()}}, nil
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
	shown := s.send(t, "GET", "/keys/"+made.ID, "", asAdmin).want(t, 200)
	if want := `"budget":{"limit_usd":1.5,"spent_usd":0.3,"reserved_usd":0.2,"remaining_usd":1.2,"resets_at":"2027-01-15T08:00:00Z","as_of":"2023-11-14T22:13:20Z","alerts":[{"threshold_percent":50,"spent_usd":0.75,"at":"2023-11-14T22:13:20Z"}]}`; !strings.Contains(string(shown.Body), want) {
		t.Errorf("shown is %s", shown.Body)
	}
	p.err = errors.New("away")
	if shown := s.send(t, "GET", "/keys/"+made.ID, "", asAdmin).want(t, 200); !strings.Contains(string(shown.Body), `"budget":null`) {
		t.Errorf("when nothing is known, shown is %s", shown.Body)
	}
}
