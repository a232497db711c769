package postgres_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/requests"
	"github.com/busuhq/busu/internal/savings"
	"github.com/busuhq/busu/internal/storetest"
	"github.com/busuhq/busu/internal/system"
	"github.com/busuhq/busu/internal/usage"
)

// pair is a primary with a replica, and a Reader of both.
type pair struct {
	t                *testing.T
	primary, replica *storetest.Server
	db               *postgres.DB
	reader           *postgres.Reader
}

func startPair(t *testing.T, maxLag time.Duration) *pair {
	t.Helper()
	primary := storetest.PostgresServer(t)
	p := &pair{t: t, primary: primary, replica: storetest.PostgresReplica(t, primary), db: open(t, primary.URL)}
	p.reader = newReader(t, p.db, p.replica.URL, maxLag)
	return p
}

func newReader(t *testing.T, primary *postgres.DB, url string, maxLag time.Duration) *postgres.Reader {
	t.Helper()
	r, err := postgres.NewReader(t.Context(), primary, postgres.ReaderOptions{URL: url, MaxLag: maxLag, Name: "reader"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// until looks until the replica is seen so.
func (p *pair) until(state string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	var err error
	for {
		err = p.reader.Look(ctx)
		seen := p.reader.Replica()
		if seen.State == state {
			return
		}
		select {
		case <-ctx.Done():
			p.t.Fatalf("the replica is %q, not %q: %v", seen.State, state, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// persist stores facts in the primary.
func (p *pair) persist(facts []*event.CompletionRecorded) {
	p.t.Helper()
	if _, err := p.db.Persist(p.t.Context(), facts); err != nil {
		p.t.Fatal(err)
	}
}

// sees counts the requests that a Reader's history has.
func (p *pair) sees() (int64, time.Time) {
	p.t.Helper()
	h, err := p.reader.History(p.t.Context(), event.DefaultProject, weekInFives, time.Now())
	if err != nil {
		p.t.Fatal(err)
	}
	return h.TotalRequests, h.AsOf
}

func pause(t *testing.T, url string, paused bool) {
	t.Helper()
	sql, want := `SELECT pg_wal_replay_resume()`, "not paused"
	if paused {
		sql, want = `SELECT pg_wal_replay_pause()`, "paused"
	}
	conn := connect(t, url)
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
	for state := ""; state != want; { // it is asked for first
		if err := conn.QueryRow(t.Context(), `SELECT pg_get_wal_replay_pause_state()`).Scan(&state); err != nil {
			t.Fatal(err)
		}
	}
}

// batch is n facts of a journal from a number on.
func batch(seed uint64, n int, from int64) []*event.CompletionRecorded {
	r := rand.New(rand.NewPCG(seed, 0))
	var facts []*event.CompletionRecorded
	for range n {
		facts = append(facts, eventtest.Completion(r, time.Now().Add(-rand.N(time.Hour))))
	}
	eventtest.Number("journal", from, facts...)
	return facts
}

// All that the dashboard reads comes from the replica: what that has not
// replayed is not seen, and how old it is is told. One request is looked for in
// the primary, too.
func TestReadsComeFromTheReplica(t *testing.T) {
	t.Parallel()
	p := startPair(t, time.Hour)
	facts := batch(1, 40, 1)
	p.persist(facts[:30])
	if n, _ := p.sees(); n != 30 || p.reader.Replica().State != system.ReplicaAway {
		t.Errorf("before anybody has looked, %d requests are seen: %+v", n, p.reader.Replica())
	}
	storetest.Follows(t, p.replica, p.primary)
	p.until(system.ReplicaUsed)
	pause(t, p.replica.URL, true)
	p.persist(facts[30:])
	paused := time.Now()
	p.until(system.ReplicaUsed)
	if n, asOf := p.sees(); n != 30 || asOf.After(paused) {
		t.Errorf("the replica has 30 requests, %d are seen, as of %s", n, asOf)
	}
	page, err := p.reader.FindRequests(t.Context(), event.DefaultProject, requests.Query{Limit: 100}, time.Minute)
	if err != nil || len(page.Requests) != 30 {
		t.Errorf("a page has %d requests: %v", len(page.Requests), err)
	}
	report, err := p.reader.Usage(t.Context(), usage.Query{Project: event.DefaultProject, From: paused.Add(-48 * time.Hour), To: paused.Add(48 * time.Hour), By: []usage.Dimension{usage.User}})
	if err != nil || report.Totals.Requests != 30 {
		t.Errorf("usage is of %d requests: %v", report.Totals.Requests, err)
	}
	if _, err := p.reader.Savings(t.Context(), event.DefaultProject, savings.Windows()[0], paused); err != nil {
		t.Error(err)
	}
	for _, f := range []*event.CompletionRecorded{facts[0], facts[39]} {
		if r, err := p.reader.Request(t.Context(), event.DefaultProject, f.ID); err != nil || r.ID != f.ID {
			t.Errorf("request %s: %v", f.ID, err)
		}
	}
	if _, err := p.reader.Request(t.Context(), event.DefaultProject, uuid.Must(uuid.NewV7())); !errors.Is(err, requests.ErrUnknown) {
		t.Errorf("an unknown request: %v", err)
	}
	pause(t, p.replica.URL, false)
	storetest.Follows(t, p.replica, p.primary)
	if n, _ := p.sees(); n != 40 {
		t.Errorf("the replica has 40 requests, %d are seen", n)
	}
}

// Reads go to the primary at once while the replica hangs, is gone, or is too
// far behind, and come back to it.
func TestReadsFallBackToThePrimary(t *testing.T) {
	t.Parallel()
	p := startPair(t, 2*time.Second)
	p.persist(batch(2, 10, 1))
	storetest.Follows(t, p.replica, p.primary)
	p.until(system.ReplicaUsed)

	stop := follow(t, p.reader) // who reads from a replica that hangs is freed by it
	p.replica.Stop(t)
	if n, _ := p.sees(); n != 10 {
		t.Errorf("%d of 10 requests are seen while the replica hangs", n)
	}
	p.replica.Cont(t)
	stop()
	p.until(system.ReplicaUsed)

	pause(t, p.replica.URL, true)
	p.persist(batch(3, 5, 11))
	p.until(system.ReplicaBehind)
	if n, _ := p.sees(); n != 15 || *p.reader.Replica().LagMS < 2000 {
		t.Errorf("%d of 15 requests are seen while the replica is behind by %g ms", n, *p.reader.Replica().LagMS)
	}
	pause(t, p.replica.URL, false)
	p.until(system.ReplicaUsed)

	p.replica.Kill(t)
	if n, _ := p.sees(); n != 15 {
		t.Errorf("%d of 15 requests are seen when the replica is killed", n)
	}
	p.until(system.ReplicaAway)
	p.replica.Restart(t)
	p.until(system.ReplicaUsed)

	storetest.Promote(t, p.replica)
	p.until(system.ReplicaPrimary)
}

// follow looks at the replica as a process does, until it is told to stop.
func follow(t *testing.T, r *postgres.Reader) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Follow(ctx, slog.New(slog.DiscardHandler)) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// What is no replica of the primary is not read from.
func TestOthersAreNoReplica(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db := open(t, url)
	for name, c := range map[string]struct{ url, want string }{
		"itself":           {url, system.ReplicaPrimary},
		"another database": {storetest.Postgres(t), system.ReplicaOther},
		"another server":   {storetest.PostgresServer(t).URL, system.ReplicaOther},
		"nobody":           {"postgres://nobody@127.0.0.1:1/busu", system.ReplicaAway},
	} {
		r := newReader(t, db, c.url, time.Hour)
		if err := r.Look(t.Context()); (err != nil) != (c.want == system.ReplicaAway) || r.Replica().State != c.want {
			t.Errorf("%s is %q: %v", name, r.Replica().State, err)
		}
	}
	if r := newReader(t, db, "", time.Hour); r.Replica() != nil || r.Look(t.Context()) != nil {
		t.Error("there is a replica that nobody named")
	}
}

// A replica that lacks a migration is left alone until it has it; one whose
// primary is away is used for as long as it may be old.
func TestReplicaWithoutAMigration(t *testing.T) {
	t.Parallel()
	p := startPair(t, time.Hour)
	p.until(system.ReplicaUsed)
	pause(t, p.replica.URL, true)
	if _, err := connect(t, p.primary.URL).Exec(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (999999, true)`); err != nil {
		t.Fatal(err)
	}
	p.until(system.ReplicaSchema)
	pause(t, p.replica.URL, false)
	p.until(system.ReplicaUsed)
	p.primary.Kill(t)
	p.until(system.ReplicaUsed)
	if n, _ := p.sees(); n != 0 {
		t.Errorf("%d requests are seen", n)
	}
}
