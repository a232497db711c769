package postgres_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/requests"
	"github.com/busuhq/busu/internal/storetest"
)

// varied are facts in which everything that can be looked for is there.
func varied(n int) []*event.CompletionRecorded {
	r := rand.New(rand.NewPCG(31, 0))
	facts := completions(30, n, 40*24*time.Hour)
	slices.SortFunc(facts, func(a, b *event.CompletionRecorded) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	for i, f := range facts {
		eventtest.Number("journal", int64(i+1), f)
		set := func(share float64, to *string, value string) {
			if r.Float64() < share {
				*to = value
			}
		}
		set(.3, &f.SessionID, fmt.Sprintf("session-%d", r.IntN(30)))
		set(.2, &f.CallerID, fmt.Sprintf("theirs-%d", r.IntN(100)))
		set(.2, &f.KeyID, "key")
		set(.1, &f.UserID, "")
		set(.02, &f.Model, "rare")
		set(.5, &f.Provider, "openai")
		if r.IntN(20) == 0 {
			f.Fallbacks = []string{"small"}
		}
		if r.IntN(30) == 0 {
			f.Degraded = []string{"redis"}
		}
		if r.IntN(10) == 0 {
			f.Experiments = []event.Arm{{Experiment: "one", Arm: "test"}, {Experiment: "two", Arm: "control"}}[:1+r.IntN(2)]
		}
		f.Holdout = r.IntN(20) == 0
		if i%7 == 0 {
			f.Project = "another"
		}
		if i%100 < 3 && i > 0 { // the same millisecond
			f.At, f.ID = facts[i-1].At, eventtest.ID(r, facts[i-1].At)
		}
	}
	return facts
}

// someFilter looks for some of it.
func someFilter(r *rand.Rand) requests.Filter {
	var f requests.Filter
	some := func(to *[]string, values ...string) {
		if r.IntN(6) > 0 {
			return
		}
		r.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
		*to = values[:1+r.IntN(min(2, len(values)))]
	}
	flag := func(to **bool) {
		if r.IntN(10) == 0 {
			yes := r.IntN(2) == 0
			*to = &yes
		}
	}
	some(&f.Users, "user-1", "user-2", "nobody")
	some(&f.Sessions, "session-1", "session-2")
	some(&f.CallerIDs, "theirs-1", "theirs-2")
	some(&f.KeyIDs, "key")
	some(&f.Models, "small", "rare", "never")
	some(&f.Providers, "openai", "simulated")
	some(&f.Strategies, "complexity", "model")
	some(&f.Confidences, "high", "low")
	some(&f.Statuses, event.StatusOK, event.StatusError, event.StatusCutOff)
	some(&f.ErrorKinds, "timeout", "unavailable")
	some(&f.Caches, event.CacheMiss, event.CachePostgres)
	some(&f.Experiments, "one", "two", "three")
	flag(&f.Failed)
	flag(&f.Holdout)
	flag(&f.Degraded)
	flag(&f.Fallbacks)
	if r.IntN(8) == 0 {
		f.MinCostNanos, f.MinLatencyUS = r.Int64N(900_000), r.Int64N(4_000_000)
	}
	if r.IntN(8) == 0 {
		f.MinSavingsNanos = r.Int64N(15_000_000)
	}
	if r.IntN(4) == 0 {
		f.From = now.Add(-time.Duration(r.Int64N(int64(50 * 24 * time.Hour))))
	}
	if r.IntN(4) == 0 {
		f.To = now.Add(-time.Duration(r.Int64N(int64(20 * 24 * time.Hour))))
	}
	return f
}

// fits is the filter in a test's words.
func fits(f requests.Filter, c *event.CompletionRecorded) bool {
	in := func(values []string, value string) bool {
		return len(values) == 0 || value != "" && slices.Contains(values, value)
	}
	is := func(wanted *bool, value bool) bool { return wanted == nil || *wanted == value }
	hasExperiment := len(f.Experiments) == 0 || slices.ContainsFunc(c.Experiments, func(a event.Arm) bool { return slices.Contains(f.Experiments, a.Experiment) })
	return in(f.Users, c.UserID) && in(f.Sessions, c.SessionID) && in(f.CallerIDs, c.CallerID) && in(f.KeyIDs, c.KeyID) &&
		in(f.Models, c.Model) && in(f.Providers, c.Provider) && in(f.Strategies, c.Strategy) && in(f.Confidences, c.Confidence) &&
		in(f.Statuses, c.Status) && in(f.ErrorKinds, c.ErrorKind) && in(f.Caches, c.Cache) && hasExperiment &&
		is(f.Failed, c.Failed()) && is(f.Holdout, c.Holdout) && is(f.Degraded, c.Degraded != nil) && is(f.Fallbacks, c.Fallbacks != nil) &&
		(f.MinCostNanos == 0 || c.CostNanos >= f.MinCostNanos) && (f.MinSavingsNanos == 0 || c.SavingsNanos() >= f.MinSavingsNanos) && c.LatencyUS >= f.MinLatencyUS &&
		!c.At.Before(f.From) && (f.To.IsZero() || c.At.Before(f.To))
}

// Whatever is looked for, the pages one after the other are all that fits,
// newest first, each once, however little a page's patience is.
func TestPagesAreWhatFits(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	if err := db.EnsureDays(t.Context(), now.AddDate(0, 0, -25), 27); err != nil { // what is older has no day
		t.Fatal(err)
	}
	facts := varied(3000)
	if _, err := db.Persist(t.Context(), facts[:2000]); err != nil {
		t.Fatal(err)
	}
	if _, err := db.MergeRollups(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Persist(t.Context(), facts[2000:]); err != nil {
		t.Fatal(err)
	}
	full := 0
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 8))
		q := requests.Query{Filter: someFilter(r), Limit: 1 + r.IntN(60)}
		var want []uuid.UUID
		for _, f := range slices.Backward(facts) {
			if f.Project == event.DefaultProject && fits(q.Filter, f) {
				want = append(want, f.ID)
			}
		}
		slices.SortFunc(want, func(a, b uuid.UUID) int { return bytes.Compare(b[:], a[:]) })
		patience := time.Duration(r.IntN(2)) * time.Minute
		got := allPages(t, db, q, patience)
		if !slices.Equal(got, want) {
			t.Errorf("seed %d, %+v: %d requests, %d fit", seed, q, len(got), len(want))
		}
		if len(want) > 0 {
			full++
		}
	}
	if full < 20 {
		t.Errorf("only %d of the filters found anything", full)
	}
}

