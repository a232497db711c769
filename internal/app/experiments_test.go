package app_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/busuhq/busu/internal/experiment"
	"github.com/busuhq/busu/internal/storetest"
)

// begun is what a test looks at of an experiment.
type begun struct {
	ID, State, Name string
	Outcome, Winner *string
	PowerToWin      float64 `json:"power_to_win"`
}

// An experiment runs from its start over assignment, rows and looks to its
// verdict, while the worker is killed; what was decided is that of its own
// numbers, is told once, and its winner serves.
func TestExperimentRunsToItsDecision(t *testing.T) {
	t.Parallel()
	database, server := storetest.Postgres(t), storetest.Redis(t)
	env := []string{"DATABASE_URL=" + database, "REDIS_URL=" + server,
		"BUSU_CONFIG=" + configFile(t, quick+"routing: {strategy: complexity, holdout: 0.1, default_experiment: which}\nwebhooks: {allow: [127.0.0.1]}\n")}
	with := func() []string { return append(env[:len(env):len(env)], "BUSU_STATE_DIR="+stateDir(t)) }
	conn := connect(t, database)
	api, other, worker := start(t, nil, with(), "api"), start(t, nil, with(), "api"), start(t, nil, with(), "worker")

	hook := listenForWebhooks(t)
	api.post("/experiments/start", `{"name": "private", "control": {"model": "large"}, "test": {"model": "small"}, "sample_size": 200, "notify_url": "http://10.0.0.1/"}`,
		http.StatusUnprocessableEntity, nil)

	const units = 200
	var e begun
	body := fmt.Sprintf(`{"name": "which", "control": {"model": "large"}, "test": {"model": "small"}, "sample_size": %d, "primary_metric": "cost",
		"observation": "1s", "feedback_window": "1s", "min_duration": "0s", "max_duration": "1h", "margins": {"good": 1, "slow": 1, "quality": 1}, "notify_url": "%s/hook?token=secret"}`, units, hook.URL)
	api.post("/experiments/start", body, http.StatusCreated, &e)
	if e.State != "running" || !(e.PowerToWin > 0) {
		t.Errorf("it has begun as %+v", e)
	}
	ask := func(p *process, user, more string) (x struct {
		Model      string
		Experiment *struct{ ID, Arm string }
		Holdout    bool
		Degraded   []string
	}) {
		p.post("/complete", fmt.Sprintf(`{"prompt": "What is %s?", "user_id": %q%s}`, user, user, more), http.StatusOK, &x)
		return x
	}
	named := fmt.Sprintf(`, "experiment_id": %q`, e.ID)
	other.until("the other process knows of it", func() bool { x := ask(other, "first", named); return x.Holdout || len(x.Degraded) == 0 })

	arms, held := map[string]int{}, 0
	var mu sync.Mutex
	var all sync.WaitGroup
	for part, p := range []*process{api, other} {
		all.Go(func() {
			for u := part; u < 2*units; u += 2 {
				user, more := fmt.Sprint("user-", u), named
				if u%3 == 0 {
					more = "" // the default experiment
				}
				x := ask(p, user, more)
				mu.Lock()
				if x.Holdout {
					held++
				} else if x.Experiment == nil || x.Model != map[string]string{"control": "large", "test": "small"}[x.Experiment.Arm] {
					t.Errorf("%s is answered by %s in %v", user, x.Model, x.Experiment)
				} else {
					arms[x.Experiment.Arm]++
				}
				mu.Unlock()
			}
		})
	}
	if err := worker.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	worker = start(t, nil, with(), "worker")
	all.Wait()
	hangs := hook.hang(t, api)
	if held < units/20 || arms["control"] < units/2 || arms["test"] < units/2 {
		t.Errorf("%d are held out, the arms have %v", held, arms)
	}

	api.until("it is decided", func() bool { api.get("/experiments/"+e.ID, &e); return e.State == "decided" })
	if *e.Outcome != "win" || *e.Winner != "test" {
		t.Errorf("it is decided as %s for %v", *e.Outcome, e.Winner)
	}
	var results experiment.Results
	api.until("results say so", func() bool { api.get("/experiments/"+e.ID+"/results", &results); return results.State == "decided" })
	if results.Sample.Users < units || !results.SRM.OK || !strings.Contains(results.Verdict, "est costs") || results.Projected != nil {
		t.Errorf("results are %+v", results)
	}

	var decision, record []byte
	if err := conn.QueryRow(t.Context(), `SELECT decision, record FROM experiment_decisions`).Scan(&decision, &record); err != nil {
		t.Fatal(err)
	}
	var d experiment.Decision
	var as experiment.Experiment
	if err := errors.Join(json.Unmarshal(decision, &d), json.Unmarshal(record, &as)); err != nil {
		t.Fatal(err)
	}
	if err := experiment.Recompute(&as, &d); err != nil {
		t.Errorf("from its own numbers it cannot be recomputed: %v", err)
	}
	var cost int64
	for _, phase := range d.Tallies {
		for _, arm := range phase {
			cost += arm.CostNanos
		}
	}
	if n := count(t, conn, `SELECT sum(c.origin_cost_nanos)::bigint FROM experiment_units u JOIN experiment_results r USING (experiment_id, unit)
		JOIN completions c ON c.id = r.completion_id WHERE u.judged AND r.at <= u.exposed_at + interval '1 second'
			AND (u.matured_at, u.first_id) <= (SELECT matured_at, first_id FROM experiment_units WHERE experiment_id = $1 AND judged ORDER BY matured_at, first_id OFFSET $2 LIMIT 1)`,
		e.ID, d.Units-1); int64(n) != cost {
		t.Errorf("the rows cost %d, the decision says %d", n, cost)
	}
	other.until("the winner serves all, and enrols nobody", func() bool {
		x := ask(other, "somebody", named+`, "cache": "bypass"`)
		return x.Holdout || x.Model == "small" && x.Experiment == nil
	})
	if told := count(t, conn, `SELECT count(*) FROM decisions WHERE type = 'experiment.decided'`); told != 1 {
		t.Errorf("it is told %d times", told)
	}
	hook.wantDecision(t, api, with(), e.ID, conn)
	if d := deliveriesOf(api, hangs); len(d) != 1 || d[0].State != "waiting" {
		t.Errorf("the receiver that hangs was told %+v", d)
	}
	at := []string{"--url", api.base}
	if said := busu(t, with(), append([]string{"experiments", "results", e.ID}, at...)...); !strings.Contains(said, "which: decided, win") || !strings.Contains(said, "small") {
		t.Errorf("busu experiments results says\n%s", said)
	}
	busu(t, with(), append([]string{"experiments", "start", "--control", "complexity", "--test", "model:small", "--sample-size", "2000", "--notify-url", "https://example.com/x?token=secret"}, at...)...)
	if said := busu(t, with(), "experiments", "recompute", e.ID); !strings.Contains(said, "which: decided, win") || !strings.Contains(said, "come out the same") {
		t.Errorf("busu experiments recompute says\n%s", said)
	}
	if said := busu(t, with(), append([]string{"experiments", "list"}, at...)...); !strings.Contains(said, e.ID) || !strings.Contains(said, "model:small against complexity") {
		t.Errorf("busu experiments list says\n%s", said)
	}
	if said := busu(t, with(), append([]string{"experiments", "list", "--json"}, at...)...); !strings.Contains(said, `"https://example.com/x?***"`) {
		t.Errorf("the address of --notify-url is not in\n%s", said)
	}
	for _, p := range []*process{api, other, worker} {
		p.stop()
	}
}
