package access

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/pricing"
)

// Key is the record of a key: all but the key itself, which nobody has but who
// was given it.
type Key struct {
	ID      string `json:"id"` // UUIDv7
	Name    string `json:"name"`
	Prefix  string `json:"prefix"` // of the newest secret
	Role    Role   `json:"role"`
	Project string `json:"project"` // AllProjects: the caller chooses

	Models      []string `json:"models"`      // that may answer; none: any
	Strategies  []string `json:"strategies"`  // that may be asked for; none: any
	Experiments []string `json:"experiments"` // that requests may name; none: any of the project

	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at"`
	RevokedAt  *time.Time `json:"revoked_at"`
	LastUsedAt *time.Time `json:"last_used_at"` // to the minute

	Limits
	Overlapping []Overlap `json:"overlapping"` // earlier secrets that still work

	Secrets   []Stored  `json:"-"` // the newest first
	ChangedAt time.Time `json:"-"`
}

// Limits are how much may be spent by a key. nil: without a limit.
type Limits struct {
	Budget            *pricing.Nanos `json:"budget_usd"`
	BudgetPeriod      *Period        `json:"budget_period"` // with a budget
	RequestsPerMinute *int64         `json:"requests_per_minute"`
	TokensPerMinute   *int64         `json:"tokens_per_minute"`
	Concurrency       *int64         `json:"concurrency"` // requests under way at once
	PerUser           *UserLimits    `json:"per_user"`
}

// UserLimits are how much each user of a key may have. nil: without a limit.
type UserLimits struct {
	RequestsPerMinute *int64 `json:"requests_per_minute"`
	TokensPerMinute   *int64 `json:"tokens_per_minute"`
	Concurrency       *int64 `json:"concurrency"`
}

// Period is how long a budget lasts, in UTC.
type Period string

// The periods.
const (
	Day   Period = "day"
	Month Period = "month"
)

// Stored is a secret as it is kept.
type Stored struct {
	Hash   Hash
	Prefix string
	Until  *time.Time // when it ends; nil: with its key
}

// Overlap is an earlier secret that still works.
type Overlap struct {
	Prefix string    `json:"prefix"`
	Until  time.Time `json:"until"`
}

// AllProjects is the project of keys whose callers choose one, request by
// request. It is the name of none.
const AllProjects = "*"

// ErrUnknown says that there is no such key.
var ErrUnknown = errors.New("unknown key")

// ErrRevoked says that a key cannot be changed any more.
var ErrRevoked = errors.New("the key is revoked")

// Made is a new key, or a new secret of one, with the secret: this once.
type Made struct {
	Key
	Secret string `json:"key"`
}

// Bounds of what a key is asked to be.
const (
	mostName     = 100 // characters
	mostAllowed  = 100 // of models, strategies or experiments
	mostAtOnce   = 10  // secrets of one key that work at the same time
	mostBudget   = pricing.Nanos(1_000_000_000_000_000_000)
	mostCount    = int64(1e12) // a minute, or at once
	MostOverlap  = 90 * 24 * time.Hour
	UsualOverlap = 24 * time.Hour
)

var projectName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// IsProject reports whether a text can be the name of a project.
func IsProject(name string) bool { return projectName.MatchString(name) }

// Known is what keys may name.
type Known struct{ Models, Strategies []string }

// Validate names all that is wrong with what a key is asked to be, as of now.
func (k *Key) Validate(known Known, now time.Time) error {
	var f document.Faults
	if n := utf8.RuneCountInString(k.Name); n < 1 || n > mostName || strings.TrimSpace(k.Name) != k.Name {
		f.Add(document.CodeValue, "name", "has %d characters, must have 1 to %d, without spaces around them", n, mostName)
	}
	if !slices.Contains(Roles(), k.Role) {
		f.Add(document.CodeValue, "role", "is %q, must be one of: admin, operate, complete, read", document.Cut(string(k.Role)))
	}
	switch {
	case k.Project == AllProjects && k.Role != RoleAdmin && k.Role != RoleOperate:
		f.Add(document.CodeValue, "project", "is *, which only keys with the role admin or operate may have: name one project")
	case k.Project != AllProjects && !IsProject(k.Project):
		f.Add(document.CodeValue, "project", "is %q, must be 1 to 64 letters, digits, dots, dashes and underscores", document.Cut(k.Project))
	}
	allowed(&f, "models", k.Models, known.Models)
	allowed(&f, "strategies", k.Strategies, known.Strategies)
	allowed(&f, "experiments", k.Experiments, nil)
	if k.ExpiresAt != nil && !k.ExpiresAt.After(now) {
		f.Add(document.CodeValue, "expires_at", "is %s, must lie ahead", k.ExpiresAt.Format(time.RFC3339))
	}
	k.Limits.validate(&f)
	return f.Err()
}

