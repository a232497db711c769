package httpapi

import (
	"context"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/busuhq/busu/internal/system"
)

// watchEvery is the time between two looks at the stores. With checkWithin it
// bounds how late answers say that one is away.
const watchEvery = time.Second

// Watch looks after the stores until ctx ends, so that requests need not.
func (h *Health) Watch(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		results := h.run(ctx)
		if ctx.Err() != nil {
			return nil
		}
		h.note(results)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// note keeps which stores are away, and tells of it once.
func (h *Health) note(results map[string]string) {
	var away []string
	before := h.Away()
	for _, check := range h.checks {
		if !check.Store {
			continue
		}
		fails, known := results[check.Name] != passed, slices.Contains(before, check.Name)
		if fails {
			away = append(away, check.Name)
		}
		switch {
		case fails && !known:
			h.log.Warn("a store does not answer; requests go on without it", "store", check.Name)
		case !fails && known:
			h.log.Info("a store answers again", "store", check.Name)
		}
	}
	h.away.Store(&away)
	h.looked(results, time.Now())
}

// looked keeps what came of each check, and since when.
func (h *Health) looked(results map[string]string, now time.Time) {
	before := h.Checks()
	seen := make([]system.Check, len(h.checks))
	for i, check := range h.checks {
		seen[i] = system.Check{Name: check.Name, OK: results[check.Name] == passed, Since: now.UTC().Truncate(time.Millisecond)}
		if i < len(before) && before[i].OK == seen[i].OK {
			seen[i].Since = before[i].Since
		}
	}
	h.seen.Store(&seen)
}

// Checks tells what Watch found when it last looked, and since when it does;
// nothing before its first look.
func (h *Health) Checks() []system.Check {
	if seen := h.seen.Load(); seen != nil {
		return *seen
	}
	return []system.Check{}
}

// Away names the stores that did not answer when Watch last looked.
func (h *Health) Away() []string {
	if away := h.away.Load(); away != nil {
		return *away
	}
	return nil
}

// export lets Prometheus see what Watch sees.
func (h *Health) export(store string) {
	h.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "busu_store_up",
		Help: "Whether a store answers: 1, or 0 while requests go on without it.", ConstLabels: prometheus.Labels{"store": store},
	}, func() float64 {
		if slices.Contains(h.Away(), store) {
			return 0
		}
		return 1
	}))
}
