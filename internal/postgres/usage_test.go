package postgres_test

import (
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/storetest"
	"github.com/busuhq/busu/internal/usage"
)

// billed is traffic with keys, some without a model and without a price.
func billed(seed uint64, n int) []*event.CompletionRecorded {
	facts, _ := traffic(seed, n)
	r := rand.New(rand.NewPCG(seed, 8))
	for _, f := range facts {
		f.KeyID = []string{"", "key-1", "key-2"}[r.IntN(3)]
		f.PriceVersion = []string{"", "v1", "v2"}[r.IntN(3)]
		f.Unpriced = r.IntN(10) == 0
		if r.IntN(10) == 0 {
			f.Model, f.Provider, f.Status = "", "", event.StatusError
		}
	}
	return facts
}

// All subsets of the dimensions add up to what the facts do, row by row, from
// rollups and from rows, merged or not.
func TestUsageIsOfTheFacts(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	facts := billed(51, 3000)
	if _, err := db.Persist(t.Context(), facts); err != nil {
		t.Fatal(err)
	}
	all := usage.Dimensions()
	for range 2 {
		for subset := range 1 << len(all) {
			q := usage.Query{From: now.UTC().Truncate(24*time.Hour).AddDate(0, 0, -6), To: now.UTC().Truncate(24 * time.Hour)}
			for i, d := range all {
				if subset&(1<<i) != 0 {
					q.By = append(q.By, d)
				}
			}
			for _, q.Project = range []string{"", event.DefaultProject, "nobody's"} {
				checkUsage(t, db, q, facts)
			}
		}
		merge(t, db)
	}
}

// merge folds what is new into minutes, hours and days.
func merge(t *testing.T, db *postgres.DB) {
	t.Helper()
	if _, err := db.MergeRollups(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func checkUsage(t *testing.T, db *postgres.DB, q usage.Query, facts []*event.CompletionRecorded) {
	t.Helper()
	got, err := db.Usage(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	want, unpriced := map[string]usage.Figures{}, int64(0)
	if len(q.By) == 0 {
		want[""] = usage.Figures{} // there is one row, of whatever
	}
	for _, f := range facts {
		if q.Project != "" && f.Project != q.Project || f.At.Before(q.From) || !f.At.Before(q.To) {
			continue
		}
		var names []string
		for _, d := range q.By {
			names = append(names, map[usage.Dimension]string{usage.Project: f.Project, usage.Key: f.KeyID, usage.User: f.UserID, usage.Model: f.Model,
				usage.Day: f.At.UTC().Format(time.DateOnly)}[d])
		}
		row := want[strings.Join(names, "\x00")]
		row.Requests++
		if f.Failed() {
			row.Errors++
		}
		row.TokensIn, row.TokensOut = row.TokensIn+f.TokensIn, row.TokensOut+f.TokensOut
		row.Cost, row.Baseline = row.Cost+pricing.Nanos(f.CostNanos), row.Baseline+pricing.Nanos(f.BaselineCostNanos)
		want[strings.Join(names, "\x00")] = row
		if f.Unpriced {
			unpriced++
		}
	}
	found := map[string]usage.Figures{}
	var order []string
	for _, row := range got.Rows {
		var names []string
		for _, v := range []*string{row.Project, row.Key, row.User, row.Model, row.Day} {
			if v != nil {
				names = append(names, *v)
			}
		}
		if len(names) != len(q.By) {
			t.Fatalf("by %v there is %v", q.By, names)
		}
		order = append(order, strings.Join(names, "\x00"))
		found[order[len(order)-1]] = row.Figures
	}
	if !maps.Equal(found, want) || len(order) != len(want) || got.Unpriced != unpriced {
		t.Fatalf("of %q by %v, from %s: %d rows, %d unpriced; want %d and %d", q.Project, q.By, got.Source, len(found), got.Unpriced, len(want), unpriced)
	}
}

// Where rollups tell, rows are not needed: usage stays when they have gone.
func TestUsageOutlivesRows(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db := open(t, url)
	facts := billed(52, 500)
	if _, err := db.Persist(t.Context(), facts); err != nil {
		t.Fatal(err)
	}
	if _, err := connect(t, url).Exec(t.Context(), `DELETE FROM completions`); err != nil {
		t.Fatal(err)
	}
	q := usage.Query{From: now.UTC().AddDate(0, 0, -20).Truncate(24 * time.Hour), To: now.UTC().Truncate(24*time.Hour).AddDate(0, 0, 1),
		By: []usage.Dimension{usage.Project, usage.Model, usage.Day}}
	checkUsage(t, db, q, facts)
	q.By = []usage.Dimension{usage.Key}
	if got, err := db.Usage(t.Context(), q); err != nil || len(got.Rows) != 0 || got.Source != usage.SourceRows {
		t.Errorf("%+v, %v", got, err)
	}
}
