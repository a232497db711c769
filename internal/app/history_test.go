package app

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/rollup"
)

// chronicle counts how often it is read, and fails when told to.
type chronicle struct {
	mu    sync.Mutex
	reads int
	fails bool
}

func (c *chronicle) History(_ context.Context, _ string, s rollup.Span, now time.Time) (rollup.History, error) {
	time.Sleep(10 * time.Millisecond) // as long as a query takes; the clock is synctest's
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reads++; c.fails {
		return rollup.History{}, errAway
	}
	return rollup.NewHistory(s, nil, rollup.SourcePostgres, now)
}

func (c *chronicle) set(fails bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fails = fails
}

func TestHistoryIsReadOnceAndKeptBriefly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := new(chronicle)
		h := newHistories(c)
		span := rollup.Span{Length: time.Hour, Step: time.Minute}
		ask := func(project string, stale bool) {
			t.Helper()
			got, err := h.History(t.Context(), project, span)
			if err != nil || got.Stale != stale || len(got.Points) != 60 {
				t.Errorf("stale %t, %d points: %v", got.Stale, len(got.Points), err)
			}
		}
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() { ask("default", false) })
		}
		all.Wait()
		ask("default", false)
		if c.reads != 1 {
			t.Errorf("it was read %d times", c.reads)
		}
		ask("another", false)
		time.Sleep(freshFor(span))
		ask("default", false)
		if c.reads != 3 {
			t.Errorf("it was read %d times, not once for each project, and again later", c.reads)
		}
		c.set(true)
		time.Sleep(time.Hour)
		for range 20 {
			ask("default", true)
		}
		if c.reads != 3+tripAfter+1 {
			t.Errorf("a failing database was asked %d times", c.reads-3)
		}
		if _, err := h.History(t.Context(), "a third", span); err == nil {
			t.Error("there is a history of what was never read")
		}
		c.set(false)
		time.Sleep(historyProbes + time.Second)
		ask("default", false)
	})
}

// However many different histories are asked for, few are kept.
func TestHistoriesAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := new(chronicle)
		h := newHistories(c)
		for minutes := range 1000 {
			span := rollup.Span{Length: time.Duration(1000+minutes) * time.Minute, Step: time.Minute}
			if _, err := h.History(t.Context(), "default", span); err != nil {
				t.Fatal(err)
			}
		}
		points := 0
		for _, kept := range h.kept {
			points += pointsOf(kept.value)
		}
		if points > mostKept || points != h.points || len(h.kept) < 40 {
			t.Errorf("%d histories with %d points are kept, counted are %d", len(h.kept), points, h.points)
		}
		reads := c.reads
		if _, err := h.History(t.Context(), "default", rollup.Span{Length: 1999 * time.Minute, Step: time.Minute}); err != nil || c.reads != reads {
			t.Errorf("the newest was not kept: %v", err)
		}
	})
}

func TestHistoryWithoutADatabase(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &chronicle{fails: true}
		if _, err := newHistories(c).History(t.Context(), "default", rollup.Span{Length: time.Hour, Step: time.Minute}); !errors.Is(err, errAway) {
			t.Errorf("without a database: %v", err)
		}
	})
}
