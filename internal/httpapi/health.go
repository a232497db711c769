package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/singleflight"

	"github.com/busuhq/busu/internal/system"
)

// Check is something that a process needs.
type Check struct {
	Name  string
	Run   func(ctx context.Context) error // nil when it is well
	Store bool                            // while it fails, requests are answered without it, and say so
}

// Health answers whether a process lives and whether it is ready, and serves
// its metrics. All processes have it, the API beside its own routes.
type Health struct {
	checks   []Check
	running  singleflight.Group // of checks, by name
	registry *prometheus.Registry
	log      *slog.Logger
	away     atomic.Pointer[[]string] // stores, by their checks' names
	seen     atomic.Pointer[[]system.Check]

	mu       sync.Mutex
	drained  bool
	draining chan struct{} // closed once drained
	feeds    sync.WaitGroup
}

// NewHealth makes a Health.
func NewHealth(r *prometheus.Registry, log *slog.Logger, checks ...Check) *Health {
	h := &Health{checks: checks, registry: r, log: log, draining: make(chan struct{})}
	for _, check := range checks {
		if check.Store {
			h.export(check.Name)
		}
	}
	return h
}

const (
	// checkWithin bounds a check: a store that hangs is as bad as one that is
	// down.
	checkWithin = time.Second
	// drainWithin bounds the wait for live feeds.
	drainWithin = 250 * time.Millisecond
)

// Drain makes the process not ready, so that balancers leave it alone before
// it stops, and ends live feeds. It waits a moment for them to say goodbye,
// which a server that shuts down does not.
func (h *Health) Drain() {
	h.mu.Lock()
	if !h.drained {
		h.drained = true
		close(h.draining)
	}
	h.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		h.feeds.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(drainWithin):
	}
}

// beginFeed counts a live feed until done; ok is false when there shall be no
// more.
func (h *Health) beginFeed() (done func(), ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.drained {
		return nil, false
	}
	h.feeds.Add(1)
	return h.feeds.Done, true
}

// Registry is where the process's metrics are registered.
func (h *Health) Registry() *prometheus.Registry { return h.registry }

// Handler serves health and metrics alone, for processes without an API.
func (h *Health) Handler() http.Handler {
	e := newEcho(h.log)
	h.routes(e)
	return e
}

func (h *Health) routes(e *echo.Echo) {
	get(e, "/healthz", func(c echo.Context) error {
		return c.JSON(http.StatusOK, map[string]string{"status": "ok"})
	})
	get(e, "/readyz", h.ready)
	get(e, "/metrics", echo.WrapHandler(promhttp.HandlerFor(h.registry, promhttp.HandlerOpts{EnableOpenMetrics: true})))
}

// What comes of a check.
const (
	passed  = "ok"
	failing = "failing"
)

// readiness maps each check to ok or failing.
type readiness struct {
	Status string            `json:"status"` // ready, not_ready or draining
	Checks map[string]string `json:"checks"`
}

// ready answers 200 while all checks pass. With degraded=allowed it does so
// while requests can be answered, if need be without a store: one that is away
// is away for all processes, and a balancer shall not leave them all alone.
func (h *Health) ready(c echo.Context) error {
	r := readiness{Status: "ready", Checks: h.run(c.Request().Context())}
	without := c.QueryParam("degraded") == "allowed"
	for _, check := range h.checks {
		if r.Checks[check.Name] != passed && !(without && check.Store) {
			r.Status = "not_ready"
		}
	}
	select {
	case <-h.draining:
		r.Status = "draining"
	default:
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	if r.Status != "ready" {
		return c.JSON(http.StatusServiceUnavailable, r)
	}
	return c.JSON(http.StatusOK, r)
}

// run runs all checks at once.
func (h *Health) run(ctx context.Context) map[string]string {
	ctx, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	results := make([]string, len(h.checks))
	var wait sync.WaitGroup
	for i, check := range h.checks {
		wait.Go(func() {
			results[i] = passed
			if err := h.check(ctx, check); err != nil {
				results[i] = failing // the reason may name hosts and users; anybody may ask
				h.log.Debug("not ready", "check", check.Name, "err", err)
			}
		})
	}
	wait.Wait()
	byName := map[string]string{}
	for i, check := range h.checks {
		byName[check.Name] = results[i]
	}
	return byName
}

// check shares a check that is under way already, so that one that hangs in
// spite of its context is not started again with every probe, and neither is
// one that anybody may ask for as often as they like.
func (h *Health) check(ctx context.Context, check Check) error {
	result := h.running.DoChan(check.Name, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkWithin)
		defer cancel()
		return nil, check.Run(ctx)
	})
	select {
	case r := <-result:
		return r.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}
