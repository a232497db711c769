package app_test

import (
	"testing"

	"github.com/busuhq/busu/internal/requests"
	"github.com/busuhq/busu/internal/storetest"
	"github.com/busuhq/busu/internal/system"
)

// The dashboard shows what the replica has; while there is none, what the
// primary has. Requests are answered, and readiness does not change.
func TestDashboardReadsFromTheReplica(t *testing.T) {
	t.Parallel()
	primary := storetest.PostgresServer(t)
	replica := storetest.PostgresReplica(t, primary)
	p := start(t, nil, []string{"DATABASE_URL=" + primary.URL, "DATABASE_READ_URL=" + replica.URL, "REDIS_URL=" + storetest.Redis(t),
		"BUSU_STATE_DIR=" + stateDir(t), "BUSU_CONFIG=" + configFile(t, quick)}, "busu", "up")
	conn := connect(t, primary.URL)
	seen := func() int {
		t.Helper()
		var page requests.Page
		p.get("/requests?limit=100", &page)
		return len(page.Requests)
	}
	is := func(state string) {
		t.Helper()
		p.until("the replica is "+state, func() bool {
			var r system.Report
			p.get("/system", &r)
			return r.Replica != nil && r.Replica.State == state
		})
	}
	p.ask(10)
	p.agree(conn, 10)
	is(system.ReplicaUsed)
	p.until("the replica has all", func() bool { return seen() == 10 })

	standby := connect(t, replica.URL)
	if _, err := standby.Exec(t.Context(), `SELECT pg_wal_replay_pause()`); err != nil {
		t.Fatal(err)
	}
	p.until("the replica stands still", func() (paused bool) {
		err := standby.QueryRow(t.Context(), `SELECT pg_get_wal_replay_pause_state() = 'paused'`).Scan(&paused)
		return err == nil && paused
	})
	p.ask(5)
	p.agree(conn, 15)
	if n := seen(); n != 10 {
		t.Errorf("the replica has 10 requests, %d are shown", n)
	}
	replica.Kill(t)
	p.until("the primary is asked", func() bool { return seen() == 15 })
	is(system.ReplicaAway)
	var ready struct{ Status string }
	p.get("/readyz", &ready)
	replica.Restart(t)
	is(system.ReplicaUsed)
	p.ask(1)
	p.until("the replica follows", func() bool { return seen() == 16 })
	p.stop()
}
