package postgres_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/experiment"
	"github.com/busuhq/busu/internal/storetest"
)

func TestStartListStop(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db := open(t, url)
	e := record("one")
	startExperiment(t, db, e)
	again := record("one")
	if _, err := db.StartExperiment(t.Context(), e.Project, "", "", func([]experiment.Segment) (experiment.Experiment, error) { return again, nil }); !errors.Is(err, experiment.ErrNameTaken) {
		t.Errorf("a name twice: %v", err)
	}
	layered := record("layered")
	layered.Layer, layered.Segment = "answers", experiment.Segment{From: 0, To: .4}
	startExperiment(t, db, layered)
	_, err := db.StartExperiment(t.Context(), e.Project, "answers", "", func(taken []experiment.Segment) (experiment.Experiment, error) {
		if len(taken) != 1 || taken[0] != layered.Segment {
			t.Errorf("taken are %v", taken)
		}
		return experiment.Experiment{}, errKilled
	})
	if !errors.Is(err, errKilled) {
		t.Errorf("refused: %v", err)
	}
	changed, next, err := db.ExperimentsSince(t.Context(), time.Time{})
	if err != nil || len(changed) != 2 || next.After(time.Now()) {
		t.Errorf("%d have changed by %s: %v", len(changed), next, err)
	}
	for range 2 {
		s, err := db.StopExperiment(t.Context(), e.Project, e.ID, "somebody")
		if err != nil || s.State != experiment.StateStopped || s.EndedAt == nil || s.Stays() != experiment.Control {
			t.Errorf("stopped: %+v, %v", s, err)
		}
	}
	if _, err := db.StopExperiment(t.Context(), "foreign", layered.ID, ""); !errors.Is(err, experiment.ErrUnknown) {
		t.Errorf("another project's is stopped: %v", err)
	}
	if ids, err := db.Running(t.Context()); err != nil || len(ids) != 1 || ids[0] != layered.ID {
		t.Errorf("running: %v, %v", ids, err)
	}
	all, err := db.Experiments(t.Context(), e.Project, false, 10)
	if err != nil || len(all) != 2 {
		t.Errorf("all: %d, %v", len(all), err)
	}
	got, err := db.Experiment(t.Context(), e.Project, e.ID)
	if err != nil || got.Hash() != e.Hash() {
		t.Errorf("the record is read as %+v, not as it was: %v", got, err)
	}
	var actions []string
	if err := connect(t, url).QueryRow(t.Context(), `SELECT array_agg(action ORDER BY n) FROM experiment_audit WHERE experiment_id = $1`, e.ID).Scan(&actions); err != nil ||
		!slices.Equal(actions, []string{"start", "stop"}) {
		t.Errorf("the audit rows are %v: %v", actions, err)
	}
}

