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
)

// screen shows each project's live snapshot to all who look, as JSON. However
// many there are, it is read and written once in a while: nobody has one of
// their own, and who is slow finds the latest.
type screen struct {
	metrics   Metrics
	flights   singleflight.Group
	listeners atomic.Int64

	mu       sync.Mutex
	shown    map[string]picture // by project; while they may still be shown
	swept    time.Time
	renewing map[string]bool // likewise
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
	return &screen{metrics: m, shown: map[string]picture{}, renewing: map[string]bool{}}
}

// export lets Prometheus see how many look.
func (s *screen) export(r prometheus.Registerer) {
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "busu_live_listeners",
		Help: "WebSockets that the live snapshot is sent to."}, func() float64 { return float64(s.listeners.Load()) }))
}

// snapshot gives a project's latest. Its bytes are everybody's: they must not be
// changed.
func (s *screen) snapshot(ctx context.Context, project string) ([]byte, error) {
	body, age := s.latest(project)
	switch {
	case body != nil && age < showFor:
		return body, nil
	case body != nil && age < keepFor:
		s.renew(ctx, project)
		return body, nil
	}
	return s.next(ctx, project)
}

// next reads what is shown next, once for all who want it meanwhile.
func (s *screen) next(ctx context.Context, project string) ([]byte, error) {
	read, err, _ := s.flights.Do(project, func() (any, error) {
		if body, age := s.latest(project); body != nil && age < showFor { // another flight has just landed
			return body, nil
		}
		return s.read(context.WithoutCancel(ctx), project) // others wait for it too
	})
	if err != nil {
		return nil, err
	}
	return read.([]byte), nil
}

// renew reads the next one apart, for as long as Live may take, unless somebody
// does. What goes wrong is met by who waits for it.
func (s *screen) renew(ctx context.Context, project string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.renewing[project] {
		return
	}
	s.renewing[project] = true
	go func() {
		defer func() {
			_ = recover()
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.renewing, project)
		}()
		_, _ = s.next(ctx, project)
	}()
}

// latest is what was read last, and how long ago.
func (s *screen) latest(project string) (body []byte, age time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.shown[project]
	return last.body, time.Since(last.read)
}

func (s *screen) read(ctx context.Context, project string) ([]byte, error) {
	began := time.Now()
	snapshot, err := s.metrics.Live(ctx, project)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(snapshot)
	if err != nil {
		return nil, fmt.Errorf("encode live snapshot: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shown[project] = picture{body, began}
	if began.Sub(s.swept) > keepFor { // callers may name any number of projects
		s.swept = began
		maps.DeleteFunc(s.shown, func(_ string, p picture) bool { return began.Sub(p.read) > keepFor })
	}
	return body, nil
}