func allPages(t *testing.T, db *postgres.DB, q requests.Query, patience time.Duration) (ids []uuid.UUID) {
	t.Helper()
	for range 5000 {
		page, err := db.FindRequests(t.Context(), event.DefaultProject, q, patience)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Requests {
			ids = append(ids, e.ID)
		}
		if len(page.Requests) > q.Limit || page.Next == nil && page.SearchedTo != nil || page.Next != nil && patience > 0 && len(page.Requests) < q.Limit {
			t.Fatalf("%+v: a page of %d up to %v, next %v", q, len(page.Requests), page.SearchedTo, page.Next)
		}
		if page.Next == nil {
			return ids
		}
		if q.Before, err = requests.ParseCursor(*page.Next); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("%+v: the pages do not end", q)
	return nil
}

// A record says what the fact says, and is nobody else's.
func TestRequestIsTheFact(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	facts := varied(400)
	if _, err := db.Persist(t.Context(), facts); err != nil {
		t.Fatal(err)
	}
	for _, f := range facts {
		r, err := db.Request(t.Context(), f.Project, f.ID)
		if err != nil {
			t.Fatal(err)
		}
		for what, same := range map[string]bool{
			"entry": r.ID == f.ID && r.At.Equal(f.At) && r.Status == f.Status && r.Cache == f.Cache && is(r.UserID, f.UserID) && is(r.CallerID, f.CallerID) &&
				is(r.SessionID, f.SessionID) && is(r.Model, f.Model) && is(r.ErrorKind, f.ErrorKind) && r.Holdout == f.Holdout,
			"lists": slices.Equal(r.Fallbacks, f.Fallbacks) && slices.Equal(r.Degraded, f.Degraded) && slices.Equal(r.Experiments, f.Experiments),
			"plan": is(r.Plan.Reason, f.Reason) && r.Plan.Propensity == f.Propensity && r.PlannedModel == f.PlannedModel &&
				slices.Equal(r.Plan.Candidates, requests.Candidates(f.Candidates)),
			"cost": r.Cost.CostNanos == f.CostNanos && int64(r.CostUSD) == f.CostNanos && int64(r.SavingsUSD) == f.SavingsNanos() &&
				r.Cost.BaselineModel == f.BaselineModel && is(r.Cost.PriceVersion, f.PriceVersion) && r.TokensIn == f.TokensIn,
			"time":   r.LatencyMS == float64(f.LatencyUS)/1000 && r.OverheadMS == float64(f.OverheadUS)/1000,
			"ledger": r.Ledger.Journal == f.Journal && r.Ledger.Seq == f.Seq && time.Since(r.Ledger.PersistedAt) < time.Hour,
		} {
			if !same {
				t.Errorf("%s differs: record\n%+v\nfact\n%+v", what, r, f)
			}
		}
	}
	for project, id := range map[string]uuid.UUID{"another": facts[1].ID, event.DefaultProject: uuid.Max} {
		if _, err := db.Request(t.Context(), project, id); !errors.Is(err, requests.ErrUnknown) {
			t.Errorf("%s of %s: %v", id, project, err)
		}
	}
}

func is(got *string, want string) bool {
	if got == nil {
		return want == ""
	}
	return *got == want && want != ""
}
