package postgres_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/experiment"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/storetest"
)

// begun is when the experiments of these tests have started.
var begun = now.Add(-30 * time.Hour)

// record is an experiment of a few users that is soon over.
func record(name string) experiment.Experiment {
	d := func(d time.Duration) *experiment.Duration { return new(experiment.Duration(d)) }
	return experiment.Start{Name: name, ControlStrategy: "complexity", TestStrategy: "hybrid", SampleSize: 300,
		Observation: d(time.Hour), FeedbackWindow: d(10 * time.Minute), MinDuration: d(0), MaxDuration: d(24 * time.Hour)}.
		Experiment(experiment.Given{ID: uuid.Must(uuid.NewV7()).String(), Project: event.DefaultProject, Salt: "salt of " + name, At: begun, SlowUS: 2_000_000})
}

func startExperiment(t *testing.T, db *postgres.DB, e experiment.Experiment) {
	t.Helper()
	if _, err := db.StartExperiment(t.Context(), e.Project, e.Layer, "somebody", func([]experiment.Segment) (experiment.Experiment, error) { return e, nil }); err != nil {
		t.Fatal(err)
	}
}

// enrolled makes the requests of users in an experiment whose test is better,
// and what is said of some of them, in the order of time.
func enrolled(r *rand.Rand, e *experiment.Experiment, users int, good [2]float64) (facts []event.Fact) {
	assigner := experiment.NewAssigner(e)
	say := func(c *event.CompletionRecorded) {
		facts = append(facts, c)
		for range r.IntN(3) {
			facts = append(facts, eventtest.Feedback(r, c.At.Add(time.Duration(r.IntN(5000))*time.Second), c.ID))
		}
	}
	for u := range users {
		user, at := fmt.Sprintf("user-%d", u), begun.Add(time.Duration(r.IntN(4*3600))*time.Second)
		for range r.IntN(3) { // before
			c := eventtest.Completion(r, at.Add(-time.Duration(1+r.IntN(9*24*3600))*time.Second))
			if c.UserID = user; r.IntN(8) == 0 {
				c.Project = "foreign"
			}
			say(c)
		}
		arm, _, _ := assigner.Assign(user, at)
		for range 1 + r.IntN(3) {
			c := eventtest.Completion(r, at)
			served := arm
			if r.IntN(20) == 0 {
				served = 1 - arm // as it were, after a ramp
			}
			c.UserID, c.Experiments = user, []event.Arm{{Experiment: e.ID, Arm: e.Arms[served].Name}}
			if c.Status, c.ErrorKind = event.StatusOK, ""; r.Float64() >= good[arm] {
				c.Status = event.StatusEmpty
			}
			say(c)
			at = at.Add(time.Duration(r.IntN(2000)) * time.Second)
		}
	}
	slices.SortFunc(facts, func(a, b event.Fact) int {
		return cmp.Or(a.Head().At.Compare(b.Head().At), slices.Compare(a.Head().ID[:], b.Head().ID[:]))
	})
	seqs := map[event.Stream]int64{}
	for _, f := range facts {
		seqs[f.Stream()]++
		f.Head().Journal, f.Head().Partition, f.Head().Seq = "journal", 0, seqs[f.Stream()]
	}
	return facts
}

// judged is what the pure judge says of all facts at once.
func judged(t *testing.T, e *experiment.Experiment, facts []event.Fact) *experiment.Decision {
	t.Helper()
	results, said := map[string][]experiment.Result{}, map[uuid.UUID][]experiment.Opinion{}
	for _, f := range facts {
		switch f := f.(type) {
		case *event.CompletionRecorded:
			if r, ok := e.ResultOf(f); ok {
				results[r.Unit] = append(results[r.Unit], r)
			}
		case *event.FeedbackRecorded:
			said[f.RequestID] = append(said[f.RequestID], experiment.OpinionOf(f))
		}
	}
	var units []experiment.Unit
	for _, all := range results {
		u := e.Gather(all, said)
		past := pastOf(e, &u, facts, said)
		if u.Traits.Returning = new(past.Requests > 0); e.CUPED && past.Requests > 0 {
			u.History = &past
		}
		units = append(units, u)
	}
	d, err := experiment.NewJudge(e).Feed(units, now)
	if err != nil || d == nil {
		t.Fatalf("it is not decided: %v", err)
	}
	return d
}

