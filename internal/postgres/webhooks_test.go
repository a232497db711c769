package postgres_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/experiment"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/storetest"
	"github.com/busuhq/busu/internal/webhook"
)

// wantTold: the address of an experiment is told its decision once, under the id
// of the fact, which two workers that die over it cannot change.
func wantTold(t *testing.T, conn *pgx.Conn, db *postgres.DB, e *experiment.Experiment, d *experiment.Decision) {
	t.Helper()
	all, err := db.Deliveries(t.Context(), e.Project, e.ID)
	if err != nil || len(all) != 1 || all[0].State != webhook.Waiting || all[0].URL != "https://example.com/hook?***" || all[0].NextAt == nil || all[0].EndedAt != nil {
		t.Fatalf("deliveries are %+v: %v", all, err)
	}
	var fact uuid.UUID
	if err := conn.QueryRow(t.Context(), `SELECT id FROM decisions WHERE type <> 'experiment.started'`).Scan(&fact); err != nil || fact != all[0].ID {
		t.Errorf("it is told under %s, the fact has %s: %v", all[0].ID, fact, err)
	}
	claims, err := db.ClaimWebhooks(t.Context(), time.Now(), 10, time.Minute)
	if err != nil || len(claims) != 1 || claims[0].URL != e.NotifyURL {
		t.Fatalf("claimed are %+v: %v", claims, err)
	}
	var told struct{ Data experiment.Notice }
	if err := json.Unmarshal(claims[0].Body, &told); err != nil || *told.Data.Outcome != string(d.Outcome) || told.Data.Verdict.Verdict != d.Verdict {
		t.Errorf("told is %s: %v", claims[0].Body, err)
	}
}

