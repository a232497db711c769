package app

import (
	"context"
	"crypto/ed25519"
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/savings"
	"github.com/busuhq/busu/internal/statement"
	"github.com/busuhq/busu/internal/usage"
)

// ledgerBooks has facts waiting for so many looks, and counts who reads at once.
type ledgerBooks struct {
	mu           sync.Mutex
	waiting      int64
	unheard      error
	reading      int
	most         int
	takes        time.Duration
	beats, looks int
}

func (c *ledgerBooks) Heartbeats(context.Context) ([]event.Heartbeat, error) {
	c.beats++
	return []event.Heartbeat{{Journal: "j"}}, c.unheard
}

func (c *ledgerBooks) StatementJournals(_ context.Context, beats []event.Heartbeat, now time.Time) (statement.Journals, error) {
	c.looks++
	j := statement.Journals{Watermark: now, Waiting: max(c.waiting, 0)}
	if len(beats) == 0 {
		return j, errors.New("nothing was announced")
	}
	c.waiting--
	return j, nil
}

func (c *ledgerBooks) StatementEvidence(_ context.Context, project string, m statement.Month, j statement.Journals, now time.Time) (statement.Evidence, error) {
	return statement.Evidence{Project: project, Month: m, AsOf: now, Journals: j, Counted: now, Groups: savings.Tally{Limit: math.Inf(1)}}, nil
}

func (c *ledgerBooks) Usage(_ context.Context, q usage.Query) (usage.Report, error) {
	c.mu.Lock()
	c.reading++
	c.most = max(c.most, c.reading)
	c.mu.Unlock()
	time.Sleep(c.takes)
	c.mu.Lock()
	c.reading--
	c.mu.Unlock()
	return usage.NewReport(q, nil, 0)
}

func oldMonth(t *testing.T) statement.Month {
	t.Helper()
	m, err := statement.ParseMonth("2000-01") // the clock of synctest begins then
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// What was announced at first is waited for, and no longer than is said.
func TestStatementsWait(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		waiting int64
		unheard error
		state   string
		looks   int
	}{"settled": {0, nil, statement.Final, 1}, "soon": {3, nil, statement.Final, 4}, "never": {math.MaxInt64, nil, statement.Provisional, 5},
		"Redis is away": {0, errAway, statement.Provisional, 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(40 * 24 * time.Hour)
				f := &ledgerBooks{waiting: c.waiting, unheard: c.unheard}
				s, err := NewStatements(f, f).Make(t.Context(), "p", oldMonth(t), time.Second)
				if err != nil || s.State != c.state || f.looks != c.looks || f.beats != 1 {
					t.Errorf("%s after %d looks: %q, %v", s.State, f.looks, s.Reasons, err)
				}
			})
		})
	}
}

// The API signs what is final, and nothing else.
func TestBooksSign(t *testing.T) {
	t.Parallel()
	private, public, _, err := statement.NewKey(rand.NewChaCha8([32]byte{}))
	if err != nil {
		t.Fatal(err)
	}
	key, err := statement.ParsePublic(public)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		for waiting, signed := range map[int64]bool{0: true, math.MaxInt64: false} {
			f := &ledgerBooks{waiting: waiting}
			b, err := newBooks(config.Config{StatementKey: config.NewSecret(string(private))}, NewStatements(f, f), f)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(40 * 24 * time.Hour)
			s, err := b.Statement(t.Context(), "p", oldMonth(t))
			if err != nil || (s.Signature != "") != signed {
				t.Errorf("%s, signed %q, %v", s.State, s.Signature, err)
			}
			checkSigned(t, s, key, signed)
		}
	})
	if b, err := newBooks(config.Config{}, nil, nil); err != nil || b.key != nil {
		t.Errorf("without a key: %v, %v", b.key, err)
	}
}

func checkSigned(t *testing.T, s statement.Statement, key ed25519.PublicKey, signed bool) {
	t.Helper()
	text, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := statement.Verify(text, key); (err == nil) != signed {
		t.Errorf("it is %v", err)
	}
}

// One reads at a time; those who wait too long are told so.
func TestBooksAreReadInTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &ledgerBooks{takes: 25 * time.Second}
		b, err := newBooks(config.Config{}, NewStatements(f, f), f)
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		errs := make(chan error, 4)
		for range 4 {
			all.Go(func() {
				_, err := b.Usage(t.Context(), usage.Query{})
				errs <- err
			})
		}
		all.Wait()
		close(errs)
		busy := 0
		for err := range errs {
			if errors.Is(err, errBusy) {
				busy++
			}
		}
		if f.most != 1 || busy != 1 {
			t.Errorf("%d at once, %d were told that others read", f.most, busy)
		}
	})
}
