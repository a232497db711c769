package httpapi_test

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/experiment"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/webhook"
)

// fakeExperiments keeps experiments of one project, and judges none.
type fakeExperiments struct {
	err error

	mu  sync.Mutex
	all []experiment.Status
}

func newFakeExperiments() *fakeExperiments { return new(fakeExperiments) }

func (x *fakeExperiments) Start(_ context.Context, project, _ string, s experiment.Start) (experiment.Started, error) {
	if x.err != nil {
		return experiment.Started{}, x.err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	e, err := experiment.New(s, experiment.Given{ID: fmt.Sprintf("019ab179-0000-7abc-8def-%012d", len(x.all)), Project: project, Salt: "s", At: sampleTime, SlowUS: 1000,
		Segment: experiment.Segment{From: 0, To: 1}}, experiment.Known{Strategies: []string{"complexity", "hybrid"}, Models: []string{"small"}})
	if err != nil {
		return experiment.Started{}, err
	}
	for _, other := range x.all {
		if other.Name == e.Name {
			return experiment.Started{}, experiment.ErrNameTaken
		}
	}
	x.all = append(x.all, experiment.Status{Experiment: e, State: experiment.StateRunning})
	return experiment.Started{Status: x.all[len(x.all)-1], Plan: e.Plan(experiment.UsualGuess().Traffic(), 0)}, nil
}

func (x *fakeExperiments) Plan(_ context.Context, project string, s experiment.Start, effect float64) (experiment.Plan, error) {
	s.Name = "plan"
	e, err := experiment.New(s, experiment.Given{ID: "plan", Project: project, Salt: "s", At: sampleTime, SlowUS: 1000,
		Segment: experiment.Segment{From: 0, To: 1}}, experiment.Known{Strategies: []string{"complexity", "hybrid"}, Models: []string{"small"}})
	if err != nil {
		return experiment.Plan{}, err
	}
	return e.Plan(experiment.UsualGuess().Traffic(), effect), x.err
}

func (x *fakeExperiments) Stop(ctx context.Context, project, _, id string) (experiment.Status, error) {
	x.mu.Lock()
	for i := range x.all {
		if x.all[i].ID == id {
			x.all[i].State, x.all[i].EndedAt = experiment.StateStopped, new(sampleTime)
		}
	}
	x.mu.Unlock()
	return x.Experiment(ctx, project, id)
}

// change alters an experiment that runs.
func (x *fakeExperiments) change(project, id string, change func(e *experiment.Experiment) error) (experiment.Status, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range x.all {
		s := &x.all[i]
		if s.ID != id || s.Project != project {
			continue
		}
		if s.State != experiment.StateRunning {
			return *s, experiment.ErrEnded
		}
		err := errors.Join(x.err, change(&s.Experiment))
		return *s, err
	}
	return experiment.Status{}, errors.Join(x.err, experiment.ErrUnknown)
}

func (x *fakeExperiments) Ramp(_ context.Context, project, _, id string, r experiment.Ramp) (experiment.Status, error) {
	return x.change(project, id, func(e *experiment.Experiment) error { return e.RampTo(r, sampleTime.Add(time.Minute), 0) })
}

func (x *fakeExperiments) Extend(_ context.Context, project, _, id string, wish experiment.Extension) (experiment.Status, error) {
	return x.change(project, id, func(e *experiment.Experiment) error { return e.Extend(wish, sampleTime.Add(time.Minute), 1) })
}

func (x *fakeExperiments) Archive(ctx context.Context, project, _, id string) (experiment.Status, error) {
	x.mu.Lock()
	for i := range x.all {
		if s := &x.all[i]; s.ID == id && s.State != experiment.StateRunning {
			s.ArchivedAt = new(sampleTime)
		}
	}
	x.mu.Unlock()
	s, err := x.Experiment(ctx, project, id)
	if err == nil && s.ArchivedAt == nil {
		err = experiment.ErrRunning
	}
	return s, err
}

func (x *fakeExperiments) List(_ context.Context, _ string, archived bool) (list []experiment.Status, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, s := range x.all {
		if archived || s.ArchivedAt == nil {
			list = append(list, s)
		}
	}
	return list, x.err
}

func (x *fakeExperiments) Experiment(_ context.Context, project, id string) (experiment.Status, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, s := range x.all {
		if s.ID == id && s.Project == project {
			return s, x.err
		}
	}
	return experiment.Status{}, errors.Join(x.err, experiment.ErrUnknown)
}

func (x *fakeExperiments) Results(ctx context.Context, project, id string) (experiment.Page, error) {
	s, err := x.Experiment(ctx, project, id)
	if err != nil {
		return nil, err
	}
	j := experiment.NewJudge(&s.Experiment)
	for i := range 200 {
		u := experiment.Unit{ID: fmt.Sprint(i), Arm: i % 2, MaturesAt: sampleTime.Add(time.Duration(i) * time.Minute)}
		u.Requests, u.Answered, u.Good, u.CostNanos = 2, 2, int64(i%3), int64(i)
		u.ExposedAt, u.TookUS = u.MaturesAt.Add(-time.Hour), []int64{900, int64(1000 * i)}
		u.Traits = &experiment.Traits{Asked: experiment.Asked{Complexity: .5, Key: "=key", Confidence: "high"}, Returning: new(i%2 == 0)}
		if err := j.Add(&u); err != nil {
			return nil, err
		}
	}
	state := j.State()
	var live experiment.Live
	live.Begin(&state)
	results := s.Results(state, live)
	return results.Page()
}

// Deliveries are two of every experiment that has an address: one that waits, and
// one that was given up.
func (x *fakeExperiments) Deliveries(ctx context.Context, project, id string) ([]webhook.Delivery, error) {
	s, err := x.Experiment(ctx, project, id)
	if err != nil || s.NotifyURL == "" {
		return nil, err
	}
	failed := webhook.Attempt{Number: 1, At: sampleTime, Status: 500, Error: "the answer is 500", TookMS: 1.25}
	return []webhook.Delivery{
		{Kind: "experiment.decided", URL: webhook.Shown(s.NotifyURL), State: webhook.Waiting, CreatedAt: sampleTime, NextAt: new(sampleTime), Attempts: []webhook.Attempt{failed}},
		{Kind: "experiment.stopped", URL: webhook.Shown(s.NotifyURL), State: webhook.Failed, CreatedAt: sampleTime, EndedAt: new(sampleTime), Attempts: []webhook.Attempt{}},
	}, nil
}

// knownTrials has the experiment that requests may name.
func knownTrials() *gateway.Trials {
	s := experiment.Start{Name: "known", SampleSize: 100, Control: &experiment.ArmSpec{Model: "medium"}, Test: &experiment.ArmSpec{Model: "large"}}
	e := s.Experiment(experiment.Given{ID: knownExperiment, Project: "default", Salt: "s", At: sampleTime})
	t := new(gateway.Trials)
	_, err := t.Update(context.Background(), recordsOf{{Experiment: e, State: experiment.StateRunning}}, time.Time{})
	if err != nil {
		panic(err)
	}
	return t
}

const knownExperiment = "019ab179-0000-7abc-8def-00000000000e"

type recordsOf []experiment.Status

func (r recordsOf) ExperimentsSince(context.Context, time.Time) ([]experiment.Status, time.Time, error) {
	return r, time.Time{}, nil
}

func (recordsOf) Entered(context.Context, string, time.Time, func(string, string, time.Time)) (bool, error) {
	return true, nil
}

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

func TestResultsAsCSV(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.post(t, "/experiments/start", strings.Replace(startBody, "one", "=one, \\\"two\\\"", 1)).want(t, 201)
	for _, path := range []string{"/experiments/results", "/experiments/019ab179-0000-7abc-8def-000000000000/results"} {
		got := s.send(t, "GET", path, "", "Accept: text/csv").want(t, 200)
		rows, err := csv.NewReader(strings.NewReader(string(got.Body))).ReadAll()
		if err != nil || !strings.HasPrefix(got.Header.Get("Content-Type"), "text/csv") {
			t.Fatalf("%s: %v", path, err)
		}
		column, kinds := map[string]int{}, map[string][][]string{}
		for i, name := range rows[0] {
			column[name] = i
		}
		for _, row := range rows[1:] {
			kind := row[column["row"]]
			kinds[kind] = append(kinds[kind], row)
			if row[1] != `'=one, "two"` || row[2] != "running" {
				t.Errorf("%s: %v", path, row)
			}
		}
		has := func(kind string, cells map[string]string) {
			for _, row := range kinds[kind] {
				fits := true
				for name, value := range cells {
					fits = fits && row[column[name]] == value
				}
				if fits {
					return
				}
			}
			t.Errorf("%s: no row %s has %v among %v", path, kind, cells, kinds[kind])
		}
		has("metric", map[string]string{"metric": "good", "arm": "test", "primary": "true", "margin": ""})
		has("metric", map[string]string{"metric": "slow", "guardrail": "true", "margin": "0.02", "reading": "undecided"})
		has("arm", map[string]string{"metric": "latency_p50_ms", "arm": "test", "users": "100", "value": "0.9070313473737921"})
		has("segment", map[string]string{"segment": "key", "segment_value": "'=key", "exploratory": "true", "users": "200"})
		has("segment", map[string]string{"segment": "confidence", "difference": "", "reading": "not_compared"})
		has("look", map[string]string{"users": "200", "metric": "good", "p_value_always_valid": "1"})
		has("exposure", map[string]string{"users": "100", "arm": "control"})
		has("summary", map[string]string{"metric": "power"})
		has("summary", map[string]string{"metric": "verdict", "reading": "200 of 2,000 users have matured; no side is shown to be better yet."})
		if n := len(kinds["metric"]); n != 5 {
			t.Errorf("%s: %d metrics", path, n)
		}
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

func TestRampAnExperiment(t *testing.T) {
	t.Parallel()
	s := serve(t)
	var started struct{ ID string }
	s.post(t, "/experiments/start", startBody).want(t, 201).decode(t, &started)
	at := "/experiments/" + started.ID
	var ramped struct {
		Phases []struct {
			From   time.Time
			Shares []float64
		}
	}
	s.post(t, at+"/ramp", `{"test_share": 0.2, "note": "nobody complained"}`).want(t, 200).decode(t, &ramped)
	if len(ramped.Phases) != 2 || ramped.Phases[1].Shares[1] != .2 {
		t.Errorf("ramped is %+v", ramped)
	}
	s.post(t, at+"/ramp", `{"shares": [0.5, 0.5], "at": "`+sampleTime.Add(5*time.Minute).Format(time.RFC3339)+`"}`).want(t, 200).decode(t, &ramped)
	if len(ramped.Phases) != 3 || ramped.Phases[2].Shares[0] != .5 || !ramped.Phases[2].From.Equal(sampleTime.Add(5*time.Minute).Truncate(time.Second)) {
		t.Errorf("ramped is %+v", ramped)
	}
	for body, fields := range map[string]string{
		`{}`:                     "shares",
		`{"shares": [0.5]}`:      "shares",
		`{"shares": [0.5, 0.6]}`: "shares",
		`{"shares": []}`:         "shares",
		`{"shares": 0.5}`:        "shares",
		`{"shares": [0.5, "x"]}`: "shares[1]",
		`{"test_share": 1}`:      "test_share",
		`{"test_share": "half"}`: "test_share",
		`{"test_share": 0.5, "shares": [0.5, 0.5]}`:                        "test_share",
		`{"test_share": 0.5, "at": "soon"}`:                                "at",
		`{"test_share": 0.5, "at": "2031-01-01T00:00:00Z"}`:                "at",
		`{"test_share": 0.5, "share": 1}`:                                  "share",
		`{"test_share": 0.5, "note": 1}`:                                   "note",
		`{"test_share": 0.5, "note": "` + strings.Repeat("x", 2000) + `"}`: "note",
	} {
		got := s.post(t, at+"/ramp", body).want(t, 422).problem(t)
		if strings.Join(got.fields(), ",") != fields {
			t.Errorf("%.100s: %v, want %s", body, got.Errors, fields)
		}
	}
	s.post(t, at+"/ramp", "").want(t, 400)
	s.post(t, "/experiments/none/ramp", `{"test_share": 0.5}`).want(t, 404)
	s.post(t, at+"/stop", "").want(t, 200)
	if p := s.post(t, at+"/ramp", `{"test_share": 0.5}`).want(t, 409).problem(t); !strings.HasSuffix(p.Type, ":experiment-ended") {
		t.Errorf("of one that has ended: %+v", p)
	}
}

func TestExtendAnExperiment(t *testing.T) {
	t.Parallel()
	s := serve(t)
	var e struct {
		ID          string
		SampleSize  int    `json:"sample_size"`
		Planned     int    `json:"planned_sample_size"`
		MaxDuration string `json:"max_duration"`
	}
	s.post(t, "/experiments/start", startBody).want(t, 201).decode(t, &e)
	at := "/experiments/" + e.ID
	s.post(t, at+"/extend", `{"sample_size": 4000, "max_duration": "1440h", "note": "few come"}`).want(t, 200).decode(t, &e)
	if e.SampleSize != 4000 || e.Planned != 2000 || e.MaxDuration != "1440h0m0s" {
		t.Errorf("extended is %+v", e)
	}
	for body, field := range map[string]string{
		`{}`:                         "sample_size",
		`{"sample_size": 4000}`:      "sample_size",
		`{"sample_size": 0}`:         "sample_size",
		`{"sample_size": 1e12}`:      "sample_size",
		`{"sample_size": "many"}`:    "sample_size",
		`{"max_duration": "1h"}`:     "max_duration",
		`{"max_duration": "a year"}`: "max_duration",
		`{"max_duration": "9999h"}`:  "max_duration",
		`{"alpha": 0.1}`:             "alpha",
	} {
		if got := s.post(t, at+"/extend", body).want(t, 422).problem(t); strings.Join(got.fields(), ",") != field {
			t.Errorf("%s: %v, want %s", body, got.Errors, field)
		}
	}
	s.post(t, at+"/extend", "").want(t, 400)
	s.post(t, "/experiments/none/extend", `{"sample_size": 4000}`).want(t, 404)
	s.post(t, at+"/stop", "").want(t, 200)
	s.post(t, at+"/extend", `{"sample_size": 9000}`).want(t, 409)
}

func TestArchiveAnExperiment(t *testing.T) {
	t.Parallel()
	s := serve(t)
	var e struct {
		ID         string
		ArchivedAt *time.Time `json:"archived_at"`
	}
	s.post(t, "/experiments/start", startBody).want(t, 201).decode(t, &e)
	at := "/experiments/" + e.ID
	if p := s.post(t, at+"/archive", "").want(t, 409).problem(t); !strings.HasSuffix(p.Type, ":experiment-running") {
		t.Errorf("while it runs: %+v", p)
	}
	s.post(t, "/experiments/none/archive", "").want(t, 404)
	s.post(t, at+"/archive?x=1", "").want(t, 422)
	s.post(t, at+"/stop", "").want(t, 200)
	if s.post(t, at+"/archive", "").want(t, 200).decode(t, &e); e.ArchivedAt == nil {
		t.Errorf("archived is %+v", e)
	}
	for path, want := range map[string]int{"/experiments": 0, "/experiments?archived=false": 0, "/experiments?archived=true": 1,
		"/experiments/results": 0, "/experiments/results?archived=true": 1} {
		var list struct{ Experiments, Results []struct{ ID string } }
		if s.send(t, "GET", path, "").want(t, 200).decode(t, &list); len(list.Experiments)+len(list.Results) != want {
			t.Errorf("%s lists %+v", path, list)
		}
	}
	s.send(t, "GET", at, "").want(t, 200)
	s.send(t, "GET", "/experiments?archived=perhaps", "").want(t, 422)
}

// Who reads of an experiment does not get the secrets in the address that it
// tells.
func TestDeliveriesOfAnExperiment(t *testing.T) {
	t.Parallel()
	s := serve(t)
	var quiet, loud struct {
		ID        string
		NotifyURL string `json:"notify_url"`
	}
	s.post(t, "/experiments/start", startBody).want(t, 201).decode(t, &quiet)
	body := strings.Replace(startBody, `{"name": "one"`, `{"name": "two", "notify_url": "https://example.com/hook?token=secret"`, 1)
	s.post(t, "/experiments/start", body).want(t, 201).decode(t, &loud)
	if loud.NotifyURL != "https://example.com/hook?***" {
		t.Errorf("it is started with %q", loud.NotifyURL)
	}
	var list struct {
		Deliveries []struct{ Type, State, URL string }
	}
	if s.send(t, "GET", "/experiments/"+quiet.ID+"/deliveries", "").want(t, 200).decode(t, &list); list.Deliveries == nil || len(list.Deliveries) != 0 {
		t.Errorf("deliveries of nobody are %v", list.Deliveries)
	}
	at := "/experiments/" + loud.ID
	if s.send(t, "GET", at+"/deliveries", "").want(t, 200).decode(t, &list); len(list.Deliveries) != 2 || list.Deliveries[1].State != "failed" {
		t.Errorf("deliveries are %v", list.Deliveries)
	}
	for _, got := range []reply{s.send(t, "GET", at, ""), s.send(t, "GET", "/experiments", ""), s.send(t, "GET", at+"/deliveries", ""),
		s.post(t, at+"/ramp", `{"test_share": 0.2}`), s.post(t, at+"/extend", `{"sample_size": 4000}`), s.post(t, at+"/stop", ""), s.post(t, at+"/archive", "")} {
		if text := string(got.want(t, 200).Body); strings.Contains(text, "secret") || !strings.Contains(text, "https://example.com/hook?***") {
			t.Errorf("it is answered %s", text)
		}
	}
	s.send(t, "GET", "/experiments/none/deliveries", "").want(t, 404)
	s.send(t, "GET", at+"/deliveries?x=1", "").want(t, 422)
}

// What is sent to notify_url is what the document says of it.
func TestWebhooksAreAsDocumented(t *testing.T) {
	t.Parallel()
	e := experiment.Start{Name: "one", ControlStrategy: "complexity", TestStrategy: "hybrid", SampleSize: 2000, NotifyURL: "https://example.com/"}.
		Experiment(experiment.Given{ID: knownExperiment, Project: "default", Salt: "s", At: sampleTime})
	id := uuid.Must(uuid.NewV7())
	f := event.NewExperimentDecided(id, true)
	f.Outcome, f.Winner, f.Reason, f.Verdict, f.PValue, f.AlwaysValidP, f.Units = "win", "test", "primary", "Test is better.", .01, .02, 2000
	decided, err := e.DecidedNotice(f)
	if err != nil {
		t.Fatal(err)
	}
	stopped, err := e.StoppedNotice(id, sampleTime)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := readDocument()
	if err != nil {
		t.Fatal(err)
	}
	documented := doc.Webhooks["experimentEnded"].Post.RequestBody.Value.Content.Get("application/json").Schema.Value
	for _, m := range []webhook.Message{decided, stopped} {
		body := decoded(t, m.Body)
		if err := documented.VisitJSON(body, openapi3.EnableJSONSchema2020()); err != nil {
			t.Errorf("%s: %v", m.Kind, err)
		}
		if extra := undocumented(documented, body, ""); len(extra) > 0 {
			t.Errorf("%s: %v is not documented", m.Kind, extra)
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

func TestExperimentsTakeAdmins(t *testing.T) {
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
