package budget_test

import (
	"encoding/json"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/pricing"
)

// A threshold is reached when that share is spent, to the nano-dollar, however
// large a budget is.
func TestThresholdsAreExact(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 7))
	for range 20_000 {
		limit := pricing.Nanos(1 + r.Int64N(1_000_000_000_000_000_000)>>r.IntN(60))
		spent := pricing.Nanos(float64(limit)*r.Float64()*1.2) + pricing.Nanos(r.IntN(3))
		if r.IntN(3) > 0 { // at an edge
			spent = limit/100*pricing.Nanos(budget.Thresholds()[r.IntN(3)]) + pricing.Nanos(r.IntN(3)) - 1
		}
		refused := r.IntN(2) == 0
		var want []int
		for _, percent := range []int64{50, 80, 100} {
			exactly := new(big.Int).Mul(big.NewInt(int64(spent)), big.NewInt(100))
			if refused && percent == 100 {
				percent = 80
			}
			if exactly.Cmp(new(big.Int).Mul(big.NewInt(int64(limit)), big.NewInt(percent))) >= 0 {
				want = append(want, budget.Thresholds()[len(want)])
			}
		}
		if got := budget.Crossed(spent, limit, refused); !slices.Equal(got, want) {
			t.Fatalf("with %d of %d spent, refused %t, %v are reached, want %v", spent, limit, refused, got, want)
		}
	}
}

func TestNotices(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	key := budget.Reached{Began: began, Thresholds: []int{50, 80}, Spent: 41e9, Watched: budget.Watched{Project: "acme", Label: "batch",
		Budget: budget.Budget{Scope: budget.Key, Name: "k1", Period: budget.Month, Limit: 50e9}}}
	full := key
	full.Thresholds, full.Scope, full.Name, full.Label, full.Period = budget.Thresholds(), budget.Project, "acme", "", budget.Day
	id := uuid.MustParse("019b0e4e-2b8a-7c3e-9d53-5a0f1c9f5b11")
	for _, c := range []struct {
		r    budget.Reached
		at   time.Time
		says string
	}{
		{key, began.Add(time.Hour), `key "batch" (k1) has spent 41 of the 50 US dollars that it has for this month: 80 % are reached.`},
		{full, began.Add(time.Hour), `project acme has spent 41 of the 50 US dollars that it has for this day: requests are refused until 2026-11-02T00:00:00Z.`},
		{full, began.Add(25 * time.Hour), `project acme had spent 41 of the 50 US dollars that it had for the day until 2026-11-02T00:00:00Z: 100 % were reached.`},
	} {
		n := c.r.Notice(id, c.at)
		if n.Summary != c.says || n.Threshold != c.r.Highest() || (n.KeyID == nil) != (c.r.Scope == budget.Project) {
			t.Errorf("the notice is %+v\nwant %s", n, c.says)
		}
	}
	m, err := key.Message(id, "https://example.com/hook", began)
	var body struct {
		Type string
		Data map[string]any
	}
	if err != nil || json.Unmarshal(m.Body, &body) != nil || body.Type != budget.KindAlert || body.Data["limit_usd"] != 50. || body.Data["key_name"] != "batch" {
		t.Errorf("the message is %s: %v", m.Body, err)
	}
	if m.Project != "acme" || m.URL != "https://example.com/hook" || !strings.Contains(m.Subject, "k1/month/2026-11-01/50000000000/80") {
		t.Errorf("the message is %+v", m)
	}
}
