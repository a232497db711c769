package postgres_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/savings"
	"github.com/busuhq/busu/internal/stats"
	"github.com/busuhq/busu/internal/storetest"
)

const (
	observed = 6 * time.Hour
	waited   = time.Hour
)

// said is a verdict on a request.
type said struct {
	at      time.Time
	quality float64
}

// traffic is facts of the days before now, with verdicts on some of them.
func traffic(seed uint64, n int) ([]*event.CompletionRecorded, map[uuid.UUID][]said) {
	r := rand.New(rand.NewPCG(seed, 3))
	facts := completions(seed, n, 9*24*time.Hour)
	verdicts := map[uuid.UUID][]said{}
	for i, f := range facts {
		switch f.Holdout = len(f.UserID)%2 == 0; { // user-0 … 9
		case f.Strategy == "model" && r.IntN(3) > 0:
			f.Strategy = "hybrid"
		case f.Strategy != "model" && (f.Holdout || i%17 == 0):
			f.Strategy = "baseline"
		}
		if i%9 == 0 { // in the background, for nobody
			f.Strategy, f.Holdout = []string{event.StrategyShadow, event.StrategyJudge}[i%2], false
		}
		if i%11 == 0 {
			f.UserID, f.Holdout = "", false
		}
		if i%13 == 0 {
			f.Project = "another"
		}
		if i%5 == 0 {
			f.CostNanos = 0 // a hit is charged what the call did that made its answer
		}
		for r.IntN(3) == 0 {
			verdicts[f.ID] = append(verdicts[f.ID], said{f.At.Add(time.Duration(r.Int64N(int64(9 * time.Hour)))), float64(r.IntN(11)) / 10})
		}
	}
	return facts, verdicts
}

// decided reports whether a strategy decided on a caller's request.
func decided(f *event.CompletionRecorded) bool { return f.Strategy != "model" && !f.Background() }

// say stores verdicts on facts, from a journal of their own.
func say(t *testing.T, url, journal string, facts []*event.CompletionRecorded, verdicts map[uuid.UUID][]said) {
	t.Helper()
	conn, r, seq := connect(t, url), rand.New(rand.NewPCG(1, uint64(len(journal)))), 0
	for _, f := range facts {
		for _, v := range verdicts[f.ID] {
			seq++
			id := func() uuid.UUID { return uuid.Must(uuid.NewRandomFromReader(reader{r})) }
			// Beside it one of another project, one that is refused, one that nobody gave, and a judge's.
			_, err := conn.Exec(t.Context(), `INSERT INTO feedback (id, at, project, request_id, quality, bad, journal, partition, seq, state, implicit, source, feedback_id)
				VALUES ($1, $2, $3, $4, $5, $6, $14, 0, $7, 'kept', false, 'judge', $13), ($8, $2, 'foreign', $4, 0, true, $14, 1, $7, 'kept', false, NULL, NULL),
					($9, $2, $3, $4, 0, true, $14, 2, $7, 'refused', false, NULL, NULL), ($10, $2, $3, $4, 0, true, $14, 3, $7, 'kept', true, NULL, NULL),
					($11, $2, $3, $4, 0, true, $14, 4, $7, 'kept', false, 'judge', $12)`,
				id(), v.at, f.Project, f.ID, v.quality, v.quality < 0.5, seq, id(), id(), id(), id(), event.FeedbackByJudge+id().String(), "judge "+id().String(), journal)
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	_, err := conn.Exec(t.Context(), `INSERT INTO journal_marks (journal, stream, partition, persisted)
		SELECT $1, 'feedback', n, int8multirange(int8range(1, $2, '[]')) FROM unnest('{0,1,2,4}'::int[]) AS n`, journal, seq)
	if err != nil {
		t.Fatal(err)
	}
}

type reader struct{ r *rand.Rand }

func (r reader) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(r.r.Uint32())
	}
	return len(b), nil
}

// count does what the worker does.
func count(t *testing.T, db *postgres.DB) {
	t.Helper()
	for more := true; more; {
		var err error
		if more, err = db.CountUserDays(t.Context(), 1000, observed, waited); err != nil {
			t.Fatal(err)
		}
	}
}

// What is read is what the facts add up to, user by user, in whatever order they
// and verdicts come, are stored again, and are counted by two processes.
func TestSavingsAreOfTheFacts(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db, other := open(t, url), open(t, url)
	facts, verdicts := traffic(41, 6000)
	for i, part := range [][2]int{{0, 2500}, {2000, 4000}, {4000, 6000}} {
		if _, err := db.Persist(t.Context(), facts[part[0]:part[1]]); err != nil {
			t.Fatal(err)
		}
		if i < 2 { // on some that are not stored yet
			say(t, url, strings.Repeat("j", i+1), facts[i*3000:(i+1)*3000], verdicts)
		}
		var both sync.WaitGroup
		for _, db := range []*postgres.DB{db, other} {
			both.Go(func() { count(t, db) })
		}
		both.Wait()
	}
	for _, project := range []string{event.DefaultProject, "another"} {
		for _, w := range savings.Windows() {
			got, err := db.Savings(t.Context(), project, w, now)
			if err != nil {
				t.Fatal(err)
			}
			checkTally(t, got, project, facts, verdicts)
		}
	}
}

