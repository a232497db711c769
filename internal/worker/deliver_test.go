package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/courier"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/experiment"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/storetest"
	"github.com/busuhq/busu/internal/webhook"
)

// received is a receiver that verifies, remembers what it got, and answers by
// the path: what a test says, or 200.
type received struct {
	*httptest.Server
	keys webhook.Keys

	mu      sync.Mutex
	ids     map[string]int // how often each came
	wrong   []error
	answers map[string][]int // by path, one after the other
	holds   map[string]chan struct{}
}

func receive(t *testing.T) *received {
	t.Helper()
	keys, err := webhook.ParseKeys(webhook.NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	r := &received{keys: keys, ids: map[string]int{}, answers: map[string][]int{}, holds: map[string]chan struct{}{}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *received) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	var told struct{ Data experiment.Notice }
	err = errors.Join(err, r.keys.Verify(q.Header.Get, body, time.Now()), json.Unmarshal(body, &told))
	if id := q.Header.Get(webhook.HeaderID); told.Data.ID != id {
		err = errors.Join(err, fmt.Errorf("%s came under %s", body, id))
	}
	r.mu.Lock()
	if err != nil {
		r.wrong = append(r.wrong, err)
	}
	r.ids[told.Data.ID]++
	status := http.StatusOK
	if next := r.answers[q.URL.Path]; len(next) > 0 {
		status, r.answers[q.URL.Path] = next[0], next[1:]
	}
	hold := r.holds[q.URL.Path]
	r.mu.Unlock()
	if hold != nil {
		<-hold
	}
	w.WriteHeader(status)
}

// want: so many messages, each so often, and all as they were signed.
func (r *received) want(t *testing.T, messages, times int) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ids) != messages || len(r.wrong) != 0 {
		t.Errorf("%d messages came, of which are wrong: %v", len(r.ids), r.wrong)
	}
	for id, n := range r.ids {
		if n != times {
			t.Errorf("%s came %d times, want %d", id, n, times)
		}
	}
}