func (l *Limits) validate(f *document.Faults) {
	if l.Budget != nil && (*l.Budget <= 0 || *l.Budget > mostBudget) {
		f.Add(document.CodeValue, "budget_usd", "is %s, must be above 0 and at most %s", l.Budget, mostBudget)
	}
	switch {
	case l.BudgetPeriod == nil:
	case l.Budget == nil:
		f.Add(document.CodeMissing, "budget_usd", "is missing: budget_period needs it")
	case *l.BudgetPeriod != Day && *l.BudgetPeriod != Month:
		f.Add(document.CodeValue, "budget_period", "is %q, must be one of: day, month", document.Cut(string(*l.BudgetPeriod)))
	}
	counts(f, "requests_per_minute", l.RequestsPerMinute)
	counts(f, "tokens_per_minute", l.TokensPerMinute)
	counts(f, "concurrency", l.Concurrency)
	if u := l.PerUser; u != nil {
		counts(f, "per_user.requests_per_minute", u.RequestsPerMinute)
		counts(f, "per_user.tokens_per_minute", u.TokensPerMinute)
		counts(f, "per_user.concurrency", u.Concurrency)
	}
}

func counts(f *document.Faults, field string, n *int64) {
	if n != nil && (*n < 1 || *n > mostCount) {
		f.Add(document.CodeValue, field, "is %d, must be a whole number from 1 to %d", *n, mostCount)
	}
}

// allowed checks a list of what a key is limited to. Where known is nil, all
// that can be a name is.
func allowed(f *document.Faults, field string, names, known []string) {
	if len(names) > mostAllowed {
		f.Add(document.CodeValue, field, "has %d entries, at most %d are allowed", len(names), mostAllowed)
		return
	}
	for _, name := range names {
		if known != nil && !slices.Contains(known, name) || name == "" || len(name) > 256 {
			f.Add(document.CodeValue, field, "names %q, which there is not", document.Cut(name))
		}
	}
}

// Complete gives what was left out its usual value.
func (k *Key) Complete() {
	if k.Budget != nil && k.BudgetPeriod == nil {
		k.BudgetPeriod = new(Month)
	}
	if k.PerUser != nil && *k.PerUser == (UserLimits{}) {
		k.PerUser = nil
	}
	for _, list := range []*[]string{&k.Models, &k.Strategies, &k.Experiments} {
		if *list == nil {
			*list = []string{}
		}
	}
}

// Show fills in what is told of the secrets, as of a moment.
func (k *Key) Show(now time.Time) {
	k.Overlapping = []Overlap{}
	for i, s := range k.Secrets {
		if i == 0 {
			k.Prefix = s.Prefix
		} else if s.Until != nil && s.Until.After(now) && k.RevokedAt == nil {
			k.Overlapping = append(k.Overlapping, Overlap{s.Prefix, *s.Until})
		}
	}
}

// ErrOverlap says that a key has as many secrets at once as it may.
var ErrOverlap = document.Invalid("overlap", "cannot be granted: %d secrets of this key work already; rotate with \"0s\" to end them, or wait", mostAtOnce)

// Rotate puts a new secret before the others, which end after an overlap.
func (k *Key) Rotate(s Stored, overlap time.Duration, now time.Time) error {
	if k.RevokedAt != nil {
		return ErrRevoked
	}
	ends := now.Add(overlap)
	kept := []Stored{s}
	for _, old := range k.Secrets {
		if old.Until == nil || old.Until.After(ends) {
			old.Until = &ends
		}
		if old.Until.After(now) {
			kept = append(kept, old)
		}
	}
	if len(kept) > mostAtOnce {
		return ErrOverlap
	}
	k.Secrets = kept
	k.Show(now)
	return nil
}
