package app

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/requests"
	"github.com/busuhq/busu/internal/routing"
)

// shelf is an archive in which records appear at a time.
type shelf struct {
	appears time.Time
	record  requests.Record

	mu          sync.Mutex
	looks, most int // at once
	now         int
}

func (s *shelf) look() func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looks++
	s.now++
	s.most = max(s.most, s.now)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.now--
	}
}

func (s *shelf) FindRequests(ctx context.Context, _ string, _ requests.Query, _ time.Duration) (requests.Page, error) {
	defer s.look()()
	select {
	case <-ctx.Done():
		return requests.Page{}, ctx.Err()
	case <-time.After(time.Second):
		return requests.Page{}, nil
	}
}

func (s *shelf) Request(context.Context, string, uuid.UUID) (requests.Record, error) {
	defer s.look()()
	if time.Now().Before(s.appears) {
		return requests.Record{}, requests.ErrUnknown
	}
	return s.record, nil
}

func idAt(at time.Time) uuid.UUID { return eventtest.ID(rand.New(rand.NewPCG(1, 1)), at) }

// Who has an answer can ask for its record at once.
func TestRecordsThatAreOnTheirWayAreWaitedFor(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		age, appears time.Duration // before now; from now on
		waits        time.Duration
		found        bool
	}{
		"there":             {0, 0, 0, true},
		"a moment later":    {0, 350 * time.Millisecond, 400 * time.Millisecond, true},
		"after a long call": {5 * time.Minute, 350 * time.Millisecond, 400 * time.Millisecond, true},
		"too late":          {0, time.Minute, persistsWithin, false},
		"long ago":          {time.Hour, time.Minute, 0, false},
		"of the future":     {-time.Hour, time.Minute, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				r := newRecords(&shelf{appears: began.Add(test.appears)}, nil)
				_, err := r.Request(t.Context(), "default", idAt(began.Add(-test.age)))
				if waited := time.Since(began); (err == nil) != test.found || err != nil && !errors.Is(err, requests.ErrUnknown) || waited != test.waits {
					t.Errorf("waited %s, want %s; %v", waited, test.waits, err)
				}
			})
		})
	}
}

// Looking leaves the worker its connections, and nobody waits for ever.
func TestFewLookAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(shelf)
		r := newRecords(s, nil)
		var all sync.WaitGroup
		var gaveUp int
		var mu sync.Mutex
		for range 30 {
			all.Go(func() {
				if _, err := r.Find(t.Context(), "default", requests.Query{}); errors.Is(err, context.DeadlineExceeded) {
					mu.Lock()
					gaveUp++
					mu.Unlock()
				}
			})
		}
		all.Wait()
		if s.most != lookersAtOnce || gaveUp == 0 || gaveUp > 30-2*lookersAtOnce {
			t.Errorf("%d looked at once, %d gave up", s.most, gaveUp)
		}
	})
}

// A cost is explained at the prices that it was charged at, and at no others.
func TestCostsAreExplainedAtTheirPrices(t *testing.T) {
	t.Parallel()
	offer := func(version string, dollars pricing.Nanos) gateway.Offer {
		return gateway.Offer{PriceVersion: version, Candidates: []routing.Candidate{{Model: llm.Model{ID: "small"}, Price: pricing.Price{Input: dollars * 1_000_000_000}}}}
	}
	now := offer("now", 1)
	prices := pricesOf(&gateway.Gateway{Candidates: now.Candidates, PriceVersion: "now", Later: []gateway.Offer{offer("later", 2)}})
	for _, test := range []struct {
		version string
		nanos   int64
		price   int64
	}{{"now", 7000, 1_000_000_000}, {"later", 14_000, 2_000_000_000}, {"before", 7000, 0}, {"now", 7001, 0}} {
		model := "small"
		r := requests.Record{Entry: requests.Entry{Model: &model, TokensIn: 7}, Cost: requests.Cost{OriginNanos: test.nanos, PriceVersion: &test.version}}
		prices.explain(&r)
		if (test.price == 0) != (r.Cost.Lines == nil) || test.price > 0 && r.Cost.Lines[0].NanosPerMtok != test.price {
			t.Errorf("%+v: %+v", test, r.Cost.Lines)
		}
	}
}
