package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/rollup"
)

// stand is a board and a counter that fail when told to.
type stand struct {
	mu                     sync.Mutex
	boardFails, countFails bool
	boardHangs             bool
	counted                int
}

var errAway = errors.New("away")

func (s *stand) state() (boardFails, hangs, countFails bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.boardFails, s.boardHangs, s.countFails
}

func (s *stand) Live(ctx context.Context, project string) (rollup.Snapshot, error) {
	r, err := s.read(ctx, rollup.Windows()[0])
	return rollup.NewSnapshot(r, new(rollup.Sums), nil), err
}

func (s *stand) Report(ctx context.Context, _ string, w rollup.Window) (rollup.Report, error) {
	return s.read(ctx, w)
}

func (s *stand) read(ctx context.Context, w rollup.Window) (rollup.Report, error) {
	fails, hangs, _ := s.state()
	if hangs {
		<-ctx.Done()
		return rollup.Report{}, ctx.Err()
	}
	if fails {
		return rollup.Report{}, errAway
	}
	return rollup.NewReport(w, nil, rollup.SourceRedis, time.Now()), nil
}

// rows is the stand's other side.
type rows struct{ *stand }

func (r rows) Report(_ context.Context, _ string, w rollup.Window, now time.Time) (rollup.Report, error) {
	_, _, fails := r.state()
	r.mu.Lock()
	r.counted++
	r.mu.Unlock()
	time.Sleep(10 * time.Millisecond) // as long as a query takes; the clock is synctest's
	if fails {
		return rollup.Report{}, errAway
	}
	return rollup.NewReport(w, nil, rollup.SourcePostgres, now), nil
}

func (s *stand) set(boardFails, hangs, countFails bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.boardFails, s.boardHangs, s.countFails = boardFails, hangs, countFails
}

func TestMetricsFallBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(stand)
		m := newMetrics(s, rows{s}, nil)
		hour := rollup.Windows()[2]
		check := func(what, source string, stale bool) {
			t.Helper()
			began := time.Now()
			r, err := m.Report(t.Context(), "default", hour)
			if err != nil || r.Source != source || r.Stale != stale {
				t.Errorf("%s: source %q, stale %t, %v", what, r.Source, r.Stale, err)
			}
			if took := time.Since(began); took > boardWithin+counterWithin {
				t.Errorf("%s: it took %s", what, took)
			}
		}
		check("all is well", rollup.SourceRedis, false)
		s.set(true, false, false)
		check("redis is down", rollup.SourcePostgres, false)
		s.set(false, true, false)
		check("redis hangs", rollup.SourcePostgres, false)

		s.set(true, false, true)
		for range 20 {
			check("both are down", rollup.SourcePostgres, true)
		}
		if s.counted != 2+tripAfter+1 {
			t.Errorf("a failing database was asked %d times", s.counted-2)
		}
		s.set(true, false, false)
		check("the breaker is open", rollup.SourcePostgres, true)
		time.Sleep(probeAfter + time.Second)
		check("the breaker has probed", rollup.SourcePostgres, false)
		s.set(false, false, false)
		check("redis is back", rollup.SourceRedis, false)
	})
}

func TestMetricsWithoutAnything(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(stand)
		s.set(true, false, true)
		if _, err := newMetrics(s, rows{s}, nil).Report(t.Context(), "default", rollup.Windows()[0]); !errors.Is(err, errAway) {
			t.Errorf("without any source: %v", err)
		}
		if _, err := newMetrics(s, rows{s}, nil).Live(t.Context(), "default"); !errors.Is(err, errAway) {
			t.Errorf("without any source: %v", err)
		}
	})
}

// A thousand who ask at once cause one query.
func TestMetricsCountOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(stand)
		s.set(true, false, false)
		m := newMetrics(s, rows{s}, nil)
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() {
				if _, err := m.Live(t.Context(), "default"); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if s.counted != 1 {
			t.Errorf("rows were counted %d times", s.counted)
		}
	})
}

// TestMetricsOfManyProjects are not kept for ever: callers may name any number.
func TestMetricsOfManyProjects(t *testing.T) {
	t.Parallel()
	m, w := newMetrics(new(stand), nil, nil), rollup.Windows()[0]
	for i := range mostReadings + 1 {
		if _, err := m.Report(t.Context(), fmt.Sprint(i), w); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(m.last); n > mostReadings {
		t.Errorf("%d reports are kept", n)
	}
}
