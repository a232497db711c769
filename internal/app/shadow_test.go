package app_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/provider/simulated"
	"github.com/busuhq/busu/internal/storetest"
)

// A second model's answer goes its whole way: it is asked beside the first, both
// are judged as they deserve, both become lessons of the strategy that decided,
// and the ledger adds up.
func TestSecondAnswersTeach(t *testing.T) {
	t.Parallel()
	database, server := storetest.Postgres(t), storetest.Redis(t)
	env := []string{"DATABASE_URL=" + database, "REDIS_URL=" + server,
		"BUSU_CONFIG=" + configFile(t, quick+"routing: {strategy: hybrid, holdout: 0}\nshadow: {share: 1, judge: large}\n")}
	with := func() []string { return append(env[:len(env):len(env)], "BUSU_STATE_DIR="+stateDir(t)) }
	conn := connect(t, database)
	api, aggregator, worker := start(t, nil, with(), "api"), start(t, nil, with(), "aggregator"), start(t, nil, with(), "worker")
	const n = 12
	prompts := map[uuid.UUID]string{}
	for i := range n {
		prompt := fmt.Sprintf("Prove that %d of the %d cases follow from the first.", i, n)
		a := api.asks(prompt, `, "user_id": "ada", "cache": "bypass"`)
		prompts[uuid.MustParse(a.RequestID)] = prompt
	}
	worker.until("both answers of all are learned from", func() bool {
		return count(t, conn, `SELECT count(*) FROM lessons WHERE request_id IS NOT NULL`) == 2*n
	})
	if foreign := count(t, conn, `SELECT count(*) FROM lessons WHERE request_id IS NOT NULL AND strategy <> 'hybrid'`); foreign != 0 {
		t.Errorf("%d lessons are not of the strategy that decided", foreign)
	}
	for strategy, want := range map[string]int{"hybrid": n, "shadow": n, "judge": 2 * n} {
		if got := count(t, conn, `SELECT count(*) FROM completions WHERE strategy = $1 AND status = 'ok'`, strategy); got != want {
			t.Errorf("%d requests of the strategy %s, not %d", got, strategy, want)
		}
	}
	if of := count(t, conn, `SELECT count(*) FROM completions WHERE user_id IS NOT NULL`); of != n {
		t.Errorf("%d requests are a user's, who made %d", of, n)
	}
	world := simulated.New(simulated.Options{Seed: 1})
	rows, err := conn.Query(t.Context(), `
		SELECT coalesce(c.origin_id, c.id), c.model, f.score FROM feedback f JOIN completions c ON c.id = f.request_id WHERE f.source = 'judge'`)
	if err != nil {
		t.Fatal(err)
	}
	verdicts := 0
	for rows.Next() {
		var asked uuid.UUID
		var model string
		var score float64
		if err := rows.Scan(&asked, &model, &score); err != nil {
			t.Fatal(err)
		}
		if truth, ok := world.Truth(prompts[asked], model); !ok || math.Abs(truth.Score-score) > .001 {
			t.Errorf("%s's answer to %q is judged %v, in truth it is %v", model, prompts[asked], score, truth.Score)
		}
		verdicts++
	}
	if rows.Err() != nil || verdicts != 2*n {
		t.Errorf("%d verdicts of %d pairs: %v", verdicts, n, rows.Err())
	}
	aggregator.until("all is counted", func() bool {
		var live struct {
			ByStrategy map[string]any `json:"by_strategy"`
			Total      int            `json:"total_requests"`
		}
		api.get("/metrics/live", &live)
		return live.Total == 4*n && live.ByStrategy["shadow"] != nil
	})
	if said := busu(t, with(), "reconcile"); !strings.Contains(said, fmt.Sprintf("feedback/0     %d", 2*n)) {
		t.Errorf("busu reconcile says\n%s", said)
	}
	for _, p := range []*process{api, aggregator, worker} {
		p.stop()
	}
}
