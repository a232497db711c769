package postgres_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/storetest"
	"github.com/busuhq/busu/internal/system"
)

// An address with several hosts follows the primary: the pool writes to the
// replica once that is promoted, and nothing that it had is missing.
func TestFailover(t *testing.T) {
	t.Parallel()
	primary := storetest.PostgresServer(t)
	replica := storetest.PostgresReplica(t, primary)
	db, err := postgres.Open(t.Context(), postgres.Options{URL: several(t, replica.URL, primary.URL), Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	note := func(target string) error {
		return db.Note(t.Context(), system.Action{Project: "default", By: "test", Action: system.ActionReplay, Target: target})
	}
	for range 20 { // several connections would be found by turns
		if err := note("before"); err != nil {
			t.Fatal(err)
		}
	}
	storetest.Follows(t, replica, primary)
	primary.Kill(t)
	if err := note("meanwhile"); err == nil {
		t.Error("a replica takes what is written")
	}
	storetest.Promote(t, replica)
	began := time.Now()
	for err = note("after"); err != nil; err = note("after") {
		if t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
	t.Logf("written %s after the promotion", time.Since(began))
	conn := connect(t, replica.URL)
	for target, want := range map[string]int{"before": 20, "meanwhile": 0, "after": 1} {
		var n int
		if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM actions WHERE target = $1", target).Scan(&n); err != nil || n != want {
			t.Errorf("%s the failover: %d rows, not %d: %v", target, n, want, err)
		}
	}
}

// several is the address of all of the servers, of which one can write.
func several(t *testing.T, first string, others ...string) string {
	t.Helper()
	u, err := url.Parse(first)
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range others {
		o, err := url.Parse(other)
		if err != nil {
			t.Fatal(err)
		}
		u.Host += "," + o.Host
	}
	q := u.Query()
	q.Set("target_session_attrs", "read-write")
	u.RawQuery = q.Encode()
	return u.String()
}
