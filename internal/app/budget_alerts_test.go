package app_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/reconcile"
)

// A key's budget that is used up, although not to the last cent, is told as a
// webhook that is signed, and shown with the key; Redis has as spent what is
// stored.
func TestBudgetsTell(t *testing.T) {
	t.Parallel()
	h := listenForWebhooks(t)
	f := newFleet(t, 1, quick+"limits: {alerts: {notify_url: '"+h.URL+"/hook'}}\nwebhooks: {allow: [127.0.0.1]}\n")
	f.begin("aggregator", stateDir(t))
	api := f.apis[0].Load()
	var made struct{ ID, Key string }
	api.post("/keys", `{"name": "batch", "role": "complete", "project": "default", "budget_usd": 0.009, "budget_period": "day"}`, http.StatusCreated, &made)
	f.key = made.Key
	for status := 0; status != http.StatusOK; status, _ = f.ask(0, "first") { // a desk that is new waits for some seconds
		time.Sleep(50 * time.Millisecond)
	}
	f.drain(0)
	var k struct {
		Budget struct {
			Spent  float64 `json:"spent_usd"`
			Alerts []struct {
				Threshold int `json:"threshold_percent"`
			} `json:"alerts"`
		} `json:"budget"`
	}
	api.until("all is told", func() bool {
		api.get("/keys/"+made.ID, &k)
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(k.Budget.Alerts) == 3 && len(h.taken) > 1 && slices.ContainsFunc(h.taken[1:], func(got taken) bool { // the first is refused, and comes again, in whatever order
			return strings.Contains(string(got.body), `"threshold_percent":100`)
		})
	})
	h.mu.Lock()
	ids := map[string]bool{}
	for _, got := range h.taken {
		var told struct {
			Type string
			Data struct {
				Key    string  `json:"key_id"`
				Spent  float64 `json:"spent_usd"`
				Reason string  `json:"summary"`
			}
		}
		if err := json.Unmarshal(got.body, &told); err != nil || told.Type != "budget.alert" || told.Data.Key != made.ID || told.Data.Spent < 0.0045 || told.Data.Spent > 0.009 {
			t.Errorf("told is %s: %v", got.body, err)
		}
		ids[got.header.Get("webhook-id")] = true
	}
	if len(ids) > 3 {
		t.Errorf("%d messages tell of three thresholds", len(ids))
	}
	h.mu.Unlock()
	env := []string{"DATABASE_URL=" + f.database.URL, "REDIS_URL=" + f.redis.URL, "BUSU_CONFIG=" + f.config}
	if said := busu(t, env, "reconcile", "--wait", "20s"); !strings.Contains(said, "key "+made.ID+"  day from ") {
		t.Errorf("busu reconcile says\n%s", said)
	}
	var books reconcile.Answer
	api.get("/reconcile?window=1h", &books)
	if len(books.Budgets) != 1 || books.Budgets[0].Name != made.ID || books.Budgets[0].Stored < 4_500_000 || books.Budgets[0].Redis < books.Budgets[0].Stored {
		t.Errorf("GET /reconcile says of budgets %+v", books.Budgets)
	}
}