// A change is stored with its audit row, or refused without a trace; only what
// runs is changed, and only by its own project.
func TestChangeExperiment(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db := open(t, url)
	e := record("ramped")
	startExperiment(t, db, e)
	_, before, err := db.ExperimentsSince(t.Context(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	ramp := func(e *experiment.Experiment, matured int) (any, error) {
		if matured != 0 {
			t.Errorf("%d units have matured", matured)
		}
		return map[string]string{"note": "more of them"}, e.Ramp(begun.Add(time.Hour), []float64{.2, .8})
	}
	s, err := db.ChangeExperiment(t.Context(), e.Project, e.ID, "ramp", "somebody", ramp)
	if err != nil || len(s.Phases) != 2 || s.State != experiment.StateRunning {
		t.Fatalf("ramped: %+v, %v", s, err)
	}
	read, err := db.Experiment(t.Context(), e.Project, e.ID)
	if err != nil || read.Hash() != s.Hash() || !slices.Equal(read.Shares(), []float64{.2, .8}) {
		t.Errorf("read is %+v, %v", read, err)
	}
	changed, _, err := db.ExperimentsSince(t.Context(), before.Add(time.Minute))
	if err != nil || len(changed) != 1 || len(changed[0].Phases) != 2 {
		t.Errorf("followers see %+v, %v", changed, err)
	}
	refuse := func(e *experiment.Experiment, _ int) (any, error) {
		e.Phases = nil
		return nil, errKilled
	}
	if _, err := db.ChangeExperiment(t.Context(), e.Project, e.ID, "ramp", "", refuse); !errors.Is(err, errKilled) {
		t.Errorf("refused: %v", err)
	}
	if _, err := db.ChangeExperiment(t.Context(), "foreign", e.ID, "ramp", "", ramp); !errors.Is(err, experiment.ErrUnknown) {
		t.Errorf("another project's: %v", err)
	}
	if _, err := db.StopExperiment(t.Context(), e.Project, e.ID, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ChangeExperiment(t.Context(), e.Project, e.ID, "ramp", "", ramp); !errors.Is(err, experiment.ErrEnded) {
		t.Errorf("one that has ended: %v", err)
	}
	if again, err := db.Experiment(t.Context(), e.Project, e.ID); err != nil || again.Hash() != s.Hash() {
		t.Errorf("what was refused has changed %+v, %v", again, err)
	}
	var trail []string
	if err := connect(t, url).QueryRow(t.Context(), `SELECT array_agg(concat_ws(' ', action, by_whom, detail->>'note') ORDER BY n) FROM experiment_audit`).Scan(&trail); err != nil ||
		!slices.Equal(trail, []string{"start somebody", "ramp somebody more of them", "stop"}) {
		t.Errorf("the audit rows are %v, %v", trail, err)
	}
}

// Archived is what has ended; lists leave it out, and nothing of it is gone.
func TestArchiveExperiment(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db := open(t, url)
	e, other := record("over"), record("another")
	startExperiment(t, db, e)
	startExperiment(t, db, other)
	if _, err := db.ArchiveExperiment(t.Context(), e.Project, e.ID, "somebody"); !errors.Is(err, experiment.ErrRunning) {
		t.Errorf("while it runs: %v", err)
	}
	if _, err := db.StopExperiment(t.Context(), e.Project, e.ID, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ArchiveExperiment(t.Context(), "foreign", e.ID, ""); !errors.Is(err, experiment.ErrUnknown) {
		t.Errorf("another project's: %v", err)
	}
	first, err := db.ArchiveExperiment(t.Context(), e.Project, e.ID, "somebody")
	if err != nil || first.ArchivedAt == nil || first.State != experiment.StateStopped {
		t.Fatalf("archived: %+v, %v", first, err)
	}
	again, err := db.ArchiveExperiment(t.Context(), e.Project, e.ID, "another")
	if err != nil || !again.ArchivedAt.Equal(*first.ArchivedAt) {
		t.Errorf("twice: %+v, %v", again, err)
	}
	for archived, want := range map[bool][]string{false: {other.ID}, true: {other.ID, e.ID}} {
		all, err := db.Experiments(t.Context(), e.Project, archived, 10)
		var ids []string
		for _, s := range all {
			ids = append(ids, s.ID)
		}
		if err != nil || !slices.Equal(ids, want) {
			t.Errorf("with those archived, %t: %v, %v", archived, ids, err)
		}
	}
	if read, err := db.Experiment(t.Context(), e.Project, e.ID); err != nil || !read.ArchivedAt.Equal(*first.ArchivedAt) {
		t.Errorf("read: %+v, %v", read, err)
	}
	var trail []string
	if err := connect(t, url).QueryRow(t.Context(), `SELECT array_agg(concat_ws(' ', action, by_whom) ORDER BY n) FROM experiment_audit WHERE experiment_id = $1`, e.ID).Scan(&trail); err != nil ||
		!slices.Equal(trail, []string{"start somebody", "stop", "archive somebody"}) {
		t.Errorf("the audit rows are %v, %v", trail, err)
	}
}

// A change is told how many units the judge has counted.
func TestChangeKnowsWhatHasMatured(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	e := record("seen")
	startExperiment(t, db, e)
	persistAll(t, db, enrolled(rand.New(rand.NewPCG(3, 3)), &e, 20, [2]float64{.8, .8}))
	if _, err := db.Hear(t.Context(), e.ID, now, 7, (*experiment.Hearing).Judge); err != nil {
		t.Fatal(err)
	}
	_, err := db.ChangeExperiment(t.Context(), e.Project, e.ID, "ramp", "", func(_ *experiment.Experiment, matured int) (any, error) {
		return nil, fmt.Errorf("%d units", matured)
	})
	if err == nil || err.Error() != "7 units" {
		t.Errorf("the judge has counted 7, told are %v", err)
	}
}

// Who has entered before a time is told; all are known when all facts of that
// time are stored.
func TestEntered(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	e, other := record("entered"), record("another")
	startExperiment(t, db, e)
	startExperiment(t, db, other)
	r := rand.New(rand.NewPCG(6, 6))
	enter := func(of experiment.Experiment, user, arm string, at time.Time) *event.CompletionRecorded {
		c := eventtest.Completion(r, at)
		c.UserID, c.Experiments = user, []event.Arm{{Experiment: of.ID, Arm: arm}}
		return c
	}
	at := time.Now().UTC().Truncate(time.Millisecond).Add(-time.Hour)
	facts := []*event.CompletionRecorded{enter(e, "ada", "control", at.Add(-2)), enter(e, "bob", "test", at.Add(-time.Millisecond)),
		enter(e, "eve", "test", at), enter(other, "joe", "test", at.Add(-time.Hour))}
	eventtest.Number("journal", 1, facts...)
	if _, err := db.Persist(t.Context(), facts); err != nil {
		t.Fatal(err)
	}
	entered := func(before time.Time) (told []string, all bool) {
		t.Helper()
		all, err := db.Entered(t.Context(), e.ID, before, func(unit, arm string, _ time.Time) { told = append(told, unit+" "+arm) })
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(told)
		return told, all
	}
	if told, all := entered(at); !slices.Equal(told, []string{"ada control", "bob test"}) || !all {
		t.Errorf("told are %v, all: %t", told, all)
	}
	if told, all := entered(time.Now().Add(-time.Minute)); len(told) != 3 || all {
		t.Errorf("within the time in which a journal may be silent told are %v, all: %t", told, all)
	}
}

// Arms with a goal of their own do not move the project's price; others do.
func TestArmsWithGoalsMoveNoPrice(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	e := record("goals")
	e.Arms[0].Parameters = map[string]json.RawMessage{"explore": json.RawMessage("false")}
	e.Arms[1].Parameters = map[string]json.RawMessage{"strong_share": json.RawMessage("0.3")}
	startExperiment(t, db, e)
	r := rand.New(rand.NewPCG(7, 7))
	var facts []*event.CompletionRecorded
	for _, arms := range [][]event.Arm{nil, {{Experiment: e.ID, Arm: "control"}}, {{Experiment: e.ID, Arm: "test"}}, {{Experiment: "another", Arm: "test"}}} {
		c := eventtest.Completion(r, now.Add(-time.Minute))
		c.Strategy, c.Cache, c.UserID, c.Experiments = "hybrid", event.CacheMiss, "ada", arms
		c.BaselineModel = fmt.Sprint(arms)
		facts = append(facts, c)
	}
	eventtest.Number("journal", 1, facts...)
	if _, err := db.Persist(t.Context(), facts); err != nil {
		t.Fatal(err)
	}
	drawn, of, err := db.Decided(t.Context(), now.Add(-2*time.Minute), now, 10)
	if err != nil || len(drawn) != 3 || of[0] != 3 {
		t.Fatalf("drawn are %d of %v: %v", len(drawn), of, err)
	}
	for _, f := range drawn {
		if f.BaselineModel == facts[2].BaselineModel {
			t.Error("the arm with a goal of its own is drawn")
		}
	}
}

// What ended long ago goes; its results stay as they were, and its verdict can be
// recomputed. What runs, or ended lately, stays.
func TestExperimentsExpire(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db, conn := open(t, url), connect(t, url)
	old, late, runs := record("old"), record("late"), record("runs")
	for i, e := range []experiment.Experiment{old, late, runs} {
		startExperiment(t, db, e)
		facts := enrolled(rand.New(rand.NewPCG(11, uint64(i))), &e, 400, [2]float64{.6, .9})
		for _, f := range facts {
			f.Head().Journal = e.ID
		}
		persistAll(t, db, facts)
	}
	for more := true; more; {
		var err error
		if more, err = db.Hear(t.Context(), old.ID, now, 100, (*experiment.Hearing).Judge); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.StopExperiment(t.Context(), late.Project, late.ID, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), `UPDATE experiments SET ended_at = $2 WHERE id = $1`, old.ID, now.AddDate(-2, 0, 0)); err != nil {
		t.Fatal(err)
	}
	told := func() string {
		s, state, live, err := db.Progress(t.Context(), old.Project, old.ID, true)
		if err != nil || s.State != experiment.StateDecided {
			t.Fatal(s, err)
		}
		live.AsOf = now
		body, err := json.Marshal(s.Results(state, live))
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	count := func(id string) (units, results int) {
		if err := conn.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM experiment_units WHERE experiment_id = $1), (SELECT count(*) FROM experiment_results WHERE experiment_id = $1)`, id).
			Scan(&units, &results); err != nil {
			t.Fatal(err)
		}
		return units, results
	}
	before := told()
	units, results := count(old.ID)
	if n := removeAll(t, func() (int64, error) { return db.ExpireExperiments(t.Context(), now.AddDate(-1, 0, 0), 37) }); n != int64(units+results) || units != 400 {
		t.Errorf("%d rows went, of %d units and %d requests", n, units, results)
	}
	if u, r := count(old.ID); u != 0 || r != 0 {
		t.Errorf("%d units and %d requests are left", u, r)
	}
	for _, e := range []experiment.Experiment{late, runs} {
		if u, r := count(e.ID); u != 400 || r < 400 {
			t.Errorf("of %s %d units and %d requests are left", e.Name, u, r)
		}
	}
	if after := told(); after != before {
		t.Errorf("results were\n%s\nand are\n%s", before, after)
	}
	var decision, rules []byte
	if err := conn.QueryRow(t.Context(), `SELECT decision, record FROM experiment_decisions WHERE experiment_id = $1`, old.ID).Scan(&decision, &rules); err != nil {
		t.Fatal(err)
	}
	var d experiment.Decision
	var as experiment.Experiment
	if err := errors.Join(json.Unmarshal(decision, &d), json.Unmarshal(rules, &as), experiment.Recompute(&as, &d)); err != nil {
		t.Errorf("it cannot be recomputed: %v", err)
	}
}

// A judge that has seen further is not heard on less: a journal that comes back
// takes nothing of it back.
func TestWatermarksOfJudgesDoNotGoBack(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	e := record("further")
	startExperiment(t, db, e)
	persistAll(t, db, enrolled(rand.New(rand.NewPCG(12, 12)), &e, 20, [2]float64{.8, .8}))
	heard := 0
	hear := func() {
		t.Helper()
		if _, err := db.Hear(t.Context(), e.ID, now, 5, func(h *experiment.Hearing) error { heard++; return h.Judge() }); err != nil {
			t.Fatal(err)
		}
	}
	hear()
	if err := db.KeepHeartbeats(t.Context(), []event.Heartbeat{{Journal: "back", At: now, RecordedUntil: now.Add(-time.Hour), Seqs: map[string]int64{}}}); err != nil {
		t.Fatal(err)
	}
	if hear(); heard != 1 {
		t.Errorf("it was heard %d times", heard)
	}
	if err := db.KeepHeartbeats(t.Context(), []event.Heartbeat{{Journal: "back", At: now.Add(time.Second), RecordedUntil: now, Seqs: map[string]int64{}}}); err != nil {
		t.Fatal(err)
	}
	if hear(); heard != 2 {
		t.Errorf("it was heard %d times when all was known again", heard)
	}
}
