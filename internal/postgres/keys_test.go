package postgres_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/storetest"
)

func newKey(project string) (access.Key, access.Secret) {
	s := access.NewSecret()
	k := access.Key{ID: uuid.Must(uuid.NewV7()).String(), Project: project, Name: "a key of " + project, Role: access.RoleComplete,
		CreatedAt: time.Now().UTC().Truncate(time.Microsecond), Secrets: []access.Stored{{Hash: s.Hash(), Prefix: s.Prefix()}}}
	k.Complete()
	return k, s
}

func createKey(t *testing.T, db *postgres.DB, k access.Key) access.Key {
	t.Helper()
	made, err := db.CreateKey(t.Context(), k, "somebody")
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// A key comes back as it was made, by its id, its secret and in lists; only its
// own project sees it.
func TestKeysComeBack(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	plain, secret := newKey("acme")
	full, _ := newKey("acme")
	full.Models, full.Strategies, full.Experiments = []string{"small"}, []string{"hybrid", "learning"}, []string{"x"}
	full.ExpiresAt = new(full.CreatedAt.Add(time.Hour))
	full.Budget, full.BudgetPeriod = new(pricing.Nanos(12_500_000_000)), new(access.Day)
	full.RequestsPerMinute, full.TokensPerMinute, full.Concurrency = new(int64(60)), new(int64(100_000)), new(int64(7))
	full.PerUser = &access.UserLimits{RequestsPerMinute: new(int64(6)), Concurrency: new(int64(2))}
	for _, k := range []access.Key{plain, full} {
		made := createKey(t, db, k)
		k.ChangedAt = made.ChangedAt
		k.Show(made.ChangedAt)
		got, err := db.Key(t.Context(), "", k.ID)
		if err != nil || !reflect.DeepEqual(got, k) || !reflect.DeepEqual(made, k) {
			t.Errorf("%v: came back as\n%+v, made as\n%+v, want\n%+v", err, got, made, k)
		}
		if _, err := db.Key(t.Context(), "other", k.ID); !errors.Is(err, access.ErrUnknown) {
			t.Errorf("another project: %v", err)
		}
	}
	if got, err := db.FindKey(t.Context(), secret.Hash()); err != nil || got.ID != plain.ID {
		t.Errorf("found by its secret: %+v, %v", got, err)
	}
	if _, err := db.FindKey(t.Context(), access.NewSecret().Hash()); !errors.Is(err, access.ErrUnknown) {
		t.Errorf("another secret: %v", err)
	}
	if _, err := db.CreateKey(t.Context(), plain, ""); err == nil {
		t.Error("the same key twice")
	}
}

func TestKeysInPages(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	var all []string
	for i := range 7 {
		k, _ := newKey(fmt.Sprint("project-", i%2))
		all = append(all, createKey(t, db, k).ID)
	}
	slices.Reverse(all)
	for project, want := range map[string][]string{"": all, "project-0": {all[0], all[2], all[4], all[6]}, "nobody": nil} {
		var got []string
		for before := ""; ; before = got[len(got)-1] {
			page, err := db.Keys(t.Context(), project, before, 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range page {
				got = append(got, k.ID)
			}
			if len(page) < 2 {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("of %q: %v, want %v", project, got, want)
		}
	}
}

// Changes are followed, uses are not; and every change is in the audit log,
// with nothing by which a key could be used.
func TestKeysAreFollowed(t *testing.T) {
	t.Parallel()
	db, ctx := open(t, storetest.Postgres(t)), t.Context()
	k, first := newKey("acme")
	createKey(t, db, k)
	other, _ := newKey("globex")
	createKey(t, db, other)
	all, _, err := db.KeysSince(ctx, time.Time{})
	if err != nil || len(all) != 2 {
		t.Fatalf("%d keys, %v", len(all), err)
	}
	now, second := time.Now().UTC().Truncate(time.Microsecond), access.NewSecret()
	_, err = db.RotateKey(ctx, "acme", k.ID, "ann", access.Stored{Hash: second.Hash(), Prefix: second.Prefix()}, time.Hour, now)
	if err != nil {
		t.Fatal(err)
	}
	changed, err := db.ChangeKey(ctx, "", k.ID, "ann", func(k *access.Key) error { k.Name, k.Models = "renamed", []string{"small"}; return nil })
	if err != nil || changed.Name != "renamed" || !slices.Equal(changed.Models, []string{"small"}) {
		t.Errorf("%+v, %v", changed, err)
	}
	wrong := errors.New("wrong")
	if _, err := db.ChangeKey(ctx, "", k.ID, "ann", func(*access.Key) error { return wrong }); !errors.Is(err, wrong) {
		t.Error(err)
	}
	latest := changed.ChangedAt
	news, _, err := db.KeysSince(ctx, latest)
	if err != nil || len(news) != 1 || news[0].Prefix != second.Prefix() || len(news[0].Secrets) != 2 ||
		news[0].Secrets[1].Hash != first.Hash() || !news[0].Secrets[1].Until.Equal(now.Add(time.Hour)) {
		t.Errorf("followed: %+v, %v", news, err)
	}
	if err := db.KeysUsed(ctx, map[string]time.Time{k.ID: now, "gone": now}); err != nil {
		t.Fatal(err)
	}
	if err := db.KeysUsed(ctx, map[string]time.Time{k.ID: now.Add(-time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if got, err := db.Key(ctx, "acme", k.ID); err != nil || !got.LastUsedAt.Equal(now) || !got.ChangedAt.Equal(latest) {
		t.Errorf("used: %+v, %v", got, err)
	}
	for range 2 { // again changes nothing
		if got, err := db.RevokeKey(ctx, "acme", k.ID, "ann", now); err != nil || !got.RevokedAt.Equal(now) {
			t.Errorf("revoked: %+v, %v", got, err)
		}
	}
	for what, err := range map[string]error{
		"rotate": one(db.RotateKey(ctx, "", k.ID, "", access.Stored{}, 0, now)),
		"change": one(db.ChangeKey(ctx, "", k.ID, "", func(*access.Key) error { return nil })),
	} {
		if !errors.Is(err, access.ErrRevoked) {
			t.Errorf("%s a revoked key: %v", what, err)
		}
	}
	for what, err := range map[string]error{
		"rotate": one(db.RotateKey(ctx, "acme", other.ID, "", access.Stored{}, 0, now)),
		"revoke": one(db.RevokeKey(ctx, "acme", other.ID, "", now)),
		"change": one(db.ChangeKey(ctx, "acme", other.ID, "", func(*access.Key) error { return nil })),
	} {
		if !errors.Is(err, access.ErrUnknown) {
			t.Errorf("%s a key of another project: %v", what, err)
		}
	}
	if all, _, err = db.KeysSince(ctx, time.Time{}); err != nil || len(all) != 1 || all[0].ID != other.ID {
		t.Errorf("without the revoked: %+v, %v", all, err)
	}
	auditSays(ctx, t, db, "acme", k.ID, "key.revoke", "key.change", "key.rotate", "key.create")
}

func one(_ access.Key, err error) error { return err }

func auditSays(ctx context.Context, t *testing.T, db *postgres.DB, project, subject string, actions ...string) {
	t.Helper()
	var got []string
	for before := (access.ActPlace{}); ; {
		page, err := db.Acts(ctx, project, before, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page {
			if got = append(got, a.Action); a.Subject != subject || a.Project != project || a.By == "" {
				t.Errorf("%+v", a)
			}
			if text, err := json.Marshal(a); err != nil || slices.Contains(a.Detail, 0) {
				t.Errorf("%s, %v", text, err)
			}
			before = a.Place
		}
		if len(page) < 2 {
			break
		}
	}
	if !slices.Equal(got, actions) {
		t.Errorf("on record are %v, want %v", got, actions)
	}
}

// The audit log has what was done to experiments, too.
func TestAuditOfExperiments(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	e := record("audited")
	startExperiment(t, db, e)
	if err := db.NoteAct(t.Context(), "other", "ann", "user.forget", "x", map[string]int{"n": 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.StopExperiment(t.Context(), e.Project, e.ID, "ann"); err != nil {
		t.Fatal(err)
	}
	auditSays(t.Context(), t, db, e.Project, e.ID, "experiment.stop", "experiment.start")
	auditSays(t.Context(), t, db, "other", "x", "user.forget")
}
