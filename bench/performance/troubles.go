package performance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/busuhq/busu/bench/load"
	"github.com/busuhq/busu/bench/measure"
	"github.com/busuhq/busu/internal/localstack"
)

// Names of scenarios.
const (
	slowName         = "slow upstream, 500/s"
	flakyName        = "failing upstream, 1k/s"
	overloadName     = "overload, twice what a provider bears"
	redisDownName    = "Redis down, 1k/s"
	postgresDownName = "PostgreSQL down, 1k/s"
)

// Figures of troubles.
const (
	addedP50   = "added_p50_us"
	addedP99   = "added_p99_us"
	ofCapacity = "answered_of_capacity_pct"
	backMS     = "ready_again_ms"
	slowRate   = 500
)

func (b *bench) troubles() []scenario {
	return []scenario{
		{slowName, b.slow},
		{flakyName, b.flaky},
		{overloadName, b.overload},
		{redisDownName, func(ctx context.Context) (measure.Figures, error) {
			return b.without(ctx, func(s *localstack.Stack) *localstack.Server { return s.Redis })
		}},
		{postgresDownName, func(ctx context.Context) (measure.Figures, error) {
			return b.without(ctx, func(s *localstack.Stack) *localstack.Server { return s.Postgres })
		}},
	}
}

// slow has many requests under way at once.
func (b *bench) slow(ctx context.Context) (measure.Figures, error) {
	r, err := b.everything(ctx)
	if err != nil {
		return nil, err
	}
	return sound(b.steadily(ctx, r.target(), r.fixed(slowModel, r.open).recipe(b.fresh(), 0), load.Load{Rate: slowRate, For: b.times.trouble}))
}

func (b *bench) flaky(ctx context.Context) (measure.Figures, error) {
	r, err := b.everything(ctx)
	if err != nil {
		return nil, err
	}
	_, f, err := b.steadily(ctx, r.target(), r.fixed(flakyModel, r.open).recipe(b.fresh(), 0), load.Load{})
	return f, err
}

// overload sends twice what a provider's limit lets through: what it bears is to
// be answered nevertheless, and the rest refused at once.
func (b *bench) overload(ctx context.Context) (measure.Figures, error) {
	r, err := b.everything(ctx)
	if err != nil {
		return nil, err
	}
	capacity := tightCalls * float64(time.Second) / float64(tightLatency)
	o, f, err := b.steadily(ctx, r.target(), r.fixed(tightModel, r.open).recipe(b.fresh(), 0),
		load.Load{Rate: int(2 * capacity), For: b.times.trouble})
	if err != nil {
		return nil, err
	}
	if o.Answered == 0 {
		return nil, fmt.Errorf("nothing is answered: %w", o.Err)
	}
	f[ofCapacity] = 100 * o.PerSecond() / capacity
	return f, nil
}

// without measures with a store that has just gone, and lets it return.
func (b *bench) without(ctx context.Context, which func(*localstack.Stack) *localstack.Server) (f measure.Figures, err error) {
	r, err := b.everything(ctx)
	if err != nil {
		return nil, err
	}
	server := which(r.stack)
	a := r.everythingOn()
	gone := make(chan error, 1)
	time.AfterFunc(b.times.warm, func() { gone <- server.Close(ctx) })
	o, f, err := b.withoutLoad(ctx, r, a)
	if err := errors.Join(err, <-gone); err != nil {
		return nil, err
	}
	began := time.Now()
	if err := server.Start(ctx); err != nil {
		return nil, err
	}
	if err := r.readyAgain(ctx); err != nil {
		return nil, err
	}
	f[backMS] = milliseconds(time.Since(began))
	r.known = time.Now().Add(cacheTTL)
	if o.Answered == 0 {
		return nil, fmt.Errorf("nothing is answered: %w", o.Err)
	}
	return f, nil
}

// withoutLoad measures no store: the one that is gone cannot be.
func (b *bench) withoutLoad(ctx context.Context, r *rig, a ask) (load.Outcome, measure.Figures, error) {
	t := r.target()
	t.process = nil
	return b.steadily(ctx, t, a.recipe(b.fresh(), 0), load.Load{For: b.times.trouble})
}

// readyAgain waits until the API says that it has all that it needs.
func (r *rig) readyAgain(ctx context.Context) error {
	for {
		response, err := http.Get(r.api.Base + "/readyz")
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		if err := pause(ctx, catchUpLook); err != nil {
			return fmt.Errorf("the API is not ready again: %w", err)
		}
	}
}