// deliverers are so many workers on one database.
func deliverers(t *testing.T, r *received, n int) ([]*Deliverer, *postgres.DB) {
	t.Helper()
	url := storetest.Postgres(t)
	allow, err := webhook.ParseAllow([]string{"127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	var all []*Deliverer
	var db *postgres.DB
	for range n {
		if db, err = postgres.Open(t.Context(), postgres.Options{URL: url, Name: t.Name()}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(db.Close)
		all = append(all, &Deliverer{Post: db, Courier: courier.New(allow), Log: slog.New(slog.DiscardHandler),
			Keys: func(context.Context) (webhook.Keys, error) { return r.keys, nil }})
	}
	return all, db
}

// toTell stops an experiment, of which its address is to be told.
func toTell(t *testing.T, db *postgres.DB, address string) (id string) {
	t.Helper()
	id = uuid.Must(uuid.NewV7()).String()
	e := experiment.Start{Name: id, ControlStrategy: "complexity", TestStrategy: "hybrid", SampleSize: 300, NotifyURL: address}.
		Experiment(experiment.Given{ID: id, Project: event.DefaultProject, Salt: "s", At: time.Now(), SlowUS: 1})
	if _, err := db.StartExperiment(t.Context(), e.Project, "", "", func([]experiment.Segment) (experiment.Experiment, error) { return e, nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := db.StopExperiment(t.Context(), e.Project, id, ""); err != nil {
		t.Fatal(err)
	}
	return id
}

// look delivers what is due at a moment, and waits for it.
func (d *Deliverer) look(t *testing.T, now time.Time) {
	t.Helper()
	var sending sync.WaitGroup
	if err := d.step(t.Context(), now, make(chan struct{}, sendsAtOnce), &sending); err != nil {
		t.Error(err)
	}
	sending.Wait()
}

func deliveryOf(t *testing.T, db *postgres.DB, id string) webhook.Delivery {
	t.Helper()
	all, err := db.Deliveries(t.Context(), event.DefaultProject, id)
	if err != nil || len(all) != 1 {
		t.Fatalf("deliveries are %+v: %v", all, err)
	}
	return all[0]
}

// A receiver that fails is called again, after the waits and under the same id,
// until it takes the message, says that it is gone, or a day is over.
func TestDeliveriesAreRepeated(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answers  []int
		attempts int
		ends     webhook.State
		stats    [3]int64 // delivered, failures, given up
	}{
		"taken":            {nil, 1, webhook.Delivered, [3]int64{1, 0, 0}},
		"500 and then 200": {[]int{500}, 2, webhook.Delivered, [3]int64{1, 1, 0}},
		"a redirect":       {[]int{302, 429, 204}, 3, webhook.Delivered, [3]int64{1, 2, 0}},
		"gone":             {[]int{500, 410}, 2, webhook.Failed, [3]int64{0, 2, 1}},
		"never":            {[]int{500, 500, 500, 500, 500, 500, 500, 500}, 8, webhook.Failed, [3]int64{0, 8, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := receive(t)
			all, db := deliverers(t, r, 1)
			d := all[0]
			r.answers["/"] = c.answers
			id := toTell(t, db, r.URL+"/")
			now := time.Now()
			for n := 1; n <= c.attempts; n++ {
				d.look(t, now)
				got := deliveryOf(t, db, id)
				if len(got.Attempts) != n || (got.NextAt != nil) != (n < c.attempts) {
					t.Fatalf("after attempt %d: %+v", n, got)
				}
				if got.NextAt != nil {
					d.look(t, got.NextAt.Add(-time.Millisecond)) // not before
					now = *got.NextAt
				}
			}
			d.look(t, now.Add(48*time.Hour))
			got := deliveryOf(t, db, id)
			if got.State != c.ends || len(got.Attempts) != c.attempts || got.EndedAt == nil {
				t.Errorf("it ends as %+v", got)
			}
			for i, a := range got.Attempts {
				want := http.StatusOK
				if i < len(c.answers) {
					want = c.answers[i]
				}
				if a.Number != i+1 || a.Status != want || (a.Error == "") != (want/100 == 2) {
					t.Errorf("attempt %d is %+v, want %d", i+1, a, want)
				}
			}
			r.want(t, 1, c.attempts)
			if s := d.Stats(); [3]int64{s.Delivered.Load(), s.Failures.Load(), s.GivenUp.Load()} != c.stats {
				t.Errorf("%d are delivered, %d failed, %d given up", s.Delivered.Load(), s.Failures.Load(), s.GivenUp.Load())
			}
		})
	}
}

// Several workers at once send each message once.
func TestWorkersDeliverOnce(t *testing.T) {
	t.Parallel()
	const messages = 60
	r := receive(t)
	all, db := deliverers(t, r, 3)
	for range messages {
		toTell(t, db, r.URL)
	}
	var working sync.WaitGroup
	for _, d := range all {
		working.Go(func() {
			for range messages {
				d.look(t, time.Now())
			}
		})
	}
	working.Wait()
	r.want(t, messages, 1)
	var delivered int64
	for _, d := range all {
		delivered += d.Stats().Delivered.Load()
	}
	if delivered != messages {
		t.Errorf("%d are delivered", delivered)
	}
}

// A worker that dies when it has sent and not yet written that down leaves the
// message to another, which sends it under the same id.
func TestCrashBetweenSendingAndRecording(t *testing.T) {
	t.Parallel()
	r := receive(t)
	all, db := deliverers(t, r, 1)
	id := toTell(t, db, r.URL)
	claims, err := db.ClaimWebhooks(t.Context(), time.Now(), 10, 0)
	if err != nil || len(claims) != 1 {
		t.Fatalf("claimed are %+v: %v", claims, err)
	}
	if a := all[0].Courier.Send(t.Context(), claims[0], r.keys, time.Now()); a.Status != http.StatusOK {
		t.Fatalf("%+v", a)
	}
	r.want(t, 1, 1) // and here it dies
	all[0].look(t, time.Now())
	r.want(t, 1, 2)
	if d := deliveryOf(t, db, id); d.State != webhook.Delivered || len(d.Attempts) != 1 || d.Attempts[0].Number != 2 {
		t.Errorf("it is %+v", d)
	}
}

// Those who wait for a slow receiver are its messages, up to the room there is.
func TestSlowReceiverHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	r := receive(t)
	all, db := deliverers(t, r, 1)
	let := make(chan struct{})
	r.holds["/slow"] = let
	slow := toTell(t, db, r.URL+"/slow")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error)
	go func() { done <- all[0].Run(ctx) }()
	until(t, func() bool { r.mu.Lock(); defer r.mu.Unlock(); return len(r.ids) == 1 })
	fast := toTell(t, db, r.URL+"/fast")
	until(t, func() bool { return deliveryOf(t, db, fast).State == webhook.Delivered })
	if d := deliveryOf(t, db, slow); d.State != webhook.Waiting || len(d.Attempts) != 0 {
		t.Errorf("the slow one is %+v", d)
	}
	close(let)
	until(t, func() bool { return deliveryOf(t, db, slow).State == webhook.Delivered })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	r.want(t, 2, 1)
}

// A worker that is told to stop does not wait for a slow receiver, and leaves
// the message to the next one.
func TestStoppingLeavesTheMessage(t *testing.T) {
	t.Parallel()
	r := receive(t)
	all, db := deliverers(t, r, 2)
	let := make(chan struct{})
	r.holds["/slow"] = let
	id := toTell(t, db, r.URL+"/slow")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- all[0].Run(ctx) }()
	until(t, func() bool { r.mu.Lock(); defer r.mu.Unlock(); return len(r.ids) == 1 })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	close(let)
	d := deliveryOf(t, db, id)
	if d.State != webhook.Waiting || len(d.Attempts) != 1 || !strings.Contains(d.Attempts[0].Error, "stopped") || d.NextAt == nil || d.NextAt.After(time.Now().Add(10*time.Second)) {
		t.Fatalf("it is left as %+v", d)
	}
	all[1].look(t, *d.NextAt)
	if d := deliveryOf(t, db, id); d.State != webhook.Delivered {
		t.Errorf("it is %+v", d)
	}
}

// flaky fails to write down what was sent, for a while.
type flaky struct {
	Post
	fails int
	mu    sync.Mutex
}

func (f *flaky) RecordAttempt(ctx context.Context, id uuid.UUID, a webhook.Attempt, next webhook.Next) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fails > 0 {
		f.fails--
		return errors.New("connection refused")
	}
	return f.Post.RecordAttempt(ctx, id, a, next)
}

// PostgreSQL being away for a moment makes nobody hear the same twice.
func TestRecordIsTriedAgain(t *testing.T) {
	t.Parallel()
	r := receive(t)
	all, db := deliverers(t, r, 1)
	all[0].Post = &flaky{Post: db, fails: 2}
	id := toTell(t, db, r.URL)
	all[0].look(t, time.Now())
	all[0].look(t, time.Now())
	r.want(t, 1, 1)
	if d := deliveryOf(t, db, id); d.State != webhook.Delivered {
		t.Errorf("it is %+v", d)
	}
}

func until(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not come to it")
		}
	}
}
