package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
	"golang.org/x/sync/singleflight"

	"github.com/busuhq/busu/internal/rollup"
)

// board is where the aggregator publishes; see redisdb.
type board interface {
	Live(ctx context.Context, project string) (rollup.Snapshot, error)
	Report(ctx context.Context, project string, w rollup.Window) (rollup.Report, error)
}

// counter counts rows; see postgres.
type counter interface {
	Report(ctx context.Context, project string, w rollup.Window, now time.Time) (rollup.Report, error)
}

// metrics reads what the aggregator has published, and counts rows while that
// is not to be had. A database that fails too is left alone for a while, and
// the last report is served, marked stale. However many ask at once, one of
// them reads.
type metrics struct {
	board   board
	counter counter
	breaker *gobreaker.CircuitBreaker[rollup.Report]
	flights singleflight.Group
	*histories

	mu   sync.Mutex
	last map[string]rollup.Report // by project and window
}

const (
	boardWithin   = 250 * time.Millisecond
	counterWithin = 2 * time.Second
	staleAfter    = 5 * time.Second
	tripAfter     = 5 // failures in a row
	probeAfter    = time.Minute
)

func newMetrics(b board, c counter, h historian) *metrics {
	return &metrics{board: b, counter: c, histories: newHistories(h), last: map[string]rollup.Report{},
		breaker: gobreaker.NewCircuitBreaker[rollup.Report](gobreaker.Settings{
			Name: "metrics", Timeout: probeAfter,
			ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures > tripAfter },
		})}
}

// Live implements httpapi.Metrics.
func (m *metrics) Live(ctx context.Context, project string) (rollup.Snapshot, error) {
	fast, cancel := context.WithTimeout(ctx, boardWithin)
	defer cancel()
	s, err := m.board.Live(fast, project)
	if err == nil {
		s.Stale = time.Since(s.AsOf) > staleAfter
		m.remember(project, s.Report)
		return s, nil
	}
	minute, fallbackErr := m.count(project, rollup.Windows()[0])
	if fallbackErr != nil {
		return rollup.Snapshot{}, errors.Join(err, fallbackErr)
	}
	return rollup.NewSnapshot(minute, nil, nil), nil
}

// Report implements httpapi.Metrics.
func (m *metrics) Report(ctx context.Context, project string, w rollup.Window) (rollup.Report, error) {
	fast, cancel := context.WithTimeout(ctx, boardWithin)
	defer cancel()
	r, err := m.board.Report(fast, project, w)
	if err == nil {
		r.Stale = time.Since(r.AsOf) > staleAfter
		m.remember(project, r)
		return r, nil
	}
	r, fallbackErr := m.count(project, w)
	if fallbackErr != nil {
		return rollup.Report{}, errors.Join(err, fallbackErr)
	}
	return r, nil
}

// count counts rows, once for all who ask meanwhile, or gives the last report.
func (m *metrics) count(project string, w rollup.Window) (rollup.Report, error) {
	key := project + "\x00" + w.Name
	r, err, _ := m.flights.Do(key, func() (any, error) {
		return m.breaker.Execute(func() (rollup.Report, error) {
			ctx, cancel := context.WithTimeout(context.Background(), counterWithin) // nobody's own: others wait for it too
			defer cancel()
			return m.counter.Report(ctx, project, w, time.Now())
		})
	})
	if err == nil {
		m.remember(project, r.(rollup.Report))
		return r.(rollup.Report), nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if last, ok := m.last[key]; ok {
		last.Stale = true
		return last, nil
	}
	return rollup.Report{}, err
}

func (m *metrics) remember(project string, r rollup.Report) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.last) >= mostReadings { // callers may name any number of projects
		clear(m.last)
	}
	m.last[project+"\x00"+r.Window] = r
}
