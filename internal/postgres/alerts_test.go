package postgres_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/storetest"
	"github.com/busuhq/busu/internal/worker"
)

const hook = "https://example.com/hook?secret"

// told is what webhooks tell of budgets, in the order of their thresholds.
func told(t *testing.T, conn *pgx.Conn) []budget.Notice {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT body::text FROM webhooks WHERE kind = 'budget.alert' AND url = $1
		ORDER BY subject, (body->'data'->>'threshold_percent')::int`, hook)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (n budget.Notice, err error) {
		var text string
		if err = row.Scan(&text); err != nil {
			return n, err
		}
		return n, json.Unmarshal([]byte(text), &struct{ Data *budget.Notice }{&n})
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Whoever finds the same at the same time, and dies over it: each threshold is
// recorded once, and of those that are found together the highest is told, with
// its line in the audit log.
func TestAlertsAreRecordedOnce(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db, conn := open(t, url), connect(t, url)
	r := budget.Reached{Began: budget.Month.Start(now), Watched: budget.Watched{Project: "acme",
		Budget: budget.Budget{Scope: budget.Project, Name: "acme", Period: budget.Month, Limit: 1000}}}
	for _, reached := range [][]int{{50, 80}, {50, 80, 100}} {
		r.Thresholds, r.Spent = reached, pricing.Nanos(10*reached[len(reached)-1])
		var all sync.WaitGroup
		var mu sync.Mutex
		isNew := 0
		for i := range 12 {
			all.Go(func() {
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				if i%3 == 0 {
					go stop() // somewhere on its way
				}
				fresh, err := db.RecordAlert(ctx, r, hook)
				if err != nil && i%3 != 0 {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				if fresh {
					isNew++
				}
			})
		}
		all.Wait()
		if isNew > 1 {
			t.Errorf("%d were told that they were the first", isNew)
		}
	}
	other := r
	other.Limit = 900
	if fresh, err := db.RecordAlert(t.Context(), other, ""); err != nil || !fresh {
		t.Errorf("another limit is another budget: %t, %v", fresh, err)
	}
	notices := told(t, conn)
	if len(notices) != 2 || notices[0].Threshold+notices[1].Threshold != 180 || notices[0].Project != "acme" || notices[0].KeyID != nil {
		t.Errorf("told is %+v", notices)
	}
	all, err := db.Alerts(t.Context(), []budget.Budget{r.Budget, {Scope: budget.Key, Name: "none", Period: budget.Day, Limit: 1}}, now)
	alerts := all[r.Budget]
	if err != nil || len(alerts) != 3 || alerts[0].Threshold != 50 || alerts[0].Spent != 800 || alerts[2].Threshold != 100 || alerts[2].Spent != 1000 {
		t.Errorf("recorded are %+v: %v", alerts, err)
	}
	acts, err := db.Acts(t.Context(), "acme", access.ActPlace{}, 10)
	if err != nil || len(acts) != 3 || acts[0].Action != budget.KindAlert || acts[0].Subject != "acme" || acts[0].By != "" {
		t.Errorf("the audit log has %+v: %v", acts, err)
	}
}

// anybody is a lease that does not keep anybody out.
type anybody struct{}

func (anybody) Hold(context.Context, string, string, time.Duration) (bool, error) { return true, nil }

// fragile is a book whose owner dies before, or right behind, some records.
type fragile struct {
	*postgres.DB
	mu   sync.Mutex
	left int // records until it dies
	late bool
	die  context.CancelFunc
}

func (f *fragile) RecordAlert(ctx context.Context, r budget.Reached, url string) (bool, error) {
	f.mu.Lock()
	f.left--
	dies := f.left < 0
	f.mu.Unlock()
	if dies && !f.late {
		f.die()
		return false, ctx.Err()
	}
	isNew, err := f.DB.RecordAlert(ctx, r, url)
	if dies {
		f.die()
	}
	return isNew, err
}

// Two workers look at once, and die over it again and again: of every budget
// that is spent, the keys' and the project's, one message is left.
func TestWorkersTellOnce(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db, conn := open(t, url), connect(t, url)
	really := time.Now()
	facts := completions(51, 40, time.Second)
	r := rand.New(rand.NewPCG(51, 51))
	spent := map[string]pricing.Nanos{}
	var ids []string
	for range 10 {
		k, _ := newKey("acme")
		k.Budget, k.BudgetPeriod = new(pricing.Nanos(1e9)), new(access.Month)
		if _, err := db.CreateKey(t.Context(), k, "somebody"); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, k.ID)
	}
	for i, f := range facts {
		f.ID, f.At, f.Project, f.KeyID, f.Strategy = eventtest.ID(r, really), really.UTC(), "acme", ids[i%10], "hybrid"
		f.CostNanos = 5e7 * int64(1+i%10) // four times
		spent[f.KeyID] += pricing.Nanos(f.CostNanos)
	}
	if _, err := db.Persist(t.Context(), facts); err != nil {
		t.Fatal(err)
	}
	project := budget.Watched{Project: "acme", Budget: budget.Budget{Scope: budget.Project, Name: "acme", Period: budget.Day, Limit: 20e9}}
	run := func(die int, late bool) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		f := &fragile{DB: db, left: die, late: late, die: stop}
		var both sync.WaitGroup
		for _, owner := range []string{"one", "two"} {
			a := &worker.Alerter{Budgets: db, Alerts: f, Projects: []budget.Watched{project}, URL: hook, Lease: anybody{}, Owner: owner, Log: slog.New(slog.DiscardHandler)}
			both.Go(func() {
				if err := a.Run(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
	}
	var want, got []string
	for id, s := range spent {
		if len(budget.Crossed(s, 1e9, false)) > 0 {
			want = append(want, id)
		}
	}
	for die := range 5 {
		run(die, die%2 == 0)
	}
	run(2*(len(want)+1)-1, true) // right behind all records of both
	for _, n := range told(t, conn) {
		if n.Scope == budget.Project {
			if n.Threshold != 50 || n.Spent != 11e9 {
				t.Errorf("of the project is told %+v", n)
			}
			continue
		}
		reached := budget.Crossed(spent[*n.KeyID], 1e9, false)
		if n.Threshold != reached[len(reached)-1] || n.Spent != spent[*n.KeyID] || n.KeyName == nil {
			t.Errorf("of %s of a dollar is told %+v", spent[*n.KeyID], n)
		}
		got = append(got, *n.KeyID)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) || len(got) < 5 || len(told(t, conn)) != len(got)+1 {
		t.Errorf("told are %v, want %v", got, want)
	}
}

// Refusals are written down once, whoever does.
func TestRefusals(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	refused := func(name string, limit pricing.Nanos) budget.Refused {
		return budget.Refused{Account: budget.Budget{Scope: budget.Key, Name: name, Period: budget.Day}.Account(now), Limit: limit}
	}
	for range 2 {
		if err := db.NoteRefusals(t.Context(), []budget.Refused{refused("a", 1), refused("a", 2), refused("b", 1)}); err != nil {
			t.Fatal(err)
		}
	}
	want := map[budget.Refused]bool{refused("a", 1): true, refused("a", 2): true, refused("b", 1): true}
	if got, err := db.Refusals(t.Context(), now.Add(-24*time.Hour)); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("refused have %v: %v", got, err)
	}
	if got, err := db.Refusals(t.Context(), now); err != nil || len(got) != 0 {
		t.Errorf("refused have in another period %v: %v", got, err)
	}
}
