package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/experiment"
	"github.com/busuhq/busu/internal/storetest"
)

// While the shares change, whoever is in an arm stays there, at every process,
// one that has just begun included; who comes new is split by the new shares,
// and nobody is seen in two arms.
func TestNobodyLeavesAnArmOverARamp(t *testing.T) {
	t.Parallel()
	database, server := storetest.Postgres(t), storetest.Redis(t)
	env := []string{"DATABASE_URL=" + database, "REDIS_URL=" + server,
		"BUSU_CONFIG=" + configFile(t, quick+"routing: {strategy: complexity, holdout: 0}\n")}
	with := func() []string { return append(env[:len(env):len(env)], "BUSU_STATE_DIR="+stateDir(t)) }
	conn := connect(t, database)
	api, other, worker := start(t, nil, with(), "api"), start(t, nil, with(), "api"), start(t, nil, with(), "worker")

	var e struct{ ID string }
	api.post("/experiments/start", `{"name": "grows", "control": {"model": "large"}, "test": {"model": "small"}, "test_share": 0.1, "sample_size": 2000}`, http.StatusCreated, &e)
	armOf := func(p *process, user string) string {
		var x struct {
			Experiment *struct{ Arm string }
			Degraded   []string
		}
		p.post("/complete", fmt.Sprintf(`{"prompt": "What is %s?", "user_id": %q, "experiment_id": %q}`, user, user, e.ID), http.StatusOK, &x)
		if x.Experiment == nil {
			return ""
		}
		return x.Experiment.Arm
	}
	other.until("the other process knows of it", func() bool { return armOf(other, "user-0") != "" })
	const users = 40
	arms := map[string]string{}
	enter := func(from, to int) (tests int) {
		for u := from; u < to; u++ {
			user := fmt.Sprint("user-", u)
			if arms[user] = armOf(api, user); arms[user] == "test" {
				tests++
			}
		}
		return tests
	}
	if tests := enter(0, users); tests > users/3 {
		t.Errorf("%d of %d are in the test from the start", tests, users)
	}
	at := []string{"--url", api.base}
	said := busu(t, with(), append([]string{"experiments", "ramp", e.ID, "--test-share", "0.999", "--note", "it does well"}, at...)...)
	if !strings.Contains(said, "control 0.001, test 0.999") {
		t.Errorf("busu experiments ramp says\n%s", said)
	}
	next := users
	stay := func(p *process) {
		t.Helper()
		for u := range next {
			user := fmt.Sprint("user-", u)
			if arm := armOf(p, user); arm != arms[user] {
				t.Errorf("%s went from %s to %s", user, arms[user], arm)
			}
		}
	}
	// They enter until the very moment, and come back at once.
	api.until("new users are in the test", func() bool {
		from := next
		next += 5
		tests := enter(from, next)
		for u := max(0, from-20); u < next; u++ {
			if user := fmt.Sprint("user-", u); armOf(api, user) != arms[user] {
				t.Errorf("%s went from %s", user, arms[user])
			}
		}
		return tests == 5
	})
	for _, p := range []*process{other, api} { // of those who entered in the last second it hears a little later
		p.until("all that entered are known", func() bool {
			for u := next - 1; u >= 0; u-- {
				if user := fmt.Sprint("user-", u); armOf(p, user) != arms[user] {
					return false
				}
			}
			return true
		})
	}
	moved := count(t, conn, `SELECT count(*) FROM experiment_units WHERE strays > 0`)
	late := start(t, nil, with(), "api")
	for _, p := range []*process{api, other, late} {
		stay(p)
	}
	var results experiment.Results
	api.until("all are counted", func() bool {
		api.get("/experiments/"+e.ID+"/results", &results)
		return results.Sample.Users == int64(next)
	})
	if moved > next/20 || results.Sample.Strays > int64(next/20) || results.Arms[1].Share != .999 {
		t.Errorf("%d were seen in two arms, the test has a share of %g", results.Sample.Strays, results.Arms[1].Share)
	}
	if n := count(t, conn, `SELECT count(*) FROM experiment_audit WHERE action = 'ramp' AND detail->>'note' = 'it does well' AND detail->'after'->'shares' = '[0.0010000000000000009, 0.999]'`); n != 1 {
		t.Errorf("%d audit rows tell of the ramp", n)
	}
	for _, step := range []struct {
		args []string
		says string
	}{
		{[]string{"results", e.ID}, fmt.Sprintf("entered   %d: ", next)},
		{[]string{"extend", e.ID, "--sample-size", "4000", "--max-duration", "1440h", "--note", "more"}, "grows: 4000 users, until "},
		{[]string{"stop", e.ID}, "grows: stopped, model large serves"},
		{[]string{"archive", e.ID}, "grows: archived"},
		{[]string{"list", "--archived"}, e.ID},
	} {
		if said := busu(t, with(), append(append([]string{"experiments"}, step.args...), at...)...); !strings.Contains(said, step.says) {
			t.Errorf("busu experiments %v says\n%s\nnot %q", step.args, said, step.says)
		}
	}
	if said := busu(t, with(), append([]string{"experiments", "list"}, at...)...); strings.Contains(said, e.ID) {
		t.Errorf("what is archived is listed:\n%s", said)
	}
	for _, p := range []*process{api, other, late, worker} {
		p.stop()
	}
}