// pastOf is what a user had done, and had been told, in the week before entering.
func pastOf(e *experiment.Experiment, u *experiment.Unit, facts []event.Fact, said map[uuid.UUID][]experiment.Opinion) (t experiment.Totals) {
	for _, f := range facts {
		c, ok := f.(*event.CompletionRecorded)
		if !ok || c.UserID != u.ID || c.Project != e.Project || !c.At.Before(u.ExposedAt) || c.At.Before(u.ExposedAt.Add(-7*24*time.Hour)) || c.Strategy == "model" {
			continue
		}
		var last experiment.Opinion
		for _, o := range said[c.ID] {
			if o.RatedAt.Before(u.ExposedAt) && o.Later(last) {
				last = o
			}
		}
		r := experiment.Result{Served: experiment.ServedOf(c), Opinion: last}
		of := r.Totals(0)
		t.Add(experiment.Totals{Requests: 1, Answered: of.Answered, CostNanos: of.CostNanos, LatencyUS: of.LatencyUS, Rated: of.Rated, QualityMicros: of.QualityMicros}, 1)
	}
	return t
}

// persistAll stores facts of both kinds.
func persistAll(t *testing.T, db *postgres.DB, facts []event.Fact) {
	var requests []*event.CompletionRecorded
	var said []*event.FeedbackRecorded
	for _, f := range facts {
		switch f := f.(type) {
		case *event.CompletionRecorded:
			requests = append(requests, f)
		case *event.FeedbackRecorded:
			said = append(said, f)
		}
	}
	if _, err := db.Feedback().Persist(t.Context(), said); err != nil {
		t.Error(err)
	}
	if _, err := db.Persist(t.Context(), requests); err != nil {
		t.Error(err)
	}
}

var errKilled = errors.New("killed")

// hearing has two processes judge at once, each of which dies now and then.
func hearing(t *testing.T, id string, r *rand.Rand, dbs ...*postgres.DB) {
	t.Helper()
	var both sync.WaitGroup
	for _, db := range dbs {
		dies, most := r.IntN(3) == 0, 1+r.IntN(60)
		both.Go(func() {
			for more := true; more; {
				var err error
				more, err = db.Hear(t.Context(), id, now, most, func(h *experiment.Hearing) error {
					if err := h.Judge(); err != nil || !dies {
						return err
					}
					return errKilled
				})
				if dies = false; err != nil && !errors.Is(err, errKilled) {
					t.Error(err)
					return
				}
			}
		})
	}
	both.Wait()
}