// stopped is an experiment that was stopped, whose address waits to be told.
func stopped(t *testing.T, db *postgres.DB, name string) experiment.Experiment {
	t.Helper()
	e := record(name)
	e.NotifyURL = "https://example.com/" + name
	startExperiment(t, db, e)
	for range 2 { // is told once
		if _, err := db.StopExperiment(t.Context(), e.Project, e.ID, ""); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

func claimed(t *testing.T, db *postgres.DB, now time.Time, most int, lasts time.Duration) []webhook.Claim {
	t.Helper()
	claims, err := db.ClaimWebhooks(t.Context(), now, most, lasts)
	if err != nil {
		t.Fatal(err)
	}
	return claims
}

func TestStopIsTold(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	quiet := record("quiet")
	startExperiment(t, db, quiet)
	if _, err := db.StopExperiment(t.Context(), quiet.Project, quiet.ID, ""); err != nil {
		t.Fatal(err)
	}
	e := stopped(t, db, "loud")
	all, err := db.Deliveries(t.Context(), e.Project, e.ID)
	if err != nil || len(all) != 1 || all[0].Kind != experiment.KindStopped || len(all[0].Attempts) != 0 {
		t.Errorf("deliveries are %+v: %v", all, err)
	}
	for _, c := range []struct{ project, id string }{{quiet.Project, quiet.ID}, {"other", e.ID}} {
		if all, err := db.Deliveries(t.Context(), c.project, c.id); err != nil || len(all) != 0 {
			t.Errorf("%s in %s has the deliveries %+v: %v", c.id, c.project, all, err)
		}
	}
}

func TestClaims(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	now := time.Now()
	var ids []string
	for _, name := range []string{"a", "b", "c"} {
		ids = append(ids, stopped(t, db, name).ID)
	}
	if early := claimed(t, db, now.Add(-time.Hour), 10, time.Minute); len(early) != 0 {
		t.Errorf("%d are due before their time", len(early))
	}
	first := claimed(t, db, time.Now(), 2, time.Minute)
	second := claimed(t, db, time.Now(), 10, 0) // at once anybody's again
	if len(first) != 2 || len(second) != 1 || first[0].Number != 1 {
		t.Fatalf("claimed are %+v and then %+v", first, second)
	}
	subjects := []string{first[0].Subject, first[1].Subject, second[0].Subject}
	slices.Sort(subjects)
	if slices.Sort(ids); !slices.Equal(subjects, ids) {
		t.Errorf("claimed are %v of %v", subjects, ids)
	}
	again := claimed(t, db, time.Now(), 10, time.Minute)
	if len(again) != 1 || again[0].ID != second[0].ID || again[0].Number != 2 || string(again[0].Body) != string(second[0].Body) {
		t.Errorf("claimed again are %+v", again)
	}
}

// What a process says that was thought dead cannot undo what another does; that
// it delivered, it has.
func TestAttemptsOfTheDead(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	later := time.Now().Add(time.Hour)
	failed, done := webhook.Attempt{At: time.Now(), Status: 500, Error: "the answer is 500"}, webhook.Attempt{At: time.Now(), Status: 200, TookMS: 1.5}
	retry, end, delivered := webhook.Next{State: webhook.Waiting, At: later}, webhook.Next{State: webhook.Failed}, webhook.Next{State: webhook.Delivered}
	type said struct {
		number  int // of the claim, of which there are two
		attempt webhook.Attempt
		next    webhook.Next
	}
	for name, c := range map[string]struct {
		says []said
		want webhook.State
		due  bool // it has another time now
	}{
		"alive":                          {[]said{{2, failed, retry}}, webhook.Waiting, true},
		"alive-and-given-up":             {[]said{{2, failed, end}}, webhook.Failed, false},
		"alive-and-delivered":            {[]said{{2, done, delivered}}, webhook.Delivered, false},
		"dead":                           {[]said{{1, failed, retry}}, webhook.Waiting, false},
		"dead-and-given-up":              {[]said{{1, failed, end}}, webhook.Waiting, false},
		"dead-and-delivered":             {[]said{{1, done, delivered}}, webhook.Delivered, false},
		"dead-after-delivery":            {[]said{{2, done, delivered}, {1, failed, retry}}, webhook.Delivered, false},
		"alive-after-delivery":           {[]said{{1, done, delivered}, {2, failed, end}}, webhook.Delivered, false},
		"dead-and-delivered-after-all":   {[]said{{2, failed, end}, {1, done, delivered}}, webhook.Delivered, false},
		"the-same-twice":                 {[]said{{2, failed, retry}, {2, failed, retry}}, webhook.Waiting, true},
		"alive-again-after-it-was-timed": {[]said{{2, failed, retry}, {2, done, delivered}}, webhook.Delivered, false},
	} {
		e := stopped(t, db, name)
		claimed(t, db, time.Now(), 1, 0)
		claim := claimed(t, db, time.Now(), 1, time.Hour)[0]
		numbers := map[int]bool{}
		for _, s := range c.says {
			s.attempt.Number = s.number
			numbers[s.number] = true
			if err := db.RecordAttempt(t.Context(), claim.ID, s.attempt, s.next); err != nil {
				t.Fatal(err)
			}
		}
		all, err := db.Deliveries(t.Context(), e.Project, e.ID)
		if err != nil || len(all) != 1 {
			t.Fatalf("%s: %+v, %v", name, all, err)
		}
		d := all[0]
		if due := d.NextAt != nil && d.NextAt.Sub(later).Abs() < time.Millisecond; d.State != c.want || due != c.due || len(d.Attempts) != len(numbers) || (d.EndedAt == nil) != (c.want == webhook.Waiting) {
			t.Errorf("%s: %+v", name, d)
		}
		if d.State != webhook.Waiting {
			continue
		}
		if err := db.RecordAttempt(t.Context(), claim.ID, webhook.Attempt{Number: 2, At: time.Now()}, delivered); err != nil { // out of the way of the next
			t.Fatal(err)
		}
	}
}

func TestSecretIsMadeOnce(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	a, b := open(t, url), open(t, url)
	first, err := a.WebhookSecret(t.Context(), "one")
	if err != nil || first != "one" {
		t.Fatalf("%q, %v", first, err)
	}
	if second, err := b.WebhookSecret(t.Context(), "two"); err != nil || second != "one" {
		t.Errorf("%q, %v", second, err)
	}
}