func checkTally(t *testing.T, got savings.Tally, project string, facts []*event.CompletionRecorded, verdicts map[uuid.UUID][]said) {
	t.Helper()
	var want savings.Tally
	users := map[string][2]savings.Unit{} // of a user's first day: routed or guarded, hold-out
	first := map[string]time.Time{}
	compared := now // from the first day with a hold-out
	for _, f := range facts {
		if day := f.At.Truncate(24 * time.Hour); f.Project == project && decided(f) && f.Holdout && day.Before(compared) {
			compared = day
		}
	}
	for _, f := range facts {
		if f.Project != project || !decided(f) || f.At.Before(got.From) {
			continue
		}
		of := &want.All
		if f.Holdout {
			of = &want.Kept
		}
		of.Requests++
		of.CostNanos += f.CostNanos
		of.BaselineNanos += f.BaselineCostNanos
		if f.Unpriced {
			of.Unpriced++
		}
		if f.UserID != "" && !f.At.Before(compared) && (first[f.UserID].IsZero() || f.At.Before(first[f.UserID])) {
			first[f.UserID] = f.At
		}
	}
	for _, f := range facts {
		start := first[f.UserID]
		end := start.Add(observed)
		if day := start.Truncate(24*time.Hour).AddDate(0, 0, 1); day.Before(end) {
			end = day
		}
		if f.Project != project || !decided(f) || start.IsZero() || f.At.Before(start) || !f.At.Before(end) || !sameGroup(facts, f, start) {
			continue
		}
		u := users[f.UserID]
		i := 0
		if f.Holdout {
			i = 1
		}
		unit(&u[i], f, verdicts[f.ID], end.Add(waited))
		users[f.UserID] = u
	}
	for _, u := range users {
		for i, g := range []*savings.Group{&want.Routed, &want.Holdout} {
			if u[i].Requests > 0 {
				g.Add(u[i], got.Limit)
			}
		}
	}
	if want.All.Users, want.Kept.Users = got.All.Users, got.Kept.Users; want.All != got.All || want.Kept != got.Kept {
		t.Errorf("%s, %s: %+v and %+v, want %+v and %+v", project, got.Window.Name, got.All, got.Kept, want.All, want.Kept)
	}
	for name, pair := range map[string][2]savings.Group{"routed": {got.Routed, want.Routed}, "hold-out": {got.Holdout, want.Holdout}} {
		if !alike(pair[0], pair[1]) {
			t.Errorf("%s, %s, %s:\n got %+v\nwant %+v", project, got.Window.Name, name, pair[0], pair[1])
		}
	}
}

// sameGroup reports whether f is answered as its user's first request in the
// window was: one that the guard covers later is another row.
func sameGroup(facts []*event.CompletionRecorded, f *event.CompletionRecorded, start time.Time) bool {
	for _, o := range facts {
		if o.UserID == f.UserID && o.Project == f.Project && o.At.Equal(start) && decided(o) {
			return guarded(o) == guarded(f)
		}
	}
	return false
}

func guarded(f *event.CompletionRecorded) bool { return f.Strategy == "baseline" && !f.Holdout }

func unit(u *savings.Unit, f *event.CompletionRecorded, verdicts []said, until time.Time) {
	sum, n, bad := 0.0, 0, false
	for _, v := range verdicts {
		if v.at.Before(until) {
			sum, n, bad = sum+v.quality, n+1, bad || v.quality < 0.5
		}
	}
	u.Requests++
	u.CostNanos += f.OriginCostNanos
	u.LatencyUS += f.LatencyUS
	if f.Status == event.StatusOK && !bad {
		u.Good++
	}
	if n > 0 {
		u.Judged++
		u.Quality += sum / float64(n)
	}
}

func alike(a, b savings.Group) bool {
	for _, pair := range [][2]stats.Moments{{a.Cost, b.Cost}, {a.RawCost, b.RawCost}, {a.Good, b.Good}, {a.Rated, b.Rated},
		{a.Quality, b.Quality}, {a.Latency, b.Latency}} {
		x, y := pair[0], pair[1]
		if x.Units != y.Units {
			return false
		}
		for _, sums := range [][2]float64{{x.N, y.N}, {x.Y, y.Y}, {x.NN, y.NN}, {x.YY, y.YY}, {x.NY, y.NY}} {
			if math.Abs(sums[0]-sums[1]) > 1e-9*math.Abs(sums[1]) {
				return false
			}
		}
	}
	return true
}

