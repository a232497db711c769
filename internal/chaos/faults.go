package chaos

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"time"
)

// target is what faults happen to.
type target interface {
	Name() string
	lock() // for the time of a fault
	unlock()
	kill()
	stop(ctx context.Context) error
	signal(sig syscall.Signal) error
	start(ctx context.Context) error
}

func (e *engine) targets() map[string]target {
	all := map[string]target{"postgres": &store{server: e.stores.stack.Postgres}}
	if e.stores.several != nil {
		e.master = &master{of: e.stores.several, found: e.found}
		all["redis"] = e.master
	} else {
		all["redis"] = &store{server: e.stores.stack.Redis}
	}
	for _, p := range e.procs {
		all[p.name] = p
	}
	return all
}

// warmUp is how long there is load before the first fault.
const warmUp = time.Second

// inflict carries out the faults, each when its time comes, whatever is still
// wrong from the ones before; and waits until all are over.
func (e *engine) inflict(ctx context.Context, faults []Fault) error {
	all := e.targets()
	var going sync.WaitGroup
	defer going.Wait()
	kills, next := 0, time.Now().Add(warmUp)
	for i, f := range faults {
		next = next.Add(f.After)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Until(next)):
		}
		if f.Kind == FaultKill {
			kills += len(f.Targets)
		}
		e.o.Log.Info("fault", "n", fmt.Sprintf("%d/%d", i+1, len(faults)), "kills", kills, "fault", f.String(),
			"sent", e.load.sent.Load(), "calls_in_flight", e.upstream.inFlight.Load())
		for _, name := range f.Targets {
			going.Go(func() {
				strike := func() error { return e.strike(ctx, f, all[name]) }
				if f.Kind == FaultClock {
					strike = func() error { return e.stepClock(ctx, f) }
				}
				if err := strike(); err != nil {
					e.found.add("%s of %s: %v", f.Kind, name, err)
				}
			})
		}
	}
	return nil
}

func (e *engine) stepClock(ctx context.Context, f Fault) error {
	e.lag.blind.Store(true)
	defer e.lag.blind.Store(false)
	return e.clock.step(ctx, f.By, f.For)
}

// strike does one fault to one target, and mends it.
func (e *engine) strike(ctx context.Context, f Fault, t target) error {
	t.lock()
	defer t.unlock()
	if t.Name() == "redis" && (f.Kind != FaultStop || e.o.Replicated()) {
		defer e.shown.loss()()
	}
	switch f.Kind {
	case FaultKill:
		e.atKills.await(ctx, e.load, e.upstream)
		t.kill()
		pause(ctx, f.For)
		return t.start(ctx)
	case FaultTerm:
		if err := t.stop(ctx); err != nil {
			return err
		}
		pause(ctx, f.For)
		return t.start(ctx)
	case FaultStop:
		if err := t.signal(syscall.SIGSTOP); err != nil {
			return err
		}
		pause(ctx, f.For)
		return t.signal(syscall.SIGCONT)
	case FaultFlush:
		return flushAll(ctx, e.stores.raw)
	}
	return fmt.Errorf("fault %q is not known", f.Kind)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
