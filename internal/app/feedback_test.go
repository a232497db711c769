package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/storetest"
)

// asked is what a test looks at of an answer.
type asked struct {
	RequestID string `json:"request_id"`
	Cache     string
	Model     string
}

func (p *process) asks(prompt, more string) asked {
	p.t.Helper()
	var a asked
	p.post("/complete", fmt.Sprintf(`{"prompt": %q%s}`, prompt, more), http.StatusOK, &a)
	return a
}

func (p *process) judges(request, verdict string) {
	p.t.Helper()
	p.post("/feedback", fmt.Sprintf(`{"request_id": %q, %s}`, request, verdict), http.StatusAccepted, nil)
}

// became waits until no verdict on a request waits, and lists what became of
// them.
func (p *process) became(conn *pgx.Conn, request string, n int) (states []string) {
	p.t.Helper()
	p.until("the verdicts on "+request+" are ruled", func() bool {
		rows, err := conn.Query(p.t.Context(), `
			SELECT state || coalesce(': ' || note, '') FROM feedback WHERE request_id = $1 AND state <> 'waiting' ORDER BY id`, request)
		if err != nil {
			p.t.Fatal(err)
		}
		if states, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
			p.t.Fatal(err)
		}
		return len(states) == n
	})
	return states
}

func count(t *testing.T, conn *pgx.Conn, sql string, args ...any) (n int) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// A verdict goes its whole way: from the caller, through journal, stream and
// table, to the lesson and the snapshot that it makes; and none is lost.
func TestFeedbackIsLearnedFrom(t *testing.T) {
	t.Parallel()
	database, server := storetest.Postgres(t), storetest.Redis(t)
	env := []string{"DATABASE_URL=" + database, "REDIS_URL=" + server, "BUSU_CONFIG=" + configFile(t, quick+"routing: {strategy: hybrid, holdout: 0}\n")}
	with := func() []string { return append(env[:len(env):len(env)], "BUSU_STATE_DIR="+stateDir(t)) }
	conn := connect(t, database)
	api, aggregator, worker := start(t, nil, with(), "api"), start(t, nil, with(), "aggregator"), start(t, nil, with(), "worker")
	const n = 20
	for i := range n {
		a := api.asks(fmt.Sprintf("What is %d and %d?", i, i+1), `, "cache": "bypass"`)
		api.judges(a.RequestID, `"rating": 5, "feedback_id": "`+a.RequestID+`"`)
		api.judges(a.RequestID, `"rating": 1, "feedback_id": "`+a.RequestID+`"`) // a repetition, by its id
		if i == 0 {
			worker.became(conn, a.RequestID, 1) // or the second may be ruled first: it waits for no other try
		}
		api.judges(a.RequestID, `"correct": false`)
		if got := strings.Join(worker.became(conn, a.RequestID, 2), ", "); i == 0 && got != "learned, kept: already judged" {
			t.Errorf("the verdicts are %s", got)
		}
	}
	worker.until("all of them are in a snapshot that is published", func() bool {
		return count(t, conn, `SELECT coalesce(max(verdicts), 0) FROM snapshots WHERE strategy = 'hybrid'`) == n
	})
	if taught := count(t, conn, `SELECT count(*) FROM lessons WHERE request_id IS NOT NULL`); taught != n {
		t.Errorf("%d lessons of %d requests", taught, n)
	}
	explicit := api.asks("Who was the first?", `, "model": "small", "cache": "bypass"`)
	api.judges(explicit.RequestID, `"score": 0.9`)
	if got := worker.became(conn, explicit.RequestID, 1)[0]; got != "kept: strategy model does not learn" {
		t.Errorf("a verdict on a model that was named is %s", got)
	}
	nobodys := uuid.Must(uuid.NewV7()).String()
	api.judges(nobodys, `"rating": 3`)
	worker.became(conn, nobodys, 1)
	said := busu(t, with(), "dead", "list")
	if !strings.Contains(said, "there is no request "+nobodys) || !strings.Contains(said, "busu:feedback:{0}") {
		t.Errorf("busu dead list says %s", said)
	}
	if said := busu(t, with(), "reconcile"); !strings.Contains(said, fmt.Sprintf("feedback/0     %d         %d      0        0", 3*n+2, 3*n+2)) {
		t.Errorf("busu reconcile says\n%s", said)
	}
	for _, p := range []*process{api, aggregator, worker} {
		p.stop()
	}
}

// What is called bad is not given again, from any level of the caches, whoever
// had got it.
func TestBadAnswersAreNotGivenAgain(t *testing.T) {
	t.Parallel()
	database, server := storetest.Postgres(t), storetest.Redis(t)
	env := []string{"DATABASE_URL=" + database, "REDIS_URL=" + server, "BUSU_CONFIG=" + configFile(t, quick)}
	with := func() []string { return append(env[:len(env):len(env)], "BUSU_STATE_DIR="+stateDir(t)) }
	conn := connect(t, database)
	api, other, worker := start(t, nil, with(), "api"), start(t, nil, with(), "api"), start(t, nil, with(), "worker")
	for name, judged := range map[string]func(made, again asked) string{
		"what made it": func(made, _ asked) string { return made.RequestID },
		"what got it":  func(_, again asked) string { return again.RequestID },
	} {
		prompt := "Is this one bad, by " + name + "?"
		made := api.asks(prompt, "")
		again := api.asks(prompt, "")
		if made.Cache != "miss" || again.Cache != "memory" {
			t.Fatalf("%s: first it comes from %s, then from %s", name, made.Cache, again.Cache)
		}
		api.until("it is kept", func() bool {
			return count(t, conn, `SELECT count(*) FROM response_cache WHERE request_id = $1`, made.RequestID) == 1
		})
		if got := other.asks(prompt, ""); got.Cache == "miss" {
			t.Fatalf("%s: the other process makes another answer", name)
		}
		api.judges(judged(made, again), `"rating": 5`)
		worker.became(conn, judged(made, again), 1)
		if a := api.asks(prompt, ""); a.Cache != "memory" {
			t.Errorf("%s: a good one comes from %s", name, a.Cache)
		}
		api.judges(judged(made, again), `"correct": false`)
		worker.became(conn, judged(made, again), 2)
		if name == "what made it" { // the other process asks first: it had the answer in memory
			other.until("it is made again", func() bool { return other.asks(prompt, "").Cache == "miss" })
			continue
		}
		api.until("it is made again", func() bool { return api.asks(prompt, "").Cache == "miss" })
	}
}
