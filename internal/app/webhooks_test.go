package app_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/webhook"
)

// hook receives webhooks: /hook refuses the first and takes the next, /hang
// answers when the test is over.
type hook struct {
	*httptest.Server
	over chan struct{}

	mu      sync.Mutex
	taken   []taken
	hanging bool
}

type taken struct {
	header http.Header
	uri    string
	body   []byte
}

func listenForWebhooks(t *testing.T) *hook {
	t.Helper()
	h := &hook{over: make(chan struct{})}
	h.Server = httptest.NewServer(h)
	t.Cleanup(func() { close(h.over); h.Close() })
	return h
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.mu.Lock()
	if r.URL.Path == "/hang" {
		h.hanging = true
		h.mu.Unlock()
		<-h.over
		return
	}
	h.taken = append(h.taken, taken{r.Header, r.URL.RequestURI(), body})
	first := len(h.taken) == 1
	h.mu.Unlock()
	if first {
		http.Error(w, "not now", http.StatusInternalServerError)
	}
}

// hang has the worker wait for a receiver, which must hold nothing else up.
func (h *hook) hang(t *testing.T, api *process) (id string) {
	t.Helper()
	var e begun
	api.post("/experiments/start", `{"name": "hangs", "control": {"model": "large"}, "test": {"model": "small"}, "sample_size": 200, "notify_url": "`+h.URL+`/hang"}`,
		http.StatusCreated, &e)
	api.post("/experiments/"+e.ID+"/stop", "", http.StatusOK, nil)
	api.until("the receiver hangs", func() bool { h.mu.Lock(); defer h.mu.Unlock(); return h.hanging })
	return e.ID
}

func deliveriesOf(api *process, id string) []webhook.Delivery {
	var list struct{ Deliveries []webhook.Delivery }
	api.get("/experiments/"+id+"/deliveries", &list)
	return list.Deliveries
}

// wantDecision: the decision is refused once and then taken, under one id, which
// is that of the fact, and signed with the secret that the command prints.
func (h *hook) wantDecision(t *testing.T, api *process, env []string, id string, conn *pgx.Conn) {
	t.Helper()
	var d webhook.Delivery
	api.until("it is delivered", func() bool {
		all := deliveriesOf(api, id)
		if len(all) == 1 {
			d = all[0]
		}
		return d.State == webhook.Delivered
	})
	if d.URL != h.URL+"/hook?***" || d.Kind != "experiment.decided" || len(d.Attempts) != 2 || d.Attempts[0].Status != 500 || d.Attempts[1].Status != 200 {
		t.Errorf("the delivery is %+v", d)
	}
	if n := count(t, conn, `SELECT count(*) FROM decisions WHERE id = $1 AND type = 'experiment.decided'`, d.ID); n != 1 {
		t.Errorf("%d facts have its id", n)
	}
	keys, err := webhook.ParseKeys(strings.TrimSpace(busu(t, env, "webhooks", "secret")))
	if err != nil {
		t.Fatal(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.taken) != 2 || string(h.taken[0].body) != string(h.taken[1].body) {
		t.Errorf("received were %+v", h.taken)
	}
	for _, got := range h.taken {
		var told struct {
			Data struct {
				ID, Winner, Summary string
				Experiment          string `json:"experiment_id"`
			}
		}
		if err := json.Unmarshal(got.body, &told); err != nil {
			t.Fatal(err)
		}
		if err := keys.Verify(got.header.Get, got.body, time.Now()); err != nil || got.uri != "/hook?token=secret" || got.header.Get(webhook.HeaderID) != d.ID.String() ||
			told.Data.ID != d.ID.String() || told.Data.Experiment != id || told.Data.Winner != "test" || !strings.Contains(told.Data.Summary, "win") {
			t.Errorf("received %s %v %s: %v", got.uri, got.header, got.body, err)
		}
	}
	said := busu(t, env, "experiments", "deliveries", id, "--url", api.base)
	if !strings.Contains(said, ": delivered\nwebhook-id "+d.ID.String()) || !strings.Contains(said, "the answer is 500") || strings.Contains(said, "secret") {
		t.Errorf("busu experiments deliveries says\n%s", said)
	}
}
