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
	kept   map[string]reading[rollup.History] // by project and span
	points int                                // in all of them
}

const (
	historyWithin = 5 * time.Second
	historyProbes = 5 * time.Second
	// mostKept bounds the points that are kept, of about 300 bytes each.
	mostKept = 100_000
)

func newHistories(h historian) *histories {
	return &histories{source: h, kept: map[string]reading[rollup.History]{},
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
	if ok && time.Since(last.at) < freshFor(s) {
		return last.value, nil
	}
	read, err, _ := h.flights.Do(key, func() (any, error) {
		began := time.Now() // a replica may say that what it tells is older
		history, err := h.breaker.Execute(func() (rollup.History, error) {
			ctx, cancel := context.WithTimeout(context.Background(), historyWithin) // nobody's own: others wait for it too
			defer cancel()
			return h.source.History(ctx, project, s, began)
		})
		return reading[rollup.History]{value: history, at: began}, err
	})
	if err != nil {
		last.value.Stale = true
		if ok {
			err = nil
		}
		return last.value, err
	}
	fresh := read.(reading[rollup.History])
	h.keep(key, fresh)
	return fresh.value, nil
}

func (h *histories) get(key string) (reading[rollup.History], bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	last, ok := h.kept[key]
	return last, ok
}

// keep puts a history in the place of the one before, and lets go of the
// oldest while there are too many.
func (h *histories) keep(key string, history reading[rollup.History]) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.points += pointsOf(history.value) - pointsOf(h.kept[key].value)
	h.kept[key] = history
	for h.points > mostKept && len(h.kept) > 1 {
		oldest := key
		for k, other := range h.kept {
			if other.at.Before(h.kept[oldest].at) {
				oldest = k
			}
		}
		h.points -= pointsOf(h.kept[oldest].value)
		delete(h.kept, oldest)
	}
}

func pointsOf(h rollup.History) int { return len(h.Points) * (1 + len(h.Series)) }
