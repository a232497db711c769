package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
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

	mu    sync.Mutex
	shown map[string]picture // by project
}

// picture is a snapshot as it is sent.
type picture struct {
	body []byte
	read time.Time
}

// showFor is how long a snapshot is shown: as long as it takes until there is
// another.
const showFor = 250 * time.Millisecond

func newScreen(m Metrics) *screen { return &screen{metrics: m, shown: map[string]picture{}} }

// export lets Prometheus see how many look.
func (s *screen) export(r prometheus.Registerer) {
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "busu_live_listeners",
		Help: "WebSockets that the live snapshot is sent to."}, func() float64 { return float64(s.listeners.Load()) }))
}

// snapshot gives a project's latest. Its bytes are everybody's: they must not be
// changed.
func (s *screen) snapshot(ctx context.Context, project string) ([]byte, error) {
	if body, ok := s.latest(project); ok {
		return body, nil
	}
	read, err, _ := s.flights.Do(project, func() (any, error) {
		if body, ok := s.latest(project); ok { // another flight has just landed
			return body, nil
		}
		return s.read(context.WithoutCancel(ctx), project) // others wait for it too
	})
	if err != nil {
		return nil, err
	}
	return read.([]byte), nil
}

func (s *screen) latest(project string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last, ok := s.shown[project]
	return last.body, ok && time.Since(last.read) < showFor
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
	return body, nil
}
