package httpapi_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/experiment"
)

const startBody = `{"name": "one", "control_strategy": "complexity", "test_strategy": "hybrid", "sample_size": 2000, "min_duration": "0s",
	"margins": {"good": 0.05}, "alpha": 0.1, "observation": "1h"}`

func TestLifeOfAnExperiment(t *testing.T) {
	t.Parallel()
	s := serve(t)
	var started struct {
		ID, State, Observation string
		Alpha, MDE             float64
		PowerToWin             float64 `json:"power_to_win"`
		Suggested              *int    `json:"suggested_sample_size"`
		Margins                struct{ Good, Quality float64 }
		Arms                   []struct{ Name, Strategy string }
	}
	s.post(t, "/experiments/start", startBody).want(t, 201).decode(t, &started)
	if started.State != "running" || started.Alpha != .1 || started.Observation != "1h0m0s" || started.Margins.Good != .05 || started.Margins.Quality != .02 ||
		len(started.Arms) != 2 || started.Arms[1].Strategy != "hybrid" || !(started.MDE > 0 && started.PowerToWin > 0) || started.Suggested == nil {
		t.Errorf("started is %+v", started)
	}
	s.post(t, "/experiments/start", `{"name": "arms", "sample_size": 900, "primary_metric": "cost", "slow_ms": 3000, "arms": [
		{"name": "a", "share": 0.2, "strategy": "complexity"}, {"name": "b", "share": 0.5, "strategy": "hybrid"}, {"name": "=c", "share": 0.3, "model": "small"}]}`).want(t, 422)
	s.post(t, "/experiments/start", `{"name": "=arms", "sample_size": 900, "primary_metric": "cost", "arms": [
		{"name": "a", "share": 0.5, "strategy": "complexity"}, {"name": "b", "share": 0.5, "model": "small"}]}`).want(t, 201)
	var list struct{ Experiments []struct{ ID string } }
	if s.send(t, "GET", "/experiments", "").want(t, 200).decode(t, &list); len(list.Experiments) != 2 {
		t.Errorf("listed are %v", list)
	}
	at := "/experiments/" + started.ID
	s.send(t, "GET", at, "").want(t, 200)
	var results struct {
		State   string
		Metrics []struct{ Name string }
		Sample  struct{ Users, Matured int }
	}
	s.send(t, "GET", at+"/results", "").want(t, 200).decode(t, &results)
	if results.State != "running" || len(results.Metrics) != 5 || results.Sample.Users != 200 || results.Sample.Matured != 200 {
		t.Errorf("results are %+v", results)
	}
	s.send(t, "GET", "/experiments/results", "").want(t, 200)
	var stopped struct{ State string }
	if s.post(t, at+"/stop", "").want(t, 200).decode(t, &stopped); stopped.State != "stopped" {
		t.Errorf("stopped is %+v", stopped)
	}
}

func TestStartWithParameters(t *testing.T) {
	t.Parallel()
	s := serve(t)
	var e struct {
		Arms []struct{ Parameters map[string]any }
	}
	s.post(t, "/experiments/start", `{"name": "two goals", "sample_size": 2000, "control": {"strategy": "hybrid", "parameters": {"quality_target": 0.9}},
		"test": {"strategy": "hybrid", "parameters": {"strong_share": 0.35, "explore": false, "models": ["small"]}}}`).want(t, 201).decode(t, &e)
	if e.Arms[0].Parameters["quality_target"] != .9 || e.Arms[1].Parameters["strong_share"] != .35 || e.Arms[1].Parameters["explore"] != false || fmt.Sprint(e.Arms[1].Parameters["models"]) != "[small]" {
		t.Errorf("the arms are %+v", e.Arms)
	}
	for parameters, field := range map[string]string{
		`{"quality_target": 2}`:                      "control.parameters.quality_target",
		`{"models": ["none"]}`:                       "control.parameters.models",
		`{"strong_share": 0.1, "strong_share": 0.2}`: "control.parameters.strong_share",
		`7`: "control.parameters",
	} {
		got := s.post(t, "/experiments/start", `{"name": "x", "sample_size": 2000, "test_strategy": "complexity", "control": {"strategy": "hybrid", "parameters": `+parameters+`}}`).want(t, 422).problem(t)
		if strings.Join(got.fields(), ",") != field {
			t.Errorf("%s: %v, want %s", parameters, got.Errors, field)
		}
	}
}