// Users who have not matured are not compared; the rows of one who has do not
// change with verdicts that come later.
func TestOnlyMaturedUsersAreCompared(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	fresh := completions(1, 50, time.Second)
	for i, f := range fresh {
		f.Strategy, f.Holdout = "hybrid", i%2 == 0
		f.ID = at(f.ID, time.Now())
		f.At = event.TimeOf(f.ID)
	}
	if _, err := db.Persist(t.Context(), fresh); err != nil {
		t.Fatal(err)
	}
	count(t, db)
	got, err := db.Savings(t.Context(), event.DefaultProject, savings.Windows()[0], time.Now())
	if err != nil || got.Routed.Users()+got.Holdout.Users() != 0 || got.All.Requests+got.Kept.Requests != 50 {
		t.Errorf("%d and %d users of %d and %d requests are compared: %v", got.Routed.Users(), got.Holdout.Users(), got.All.Requests, got.Kept.Requests, err)
	}
}

// at gives an id another time.
func at(id uuid.UUID, t time.Time) uuid.UUID {
	for i := range 6 {
		id[i] = byte(t.UnixMilli() >> (40 - 8*i))
	}
	return id
}

// A guard trips once however many say so, publishes that, and is armed again
// by another hand.
func TestGuards(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	e := savings.Evidence{By: savings.ByMonitor, Metric: savings.MetricGood, Days: 7, Routed: .8, Baseline: .9, RoutedUsers: 100, OtherUsers: 50,
		Difference: -.1, Bound: -.05, Margin: .02, Alpha: .01}
	for _, step := range []struct {
		project, state string
		changed        bool
		tripped        int
	}{
		{"a", savings.GuardArmed, false, 0}, {"a", savings.GuardTripped, true, 1}, {"a", savings.GuardTripped, false, 1},
		{"b", savings.GuardTripped, true, 2}, {"a", savings.GuardArmed, true, 1}, {"a", savings.GuardArmed, false, 1},
	} {
		changed, err := db.SetGuard(t.Context(), step.project, step.state, e)
		if err != nil || changed != step.changed {
			t.Errorf("%+v: changed %t, %v", step, changed, err)
		}
		tripped, err := db.Tripped(t.Context())
		if err != nil || len(tripped) != step.tripped {
			t.Errorf("%+v: tripped are %v, %v", step, tripped, err)
		}
	}
	all, err := db.Guards(t.Context())
	if err != nil || len(all) != 2 || all["a"].State != savings.GuardArmed || *all["b"].Evidence != e || all["b"].At == nil {
		t.Errorf("%+v, %v", all, err)
	}
	run, err := db.Decisions(t.Context(), 0, 10)
	if err != nil || len(run.Bodies) != 2 {
		t.Fatalf("%d facts are published, %v", len(run.Bodies), err)
	}
	fact, err := event.Decode(run.Bodies[0])
	if g, ok := fact.(*event.GuardTripped); err != nil || !ok || g.Project != "a" || g.Bound != e.Bound || g.Seq != 1 {
		t.Errorf("%+v, %v", fact, err)
	}
	if _, err := db.SetGuard(t.Context(), "c", savings.GuardTripped, savings.Evidence{}); err == nil {
		t.Error("a guard trips without evidence")
	}
}

// The probe's users are the routed ones while a guard has tripped, and all whom
// the baseline answers are the others; rows of before do not count.
func TestWatchLooksAtTheProbe(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	facts, _ := traffic(43, 4000)
	if _, err := db.Persist(t.Context(), facts); err != nil {
		t.Fatal(err)
	}
	count(t, db)
	look := func(g savings.Guard) savings.Watched {
		t.Helper()
		looks, err := db.Watch(t.Context(), event.DefaultProject, g, savings.Windows()[:1], now)
		if err != nil || len(looks) != 1 {
			t.Fatalf("%d looks, %v", len(looks), err)
		}
		return looks[0]
	}
	armed := look(savings.Guard{State: savings.GuardArmed})
	since := now.AddDate(0, 0, -2)
	tripped := look(savings.Guard{State: savings.GuardTripped, At: &since})
	later := now.AddDate(0, 0, 1)
	none := look(savings.Guard{State: savings.GuardTripped, At: &later})
	if armed.Others.Users() == 0 || armed.Routed.Users() == 0 || armed.Start == 0 || none.Routed.Users()+none.Others.Users() != 0 {
		t.Errorf("armed %+v, none %+v", armed, none)
	}
	if tripped.Others.Users() <= armed.Others.Users() || tripped.Start != 0 {
		t.Errorf("the others are %d, with those that are guarded, and were %d; start %d", tripped.Others.Users(), armed.Others.Users(), tripped.Start)
	}
	if looks, err := db.Watch(t.Context(), "nobody", savings.Guard{}, savings.Windows(), now); err != nil || len(looks) != 0 {
		t.Errorf("%+v, %v", looks, err)
	}
}
