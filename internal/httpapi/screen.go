package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/singleflight"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/rollup"
)

// view is whose snapshot is shown, and whether with what is of all projects.
type view struct {
	project  string
	oversees bool
}

func viewOf(c access.Caller) view { return view{c.Project, c.May(access.Oversee)} }

// key tells views apart: no project's name has a space.
func (v view) key() string { return fmt.Sprint(v.project, " ", v.oversees) }

// ofOneProject is a snapshot without what sums the traffic of all projects:
// there is no pipeline, and of the providers only how their breakers stand.
type ofOneProject struct {
	rollup.Snapshot
	Pipeline  *rollup.Pipeline `json:"pipeline"`
	Providers []breaker        `json:"providers"`
}

type breaker struct {
	Name         string  `json:"name"`
	Breaker      string  `json:"breaker"`
	BreakerForMS float64 `json:"breaker_for_ms"`
	NextProbeMS  float64 `json:"next_probe_ms"`
}

// of is what a view has of a snapshot.
func (v view) of(s rollup.Snapshot) any {
	if v.oversees {
		return s
	}
	one := ofOneProject{Snapshot: s}
	if s.Providers != nil {
		one.Providers = []breaker{}
	}
	for _, p := range s.Providers {
		one.Providers = append(one.Providers, breaker{p.Name, p.Breaker, p.BreakerForMS, p.NextProbeMS})
	}
	return one
}

// screen shows each view of the live snapshot to all who look, as JSON. However
// many there are, it is read and written once in a while: nobody has one of
// their own, and who is slow finds the latest.
type screen struct {
	metrics   Metrics
	flights   singleflight.Group
	listeners atomic.Int64

	mu       sync.Mutex
	shown    map[view]picture // while they may still be shown
	swept    time.Time
	renewing map[view]bool
}

// picture is a snapshot as it is sent.
type picture struct {
	body []byte
	read time.Time
}

// A snapshot is shown for as long as it takes until there is another. For a
// while longer it is still shown, while the next one is read: nobody waits for
// Redis where many look.
const (
	showFor = 250 * time.Millisecond
	keepFor = 750 * time.Millisecond
)

func newScreen(m Metrics) *screen {
	return &screen{metrics: m, shown: map[view]picture{}, renewing: map[view]bool{}}
}

// export lets Prometheus see how many look.
func (s *screen) export(r prometheus.Registerer) {
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "busu_live_listeners",
		Help: "WebSockets that the live snapshot is sent to."}, func() float64 { return float64(s.listeners.Load()) }))
}

// snapshot gives a view's latest. Its bytes are everybody's: they must not be
// changed.
func (s *screen) snapshot(ctx context.Context, v view) ([]byte, error) {
	body, age := s.latest(v)
	switch {
	case body != nil && age < showFor:
		return body, nil
	case body != nil && age < keepFor:
		s.renew(ctx, v)
		return body, nil
	}
	return s.next(ctx, v)
}

// next reads what is shown next, once for all who want it meanwhile.
func (s *screen) next(ctx context.Context, v view) ([]byte, error) {
	read, err, _ := s.flights.Do(v.key(), func() (any, error) {
		if body, age := s.latest(v); body != nil && age < showFor { // another flight has just landed
			return body, nil
		}
		return s.read(context.WithoutCancel(ctx), v) // others wait for it too
	})
	if err != nil {
		return nil, err
	}
	return read.([]byte), nil
}

// renew reads the next one apart, for as long as Live may take, unless somebody
// does. What goes wrong is met by who waits for it.
func (s *screen) renew(ctx context.Context, v view) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.renewing[v] {
		return
	}
	s.renewing[v] = true
	go func() {
		defer func() {
			_ = recover()
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.renewing, v)
		}()
		_, _ = s.next(ctx, v)
	}()
}

// latest is what was read last, and how long ago.
func (s *screen) latest(v view) (body []byte, age time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.shown[v]
	return last.body, time.Since(last.read)
}

func (s *screen) read(ctx context.Context, v view) ([]byte, error) {
	began := time.Now()
	snapshot, err := s.metrics.Live(ctx, v.project)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(v.of(snapshot))
	if err != nil {
		return nil, fmt.Errorf("encode live snapshot: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shown[v] = picture{body, began}
	if began.Sub(s.swept) > keepFor { // callers may name any number of projects
		s.swept = began
		maps.DeleteFunc(s.shown, func(_ view, p picture) bool { return began.Sub(p.read) > keepFor })
	}
	return body, nil
}