func TestExperimentsThatCannotStart(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.post(t, "/experiments/start", startBody).want(t, 201)
	with := func(more string) string {
		return `{"name": "two", "control_strategy": "complexity", "test_strategy": "hybrid", "sample_size": 2000, ` + more + `}`
	}
	for body, fields := range map[string]string{
		startBody: "name",
		`{}`:      "name,sample_size",
		`{"name": "two", "control_strategy": "hybrid", "test_strategy": "hybrid", "sample_size": 2000}`:     "test_strategy",
		`{"name": "two", "control_strategy": "complexity", "test_strategy": "hybrid", "sample_size": 0}`:    "sample_size",
		`{"name": "two", "control_strategy": "complexity", "test_strategy": "hybrid", "sample_size": 1e12}`: "sample_size",
		with(`"alpha": 0`):                              "alpha",
		with(`"alpha": 1`):                              "alpha",
		with(`"primary_metric": "happiness"`):           "primary_metric",
		with(`"notify_url": "http://169.254.169.254/"`): "notify_url",
		with(`"observation": "a day"`):                  "observation",
		with(`"margins": {"god": 1}`):                   "margins.god",
		with(`"test": {"model": "small"}`):              "test",
		with(`"test_share": 1.5`):                       "test_share",
		with(`"zzz": 1`):                                "zzz",
		with(`"cuped": "yes"`):                          "cuped",
		`{"name": "two", "sample_size": 2000, "control": {"strategy": "hybrid", "parameters": {"x": 1}}, "test": {"model": "small"}}`:                      "control.parameters.x",
		`{"name": "two", "sample_size": 2000, "control": 5, "test": {"model": "small"}}`:                                                                   "control",
		`{"name": "two", "sample_size": 2000, "arms": [{"name": "a", "share": 0.5, "strategy": "hybrid"}, {"name": "b", "share": 0.6, "model": "small"}]}`: "arms[1].share",
		`{"name": "two", "sample_size": 2000, "arms": [{"name": "a"}, 7]}`:                                                                                 "arms[0].share,arms[1]",
		`{"name": "` + strings.Repeat("x", 5000) + `", "control_strategy": "complexity", "test_strategy": "hybrid", "sample_size": 2000}`:                  "name",
	} {
		got := s.post(t, "/experiments/start", body).want(t, 422).problem(t)
		if strings.Join(got.fields(), ",") != fields {
			t.Errorf("%.200s: %v, want %s", body, got.Errors, fields)
		}
	}
	s.post(t, "/experiments/start", "").want(t, 400)
	s.send(t, "GET", "/experiments/none", "").want(t, 404)
	s.send(t, "GET", "/experiments/none/results", "").want(t, 404)
	s.post(t, "/experiments/none/stop", "").want(t, 404)
	s.send(t, "GET", "/experiments?x=1", "").want(t, 422)
}