// Whatever the batches, the order within what the watermark allows, and who of
// two workers does what and dies over it: there is one decision, and it is that
// of the pure judge.
func TestOneDecisionHoweverItIsReached(t *testing.T) {
	t.Parallel()
	for seed, c := range map[uint64]struct {
		good    [2]float64
		workers int
		primary experiment.Metric
	}{1: {[2]float64{.6, .9}, 2, ""}, 2: {[2]float64{.8, .8}, 3, experiment.Cost}, 3: {[2]float64{.9, .6}, 1, ""}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			t.Parallel()
			url := storetest.Postgres(t)
			var dbs []*postgres.DB
			for range c.workers {
				dbs = append(dbs, open(t, url))
			}
			r := rand.New(rand.NewPCG(seed, 7))
			e := record("decided")
			e.NotifyURL = "https://example.com/hook?token=secret"
			if c.primary != "" {
				e.Primary, e.CUPED = c.primary, true
			}
			startExperiment(t, dbs[0], e)
			facts := enrolled(r, &e, 400, c.good)
			want := judged(t, &e, facts)

			const rounds = 12
			seqs := map[string]int64{"completions/0": 0, "feedback/0": 0}
			for round, from := 1, 0; round <= rounds; round++ {
				to := len(facts) * round / rounds
				part := slices.Clone(facts[from:to])
				r.Shuffle(len(part), func(i, j int) { part[i], part[j] = part[j], part[i] })
				until := now.Add(-time.Minute)
				if to < len(facts) {
					until = facts[to].Head().At.Add(-time.Millisecond)
				}
				for _, f := range part {
					lane := event.Lane{Stream: f.Stream()}.String()
					seqs[lane] = max(seqs[lane], f.Head().Seq)
				}
				at := now.Add(time.Duration(round-rounds-1) * time.Second)
				hearBeat := event.Heartbeat{Journal: "journal", At: at, RecordedUntil: until, Seqs: seqs}
				if err := dbs[0].KeepHeartbeats(t.Context(), []event.Heartbeat{hearBeat}); err != nil {
					t.Fatal(err)
				}
				half := len(part) / 2
				var both sync.WaitGroup
				for i, facts := range [][]event.Fact{part[:half+half/4], part[half-half/4:]} { // some twice
					both.Go(func() {
						for batch := range slices.Chunk(facts, 1+int(seed)*13) {
							persistAll(t, dbs[i%len(dbs)], batch)
						}
					})
				}
				hearing(t, e.ID, r, dbs...) // while they are at it
				both.Wait()
				hearing(t, e.ID, r, dbs...)
				from = to
			}
			for more := true; more; { // whoever is left
				var err error
				if more, err = dbs[0].Hear(t.Context(), e.ID, now, 50, (*experiment.Hearing).Judge); err != nil {
					t.Fatal(err)
				}
			}

			conn := connect(t, url)
			var n, told int
			var body, rules []byte
			if err := conn.QueryRow(t.Context(), `SELECT count(*) OVER (), decision, record FROM experiment_decisions`).Scan(&n, &body, &rules); err != nil || n != 1 {
				t.Fatalf("%d decisions: %v", n, err)
			}
			wanted, err := json.Marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			if string(body) != string(wanted) {
				t.Errorf("decided\n%s\nwant\n%s", body, wanted)
			}
			var stored experiment.Decision
			var as experiment.Experiment
			if err := errors.Join(json.Unmarshal(body, &stored), json.Unmarshal(rules, &as)); err != nil {
				t.Fatal(err)
			}
			if err := experiment.Recompute(&as, &stored); err != nil {
				t.Errorf("from its own numbers it cannot be recomputed: %v", err)
			}
			if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM decisions WHERE type <> 'experiment.started'`).Scan(&told); err != nil || told != 1 {
				t.Errorf("it is told %d times: %v", told, err)
			}
			wantTold(t, conn, dbs[0], &e, want)
			s, state, live, err := dbs[0].Progress(t.Context(), e.Project, e.ID, true)
			if err != nil || s.State != experiment.StateDecided || *s.Outcome != want.Outcome {
				t.Errorf("the experiment is %+v: %v", s, err)
			}
			shows := s.Results(state, live)
			if last := shows.Series.Exposures[len(shows.Series.Exposures)-1].ByArm; shows.Sample.Users != 400 || shows.Sample.Strays == 0 || last["control"]+last["test"] != 400 {
				t.Errorf("of 400 units entered %+v, by the end %v", shows.Sample, last)
			}
			recounted(t, dbs[0], e.ID, want.Units)
			tampered(t, dbs[0], conn, &e)
		})
	}
}

// What comes when a unit was judged is stored, counted, and changes nothing.
func TestLateFactsAreCounted(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db := open(t, url)
	e := record("late")
	startExperiment(t, db, e)
	r := rand.New(rand.NewPCG(4, 4))
	of := func(after time.Duration, arm string) *event.CompletionRecorded {
		c := eventtest.Completion(r, begun.Add(after))
		c.UserID, c.Experiments = "ada", []event.Arm{{Experiment: e.ID, Arm: arm}}
		return c
	}
	first, late, earlier, after := of(time.Minute, "control"), of(2*time.Minute, "control"), of(0, "test"), of(3*time.Hour, "control")
	eventtest.Number("journal", 1, first, late, earlier, after)
	persistAll(t, db, []event.Fact{first})
	var totals string
	judge := func() {
		if _, err := db.Hear(t.Context(), e.ID, now, 10, (*experiment.Hearing).Judge); err != nil {
			t.Fatal(err)
		}
	}
	judge()
	conn := connect(t, url)
	if err := conn.QueryRow(t.Context(), `SELECT totals::text FROM experiment_units WHERE judged`).Scan(&totals); err != nil {
		t.Fatal(err)
	}
	persistAll(t, db, []event.Fact{late, earlier})
	persistAll(t, db, []event.Fact{after})
	judge()
	var arm, now string
	var requests, counted, strays int
	if err := conn.QueryRow(t.Context(), `SELECT arm, totals::text, requests, late, strays FROM experiment_units`).Scan(&arm, &now, &requests, &counted, &strays); err != nil {
		t.Fatal(err)
	}
	if arm != "control" || now != totals || requests != 4 || counted != 2 || strays != 2 {
		t.Errorf("the unit is in %s with %d requests, %d late, %d strays, and %s", arm, requests, counted, strays, now)
	}
}

func TestPartsThatAreNone(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db := open(t, url)
	e := record("none")
	startExperiment(t, db, e)
	r := rand.New(rand.NewPCG(5, 5))
	for i, c := range []struct{ experiment, arm, user, project string }{
		{"another", "test", "ada", e.Project}, {e.ID, "third", "ada", e.Project}, {e.ID, "test", "", e.Project}, {e.ID, "test", "ada", "foreign"},
	} {
		f := eventtest.Completion(r, begun)
		f.UserID, f.Project, f.Experiments = c.user, c.project, []event.Arm{{Experiment: c.experiment, Arm: c.arm}}
		eventtest.Number("journal", int64(i+1), f)
		persistAll(t, db, []event.Fact{f})
	}
	var n int
	if err := connect(t, url).QueryRow(t.Context(), `SELECT count(*) FROM experiment_results`).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d parts were stored: %v", n, err)
	}
}
