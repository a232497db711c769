package app

import (
	"context"
	"crypto/ed25519"
	"time"

	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/statement"
	"github.com/busuhq/busu/internal/usage"
)

// bills is where statements are read; see postgres.
type bills interface {
	StatementJournals(ctx context.Context, beats []event.Heartbeat, now time.Time) (statement.Journals, error)
	StatementEvidence(ctx context.Context, project string, m statement.Month, j statement.Journals, now time.Time) (statement.Evidence, error)
}

// meters are where usage is read; see postgres.
type meters interface {
	Usage(ctx context.Context, q usage.Query) (usage.Report, error)
}

// heralds say what journals announced last; see redisdb.
type heralds interface {
	Heartbeats(ctx context.Context) ([]event.Heartbeat, error)
}

// Statements makes statements of the ledger.
type Statements struct {
	bills   bills
	heralds heralds
}

// NewStatements makes statements from a ledger, and from what Redis says that
// its journals announced.
func NewStatements(b bills, h heralds) *Statements { return &Statements{b, h} }

// Make makes the statement of a project's month. What was announced when it
// began may take so long to be stored.
func (s *Statements) Make(ctx context.Context, project string, m statement.Month, wait time.Duration) (statement.Statement, error) {
	j, err := s.settled(ctx, wait)
	if err != nil {
		return statement.Statement{}, err
	}
	e, err := s.bills.StatementEvidence(ctx, project, m, j, time.Now())
	if err != nil {
		return statement.Statement{}, err
	}
	return statement.New(e)
}

// settled waits until what was announced at first is stored: under traffic
// something always is under way, but not the same.
func (s *Statements) settled(ctx context.Context, wait time.Duration) (statement.Journals, error) {
	const again = 250 * time.Millisecond
	beats, unheard := s.heralds.Heartbeats(ctx)
	for deadline := time.Now().Add(wait); ; {
		j, err := s.bills.StatementJournals(ctx, beats, time.Now())
		j.Unasked = unheard != nil
		if err != nil || j.Certain() || !time.Now().Before(deadline) {
			return j, err
		}
		select {
		case <-ctx.Done():
			return j, ctx.Err()
		case <-time.After(again):
		}
	}
}

// books are statements and usage for those who ask over HTTP: one reads at a
// time, since the worker needs the same database.
type books struct {
	statements *Statements
	meters     meters
	key        ed25519.PrivateKey // nil: nothing is signed
	turns      turns
}

const (
	bookWithin  = 60 * time.Second
	bookSettles = 2 * time.Second
)

func newBooks(cfg config.Config, s *Statements, m meters) (*books, error) {
	b := &books{statements: s, meters: m, turns: make(turns, 1)}
	if !cfg.StatementKey.IsSet() {
		return b, nil
	}
	key, err := statement.ParsePrivate([]byte(cfg.StatementKey.Reveal()))
	b.key = key
	return b, err
}

// Statement implements httpapi.Accounts. One that is final is signed, where
// there is a key.
func (b *books) Statement(ctx context.Context, project string, m statement.Month) (s statement.Statement, err error) {
	err = b.turns.take(ctx, bookWithin, func(ctx context.Context) error {
		s, err = b.statements.Make(ctx, project, m, bookSettles)
		return err
	})
	if err != nil || b.key == nil || s.State != statement.Final {
		return s, err
	}
	return s.Sign(b.key, false)
}

// Usage implements httpapi.Accounts.
func (b *books) Usage(ctx context.Context, q usage.Query) (r usage.Report, err error) {
	err = b.turns.take(ctx, bookWithin, func(ctx context.Context) error {
		r, err = b.meters.Usage(ctx, q)
		return err
	})
	return r, err
}
