package app

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
	"golang.org/x/sync/singleflight"

	"github.com/busuhq/busu/internal/rollup"
)

// historian reads rollups; see postgres.
type historian interface {
	History(ctx context.Context, project string, s rollup.Span, now time.Time) (rollup.History, error)
}

// histories reads each history once for all who ask meanwhile and shortly
// after. While the database is away the last ones are served, marked stale.
type histories struct {
	source  historian
	breaker *gobreaker.CircuitBreaker[rollup.History]
	flights singleflight.Group

	mu     sync.Mutex
	kept   map[string]rollup.History // by project and span
	points int                       // in all of them
}

const (
	historyWithin = 5 * time.Second
	historyProbes = 5 * time.Second
	// mostKept bounds the points that are kept, of about 300 bytes each.
	mostKept = 100_000
)

func newHistories(h historian) *histories {
	return &histories{source: h, kept: map[string]rollup.History{},
		breaker: gobreaker.NewCircuitBreaker[rollup.History](gobreaker.Settings{
			Name: "history", Timeout: historyProbes,
			ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures > tripAfter },
		})}
}

// freshFor is how long a history is as good as a new one: a thirtieth of its
// step, which nobody sees in a chart, and 15 s at most.
func freshFor(s rollup.Span) time.Duration { return min(s.Step/30, 15*time.Second) }

// History implements httpapi.Metrics.
func (h *histories) History(_ context.Context, project string, s rollup.Span) (rollup.History, error) {
	key := fmt.Sprintf("%s\x00%+v", project, s)
	last, ok := h.get(key)
	if ok && time.Since(last.AsOf) < freshFor(s) {
		return last, nil
	}
	read, err, _ := h.flights.Do(key, func() (any, error) {
		return h.breaker.Execute(func() (rollup.History, error) {
			ctx, cancel := context.WithTimeout(context.Background(), historyWithin) // nobody's own: others wait for it too
			defer cancel()
			return h.source.History(ctx, project, s, time.Now())
		})
	})
	if err != nil {
		last.Stale = true
		if ok {
			err = nil
		}
		return last, err
	}
	h.keep(key, read.(rollup.History))
	return read.(rollup.History), nil
}

func (h *histories) get(key string) (rollup.History, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	last, ok := h.kept[key]
	return last, ok
}

// keep puts a history in the place of the one before, and lets go of the
// oldest while there are too many.
func (h *histories) keep(key string, history rollup.History) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.points += pointsOf(history) - pointsOf(h.kept[key])
	h.kept[key] = history
	for h.points > mostKept && len(h.kept) > 1 {
		oldest := key
		for k, other := range h.kept {
			if other.AsOf.Before(h.kept[oldest].AsOf) {
				oldest = k
			}
		}
		h.points -= pointsOf(h.kept[oldest])
		delete(h.kept, oldest)
	}
}

func pointsOf(h rollup.History) int { return len(h.Points) * (1 + len(h.Series)) }
