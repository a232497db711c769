package app_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/storetest"
)

// all that is stored of experiments, as one text.
func stored(t *testing.T, conn *pgx.Conn) (text string) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), `SELECT concat(
		(SELECT string_agg(e::text, ';' ORDER BY id) FROM experiments e), '|', (SELECT string_agg(a::text, ';' ORDER BY n) FROM experiment_audit a), '|',
		(SELECT count(*) FROM experiment_units), '|', (SELECT count(*) FROM experiment_results), '|', (SELECT count(*) FROM experiment_decisions), '|',
		(SELECT count(*) FROM decisions))`).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

// Bad requests are refused with what is wrong, and change nothing.
func TestBadRequestsAboutExperimentsChangeNothing(t *testing.T) {
	t.Parallel()
	database, server := storetest.Postgres(t), storetest.Redis(t)
	const key = "an-admin-key-of-some-length"
	env := []string{"DATABASE_URL=" + database, "REDIS_URL=" + server, "BUSU_ADMIN_KEY=" + key, "BUSU_STATE_DIR=" + stateDir(t),
		"BUSU_CONFIG=" + configFile(t, quick+"routing: {strategy: complexity, holdout: 0}\n")}
	api := start(t, nil, env, "api")
	conn := connect(t, database)
	send := func(method, path, body, key string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, api.base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if key != "" {
			r.Header.Set("Authorization", "Bearer "+key)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(text)
	}
	begin := func(name string) string {
		t.Helper()
		status, text := send("POST", "/experiments/start", fmt.Sprintf(`{"name": %q, "control": {"model": "large"}, "test": {"model": "small"}, "sample_size": 2000}`, name), key)
		id, _, ok := strings.Cut(strings.TrimPrefix(text, `{"id":"`), `"`)
		if status != http.StatusCreated || !ok {
			t.Fatalf("%d %s", status, text)
		}
		return id
	}
	runs, ended := "/experiments/"+begin("taken"), "/experiments/"+begin("over")
	if status, text := send("POST", ended+"/stop", "", key); status != http.StatusOK {
		t.Fatal(text)
	}
	with := func(more string) string {
		return `{"name": "bad", "control_strategy": "complexity", "test_strategy": "hybrid", "sample_size": 2000, ` + more + `}`
	}
	arms := func(a, b string) string {
		return fmt.Sprintf(`{"name": "bad", "sample_size": 2000, "arms": [{"name": "a", "share": %s, "strategy": "hybrid"}, {"name": "b", "share": %s, "strategy": "complexity"}]}`, a, b)
	}
	longID := strings.Repeat("u", 10<<20)
	before := stored(t, conn)
	for _, c := range []struct {
		what, method, path, body string
		status                   int
		says                     string
	}{
		{"equal strategies", "POST", "/experiments/start", `{"name": "bad", "control_strategy": "hybrid", "test_strategy": "hybrid", "sample_size": 2000}`, 422, "nothing to compare"},
		{"equal parameters", "POST", "/experiments/start", `{"name": "bad", "control": {"strategy": "hybrid", "parameters": {"strong_share": 0.5}}, "test": {"strategy": "hybrid", "parameters": {"strong_share": 0.50}}, "sample_size": 2000}`, 422, "nothing to compare"},
		{"an unknown strategy", "POST", "/experiments/start", `{"name": "bad", "control_strategy": "hybrid", "test_strategy": "best", "sample_size": 2000}`, 422, "must be one of complexity"},
		{"no users", "POST", "/experiments/start", strings.Replace(with(`"alpha": 0.05`), "2000", "0", 1), 422, "sample_size"},
		{"all users there are", "POST", "/experiments/start", strings.Replace(with(`"alpha": 0.05`), "2000", "1e12", 1), 422, "sample_size"},
		{"fewer than no users", "POST", "/experiments/start", strings.Replace(with(`"alpha": 0.05`), "2000", "-5", 1), 422, "sample_size"},
		{"shares of less", "POST", "/experiments/start", arms("0.5", "0.4"), 422, "sum to 0.9"},
		{"shares of more", "POST", "/experiments/start", arms("0.5", "0.6"), 422, "sum to 1.1"},
		{"a share below zero", "POST", "/experiments/start", arms("1.5", "-0.5"), 422, "share"},
		{"an unknown metric", "POST", "/experiments/start", with(`"primary_metric": "revenue"`), 422, "must be good, quality, cost or latency"},
		{"alpha 0", "POST", "/experiments/start", with(`"alpha": 0`), 422, "must be 0.1, 0.05 or 0.01"},
		{"alpha 1", "POST", "/experiments/start", with(`"alpha": 1`), 422, "must be 0.1, 0.05 or 0.01"},
		{"a name twice", "POST", "/experiments/start", strings.Replace(with(`"alpha": 0.05`), `"bad"`, `"taken"`, 1), 422, "choose another"},
		{"the name of one that is over", "POST", "/experiments/start", strings.Replace(with(`"alpha": 0.05`), `"bad"`, `"over"`, 1), 422, "choose another"},
		{"a daily budget", "POST", "/experiments/start", `{"name": "bad", "control_strategy": "hybrid", "test": {"strategy": "hybrid", "parameters": {"daily_budget_usd": 5}}, "sample_size": 2000}`, 422, "is no parameter"},
		{"a webhook to the cloud's metadata", "POST", "/experiments/start", with(`"notify_url": "http://169.254.169.254/latest/meta-data/"`), 422, "notify_url"},
		{"no JSON", "POST", "/experiments/start", `{"name": `, 400, "JSON"},
		{"ten megabytes", "POST", "/experiments/start", with(`"layer": "` + longID + `"`), 413, "4 MiB"},
		{"a ramp that does not sum", "POST", runs + "/ramp", `{"shares": [0.5, 0.4]}`, 422, "sum to 0.9"},
		{"a ramp of nothing", "POST", runs + "/ramp", `{}`, 422, "missing"},
		{"a ramp in the past", "POST", runs + "/ramp", `{"test_share": 0.4, "at": "2020-01-01T00:00:00Z"}`, 422, "ahead"},
		{"a ramp of what is over", "POST", ended + "/ramp", `{"test_share": 0.4}`, 409, "has ended"},
		{"a smaller sample", "POST", runs + "/extend", `{"sample_size": 100}`, 422, "must be more than the 2000"},
		{"a shorter time", "POST", runs + "/extend", `{"max_duration": "1h"}`, 422, "must be longer"},
		{"more of what is over", "POST", ended + "/extend", `{"sample_size": 4000}`, 409, "has ended"},
		{"to archive what runs", "POST", runs + "/archive", "", 409, "stop it first"},
		{"to stop what there is not", "POST", "/experiments/019b0e4e-2b8a-7c3e-9d53-5a0f1c9f5b11/stop", "", 404, "GET /experiments"},
		{"an unknown experiment", "POST", "/complete", `{"prompt": "a", "user_id": "ada", "experiment_id": "019b0e4e-2b8a-7c3e-9d53-5a0f1c9f5b11"}`, 422, "names no experiment"},
		{"nobody", "POST", "/complete", `{"prompt": "a", "experiment_id": "` + strings.TrimPrefix(runs, "/experiments/") + `"}`, 422, "user_id"},
		{"a user id of ten megabytes", "POST", "/complete", `{"prompt": "a", "user_id": "` + longID + `", "experiment_id": "` + strings.TrimPrefix(runs, "/experiments/") + `"}`, 413, "4 MiB"},
		{"a user id of a megabyte", "POST", "/complete", `{"prompt": "a", "user_id": "` + longID[:1<<20] + `", "experiment_id": "` + strings.TrimPrefix(runs, "/experiments/") + `"}`, 422, "user_id"},
	} {
		if status, text := send(c.method, c.path, c.body, key); status != c.status || !strings.Contains(text, c.says) {
			t.Errorf("%s: %d %.500s; want %d with %q", c.what, status, text, c.status, c.says)
		}
		if after := stored(t, conn); after != before {
			t.Fatalf("%s changed\n%s\ninto\n%s", c.what, before, after)
		}
	}
	for _, path := range []string{"/experiments/start", runs + "/stop", runs + "/ramp", runs + "/extend", ended + "/archive"} {
		for _, wrong := range []string{"", "another"} {
			if status, text := send("POST", path, with(`"alpha": 0.05`), wrong); status != http.StatusUnauthorized {
				t.Errorf("%s without rights: %d %s", path, status, text)
			}
		}
	}
	if after := stored(t, conn); after != before {
		t.Fatalf("who has no rights changed\n%s\ninto\n%s", before, after)
	}
	api.stop()
}

// No request fails for its experiment, and none waits for it: what runs goes on
// while PostgreSQL is away, what has ended serves its winner, and a process that
// knows of nothing yet answers without.
func TestExperimentsWhilePostgresIsAway(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	begin := func(name string) (id string) {
		var e struct{ ID string }
		r.api.post("/experiments/start", fmt.Sprintf(`{"name": %q, "control": {"model": "large"}, "test": {"model": "small"}, "sample_size": 2000}`, name), http.StatusCreated, &e)
		return e.ID
	}
	runs, ended := begin("runs"), begin("ended")
	r.api.post("/experiments/"+ended+"/stop", "", http.StatusOK, nil)
	type answer struct {
		Model      string
		Experiment *struct{ Arm string }
		Degraded   []string
	}
	ask := func(p *process, user, id string) (x answer) {
		t.Helper()
		p.post("/complete", fmt.Sprintf(`{"prompt": "What is %s?", "user_id": %q, "experiment_id": %q, "cache": "bypass"}`, user, user, id), http.StatusOK, &x)
		return x
	}
	enrolled := func(p *process, until int) map[string]string {
		t.Helper()
		arms := map[string]string{}
		for u := range until {
			user := fmt.Sprint("user-", u)
			x := ask(p, user, runs)
			if x.Experiment == nil || x.Model != map[string]string{"control": "large", "test": "small"}[x.Experiment.Arm] {
				t.Fatalf("%s is answered by %+v", user, x)
			}
			arms[user] = x.Experiment.Arm
			if x := ask(p, user, ended); x.Experiment != nil || x.Model != "large" {
				t.Fatalf("of one that has ended %s is answered by %+v", user, x)
			}
		}
		return arms
	}
	before := enrolled(r.api, 10)
	r.database.Kill(t)
	if during := enrolled(r.api, 20); fmt.Sprint(during["user-3"], during["user-7"]) != fmt.Sprint(before["user-3"], before["user-7"]) {
		t.Errorf("users went from %v to %v", before, during)
	}
	for _, path := range []string{"/experiments/" + runs + "/ramp", "/experiments/" + runs + "/extend", "/experiments/" + runs + "/stop", "/experiments/" + ended + "/archive"} {
		body := map[string]string{"ramp": `{"test_share": 0.6}`, "extend": `{"sample_size": 4000}`}[path[strings.LastIndex(path, "/")+1:]]
		r.api.post(path, body, http.StatusServiceUnavailable, nil)
	}
	blank := r.begin(t, "api") // has never read an experiment
	if x := ask(blank, "ada", runs); x.Experiment != nil || fmt.Sprint(x.Degraded) == "[]" || !strings.Contains(fmt.Sprint(x.Degraded), "experiments") {
		t.Errorf("a process that knows of nothing answers %+v", x)
	}
	r.database.Restart(t)
	blank.until("it knows of them", func() bool { return ask(blank, "user-3", runs).Experiment != nil })
	after := enrolled(blank, 10)
	for user, arm := range before {
		if after[user] != arm {
			t.Errorf("%s went from %s to %s", user, arm, after[user])
		}
	}
	blank.stop()
	r.stop()
}
