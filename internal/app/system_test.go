package app_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/lineup"
	"github.com/busuhq/busu/internal/reconcile"
	"github.com/busuhq/busu/internal/storetest"
	"github.com/busuhq/busu/internal/system"
)

// operate sends a request without a body.
func (p *process) operate(method, path string, status int, into any) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.base+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	answered, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	p.decode(answered, status, into)
}

// Every process is seen, with who has which lease; what could not be processed
// is listed, goes back, and goes for good; and the books say whether anything
// is missing.
func TestOperatorsSeeEverything(t *testing.T) {
	t.Parallel()
	database, server := storetest.Postgres(t), storetest.Redis(t)
	env := func() []string {
		return []string{"DATABASE_URL=" + database, "REDIS_URL=" + server, "BUSU_STATE_DIR=" + stateDir(t), "BUSU_CONFIG=" + configFile(t, quick)}
	}
	worker, aggregator := start(t, nil, env(), "worker"), start(t, nil, env(), "aggregator")
	api, other := start(t, nil, env(), "api"), start(t, nil, env(), "api")
	conn := connect(t, database)
	api.ask(10)
	other.ask(10)
	api.agree(conn, 20)

	seen := allSeen(t, api)
	var books reconcile.Answer
	api.until("the books agree", func() bool {
		api.get("/reconcile?window=1h", &books)
		return books.Settled
	})
	if books.Projects[0].Stored.TotalRequests != 20 || books.Projects[0].Live.TotalRequests != 20 || !books.Projects[0].RowsAgree {
		t.Errorf("the books say %+v", books.Projects)
	}
	var models lineup.Report
	api.get("/models?window=1h", &models)
	asked := int64(0)
	for _, m := range models.Models {
		asked += m.Requests
	}
	if len(models.Models) != 3 || asked != 20 || models.BaselineModel != "large" || models.Curve == nil || models.Curve.Decisions != 20 || len(models.Degraded) > 0 {
		t.Errorf("the models are %+v, the curve %+v", models, models.Curve)
	}
	api.operate(http.MethodPost, "/snapshots/7/rollback", http.StatusNotFound, nil)
	t.Run("dead letters", func(t *testing.T) { replayAndDelete(t, api, server, database) })
	for _, p := range []*process{worker, aggregator, other} {
		p.stop()
	}
	api.until("they have taken leave", func() bool {
		api.get("/system", &seen)
		return len(seen.Processes) == 1
	})
	api.stop()
}

// allSeen waits until four processes and their leases are.
func allSeen(t *testing.T, api *process) system.Report {
	t.Helper()
	var s system.Report
	leases := map[string]string{}
	api.until("all processes and leases are seen", func() bool {
		api.get("/system", &s)
		for _, l := range s.Leases {
			if l.Process != nil {
				leases[l.Name], _, _ = strings.Cut(*l.Process, " ")
			}
		}
		return len(s.Processes) == 4 && leases["learner"] != "" && leases["aggregator/0"] != "" && !slices.ContainsFunc(s.Processes, unwell)
	})
	roles := ""
	for _, p := range s.Processes {
		roles += p.Role + " "
		if (p.Journal != nil) != (p.Role == "api") || p.StartedAt.IsZero() || p.PID == 0 || p.Version == "" {
			t.Errorf("a process says of itself %+v", p)
		}
		for _, c := range p.Checks {
			if !c.OK || c.Since.Before(p.StartedAt) {
				t.Errorf("%s says of %s %+v", p.Role, c.Name, c)
			}
		}
	}
	if roles != "aggregator api api worker " || leases["learner"] != "worker" || leases["aggregator/0"] != "aggregator" || leases["publisher"] != "aggregator" {
		t.Errorf("there are %s, and leases %v", roles, leases)
	}
	if s.Postgres.Days.Ahead < 1 || s.Redis.Streams[0].Entries != 20 || len(s.Degraded) > 0 {
		t.Errorf("days %+v, streams %+v, degraded %v", s.Postgres.Days, s.Redis.Streams, s.Degraded)
	}
	return s
}

// unwell is for processes that have not looked yet, or lack something.
func unwell(p system.Process) bool {
	return len(p.Checks) == 0 || slices.ContainsFunc(p.Checks, func(c system.Check) bool { return !c.OK })
}

func replayAndDelete(t *testing.T, api *process, server, database string) {
	options, err := redis.ParseURL(server)
	if err != nil {
		t.Fatal(err)
	}
	plain := redis.NewClient(options)
	t.Cleanup(func() { _ = plain.Close() })
	if err := plain.XAdd(t.Context(), &redis.XAddArgs{Stream: "busu:completions:{0}", Values: []any{"event", `{"v":9}`}}).Err(); err != nil {
		t.Fatal(err)
	}
	var page system.DeadPage
	one := func(what, not string) system.Dead {
		t.Helper()
		api.until(what, func() bool {
			api.get("/dead", &page)
			return len(page.Letters) == 1 && page.Letters[0].ID != not
		})
		return page.Letters[0]
	}
	first := one("it is a dead letter", "")
	if first.Reason == "" || first.Preview != `{"v":9}` || first.Bytes != 7 || first.Stream != "busu:completions:{0}" {
		t.Errorf("it is %+v", first)
	}
	api.operate(http.MethodPost, "/dead/"+first.ID+"/replay", http.StatusOK, nil)
	second := one("it is one again", first.ID)
	var whole system.DeadBody
	if api.get("/dead/"+second.ID, &whole); *whole.Body != `{"v":9}` {
		t.Errorf("whole it is %+v", whole)
	}
	api.operate(http.MethodPost, "/dead/"+first.ID+"/replay", http.StatusNotFound, nil)
	api.operate(http.MethodDelete, "/dead/"+second.ID, http.StatusOK, nil)
	api.operate(http.MethodDelete, "/dead/"+second.ID, http.StatusNotFound, nil)
	if api.get("/dead", &page); page.Count != 0 || len(page.Letters) != 0 {
		t.Errorf("left is %+v", page)
	}
	var actions string
	err = connect(t, database).QueryRow(t.Context(), `SELECT string_agg(action || ' ' || target, ', ' ORDER BY n) FROM actions`).Scan(&actions)
	if want := "dead.replay " + first.ID + ", dead.delete " + second.ID; err != nil || actions != want {
		t.Errorf("noted is %q (%v), want %q", actions, err, want)
	}
}
