package access_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/pricing"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	known := access.Known{Models: []string{"small", "large"}, Strategies: []string{"hybrid"}}
	now := epoch
	for _, c := range []struct {
		what   string
		change func(*access.Key)
		fields []string
	}{
		{"right", func(*access.Key) {}, nil},
		{"all of it", func(k *access.Key) {
			k.Models, k.Strategies, k.Experiments, k.ExpiresAt = []string{"small"}, []string{"hybrid"}, []string{"x"}, new(now.Add(1))
			k.Budget, k.BudgetPeriod, k.RequestsPerMinute, k.TokensPerMinute = new(pricing.Nanos(1)), new(access.Month), new(int64(1)), new(int64(1e12))
		}, nil},
		{"no name", func(k *access.Key) { k.Name = "" }, []string{"name"}},
		{"spaces", func(k *access.Key) { k.Name = " a" }, []string{"name"}},
		{"long name", func(k *access.Key) { k.Name = strings.Repeat("ä", 101) }, []string{"name"}},
		{"role", func(k *access.Key) { k.Role = "root" }, []string{"role"}},
		{"project", func(k *access.Key) { k.Project = "a:b" }, []string{"project"}},
		{"all projects", func(k *access.Key) { k.Project = "*" }, []string{"project"}},
		{"all projects, to operate", func(k *access.Key) { k.Project, k.Role = "*", access.RoleOperate }, nil},
		{"model", func(k *access.Key) { k.Models = []string{"small", "gone"} }, []string{"models"}},
		{"strategy", func(k *access.Key) { k.Strategies = []string{""} }, []string{"strategies"}},
		{"experiments", func(k *access.Key) { k.Experiments = slices.Repeat([]string{"x"}, 101) }, []string{"experiments"}},
		{"past", func(k *access.Key) { k.ExpiresAt = &now }, []string{"expires_at"}},
		{"budget", func(k *access.Key) { k.Budget = new(pricing.Nanos(0)) }, []string{"budget_usd"}},
		{"period alone", func(k *access.Key) { k.BudgetPeriod = new(access.Day) }, []string{"budget_usd"}},
		{"period", func(k *access.Key) { k.Budget, k.BudgetPeriod = new(pricing.Nanos(1)), new(access.Period("year")) }, []string{"budget_period"}},
		{"rates", func(k *access.Key) {
			k.RequestsPerMinute, k.TokensPerMinute, k.Concurrency = new(int64(0)), new(int64(-1)), new(int64(0))
		}, []string{"requests_per_minute", "tokens_per_minute", "concurrency"}},
		{"users", func(k *access.Key) {
			k.PerUser = &access.UserLimits{RequestsPerMinute: new(int64(0)), TokensPerMinute: new(int64(2e12)), Concurrency: new(int64(-1))}
		},
			[]string{"per_user.requests_per_minute", "per_user.tokens_per_minute", "per_user.concurrency"}},
	} {
		k := access.Key{Name: "a", Role: access.RoleComplete, Project: "acme"}
		c.change(&k)
		err := k.Validate(known, now)
		var wrong *document.InvalidError
		var fields []string
		if errors.As(err, &wrong) {
			for _, f := range wrong.Faults {
				fields = append(fields, f.Field)
			}
		}
		if !slices.Equal(fields, c.fields) || (err == nil) != (c.fields == nil) {
			t.Errorf("%s: %v, want %v", c.what, err, c.fields)
		}
	}
}

// A key as it is shown has nothing by which it could be used.
func TestShown(t *testing.T) {
	t.Parallel()
	k, secret := makeKey("a", "acme", access.RoleRead)
	k.Complete()
	k.Show(epoch)
	text, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	hash := secret.Hash()
	for _, hidden := range []string{secret.Reveal(), secret.Reveal()[14:20], "hash", "ecret", string(hash[:])} {
		if strings.Contains(string(text), hidden) {
			t.Errorf("%q is in %s", hidden, text)
		}
	}
	if !strings.Contains(string(text), secret.Prefix()) || !strings.Contains(string(text), `"models":[]`) {
		t.Errorf("%s", text)
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	k, first := makeKey("a", "acme", access.RoleRead)
	now := epoch
	next := func(overlap time.Duration) error {
		s := access.NewSecret()
		return k.Rotate(access.Stored{Hash: s.Hash(), Prefix: s.Prefix()}, overlap, now)
	}
	for range 9 {
		if err := next(time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if err := next(time.Hour); !errors.Is(err, access.ErrOverlap) {
		t.Errorf("an eleventh secret: %v", err)
	}
	if len(k.Secrets) != 10 || len(k.Overlapping) != 9 || k.Secrets[9].Hash != first.Hash() {
		t.Errorf("%d secrets, %d overlap", len(k.Secrets), len(k.Overlapping))
	}
	if err := next(time.Minute); !errors.Is(err, access.ErrOverlap) {
		t.Errorf("a shorter overlap: %v", err)
	}
	now = now.Add(time.Hour)
	if err := next(0); err != nil || len(k.Secrets) != 1 || len(k.Overlapping) != 0 {
		t.Errorf("%v, %d secrets", err, len(k.Secrets))
	}
	k.RevokedAt = &now
	if err := next(0); !errors.Is(err, access.ErrRevoked) {
		t.Errorf("a revoked one: %v", err)
	}
}

func TestActPlaces(t *testing.T) {
	t.Parallel()
	for _, p := range []access.ActPlace{{At: epoch, Name: "log-1"}, {At: epoch.Add(123_456_000), Name: "experiment-99"}} {
		if got, err := access.ParseActPlace(p.String()); err != nil || !got.At.Equal(p.At) || got.Name != p.Name {
			t.Errorf("%+v comes back as %+v, %v", p, got, err)
		}
	}
	for _, text := range []string{"", "x", "!", access.ActPlace{At: epoch, Name: "a b"}.String(), access.ActPlace{At: epoch, Name: "log-1\x00"}.String(), access.ActPlace{At: epoch}.String()} {
		if got, err := access.ParseActPlace(text); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
}