// A plan is what the start would say, without a name and without a start.
func TestExperimentsArePlanned(t *testing.T) {
	t.Parallel()
	s := serve(t)
	const body = `{"control_strategy": "complexity", "test_strategy": "hybrid", "sample_size": 2000`
	plan := func(more string) (p experiment.Plan) {
		s.post(t, "/experiments/plan", body+more+"}").want(t, 200).decode(t, &p)
		return p
	}
	usual := plan("")
	if p := plan(`, "effect": 0.1`); p.Effect != 0.1 || p.PowerToWin <= usual.PowerToWin || usual.Effect != experiment.UsualEffect(experiment.Good) || p.MDE != usual.MDE || p.MDE <= 0 {
		t.Errorf("a larger effect is planned as %+v, a usual one as %+v", p, usual)
	}
	for more, fields := range map[string]string{`, "effect": -1`: "effect", `, "effect": 11`: "effect", `, "zzz": 1`: "zzz", `, "alpha": 0.2`: "alpha"} {
		if got := s.post(t, "/experiments/plan", body+more+"}").want(t, 422).problem(t); strings.Join(got.fields(), ",") != fields {
			t.Errorf("%s: %v, want %s", more, got.Errors, fields)
		}
	}
	if got := s.post(t, "/experiments/plan", "{}").want(t, 422).problem(t); strings.Join(got.fields(), ",") != "sample_size" {
		t.Errorf("nothing: %v", got.Errors)
	}
	if got := s.send(t, "GET", "/experiments", "").want(t, 200); strings.Contains(string(got.Body), "019ab179") {
		t.Errorf("a plan has begun: %s", got.Body)
	}
}

func TestExperimentsWhilePostgresIsAway(t *testing.T) {
	t.Parallel()
	s := serve(t, func(s *setup) { s.trials = &fakeExperiments{err: errors.New("connection refused")} })
	s.post(t, "/experiments/start", startBody).want(t, 503)
	s.send(t, "GET", "/experiments", "").want(t, 503)
}

func TestExperimentsTakeKeys(t *testing.T) {
	t.Parallel()
	s := serve(t, func(s *setup) { s.adminKey = "secret" })
	s.post(t, "/experiments/start", startBody).want(t, 401)
	s.post(t, "/experiments/start", startBody, "Authorization: Bearer secret").want(t, 201)
	s.post(t, "/experiments/plan", startBody).want(t, 401)
	for _, path := range []string{"stop", "ramp", "extend", "archive"} {
		s.post(t, "/experiments/x/"+path, "{}").want(t, 401)
	}
}

// Who starts an experiment twice under one key has one.
func TestStartIsRepeatable(t *testing.T) {
	t.Parallel()
	redis, _ := repeating(t)
	s := serve(t, redis)
	first := s.post(t, "/experiments/start", startBody, "Idempotency-Key: k").want(t, 201)
	again := s.post(t, "/experiments/start", startBody, "Idempotency-Key: k").want(t, 201)
	if string(first.Body) != string(again.Body) || again.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("it is answered\n%s\nand then\n%s", first.Body, again.Body)
	}
}

func TestCompleteInAnExperiment(t *testing.T) {
	t.Parallel()
	s := serve(t)
	var answer struct {
		Model      string
		Experiment *struct{ ID, Arm string }
	}
	got := s.post(t, "/complete", `{"prompt": "a", "user_id": "ada", "experiment_id": "`+knownExperiment+`"}`).want(t, 200)
	got.decode(t, &answer)
	model := map[string]string{"control": "medium", "test": "large"}
	if x := answer.Experiment; x == nil || x.ID != knownExperiment || answer.Model != model[x.Arm] || got.Header.Get("X-Busu-Experiment") != x.ID+"/"+x.Arm {
		t.Errorf("it is answered %+v under %s", answer, got.Header.Get("X-Busu-Experiment"))
	}
	body := `{"model": "auto", "user": "ada", "messages": [{"role": "user", "content": "a"}]}`
	v1 := s.post(t, "/v1/chat/completions", body, "X-Busu-Experiment: "+knownExperiment).want(t, 200)
	if v1.Header.Get("X-Busu-Experiment") != got.Header.Get("X-Busu-Experiment") {
		t.Errorf("on /v1 it is in %q", v1.Header.Get("X-Busu-Experiment"))
	}
	s.post(t, "/v1/chat/completions", body, "X-Busu-Experiment: none").want(t, 400)
	s.post(t, "/v1/chat/completions", strings.Replace(body, `"user": "ada", `, "", 1), "X-Busu-Experiment: "+knownExperiment).want(t, 400)
}
