package app

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/system"
)

// streamSide and rowSide are what the stores know; see redisdb and postgres.
type streamSide interface {
	State(ctx context.Context, partitions int) (*system.Redis, error)
}

type rowSide interface {
	State(ctx context.Context) (*system.Postgres, error)
}

// overview asks both stores how busu fares, once a second however many want to
// know. A store that does not answer in time is left out.
type overview struct {
	self       func() system.Process
	redis      streamSide
	postgres   rowSide
	replica    func() *system.Replica
	partitions int
	log        *slog.Logger
	flights    singleflight.Group

	mu   sync.Mutex
	last system.Report
}

const (
	stateWithin = 2 * time.Second
	stateFresh  = time.Second
)

func newOverview(cfg config.Config, s *stores, log *slog.Logger) *overview {
	return &overview{self: s.presence.now, redis: s.redis, postgres: s.postgres, replica: s.reader.Replica, partitions: cfg.Streams.ReadPartitions, log: log}
}

// System implements httpapi.System.
func (o *overview) System(context.Context) system.Report {
	o.mu.Lock()
	last := o.last
	o.mu.Unlock()
	if time.Since(last.AsOf) < stateFresh {
		return last
	}
	read, _, _ := o.flights.Do("", func() (any, error) {
		r := o.read()
		o.mu.Lock()
		defer o.mu.Unlock()
		o.last = r
		return r, nil
	})
	return read.(system.Report)
}

// read asks both at once: nobody's own, others wait for it too.
func (o *overview) read() system.Report {
	ctx, cancel := context.WithTimeout(context.Background(), stateWithin)
	defer cancel()
	var r *system.Redis
	var p *system.Postgres
	var both sync.WaitGroup
	both.Go(func() {
		var err error
		if r, err = o.redis.State(ctx, o.partitions); err != nil {
			r = nil
			o.log.Debug("the state of redis cannot be read", "err", err)
		}
	})
	both.Go(func() {
		var err error
		if p, err = o.postgres.State(ctx); err != nil {
			p = nil
			o.log.Debug("the state of postgres cannot be read", "err", err)
		}
	})
	both.Wait()
	report := system.NewReport(time.Now(), o.self(), r, p)
	report.Replica = o.replica()
	return report
}

// letters is the dead letters, with a note of what is done to them.
type letters struct {
	redis *redisdb.DB
	notes *postgres.DB
}

// Page implements httpapi.Letters.
func (l letters) Page(ctx context.Context, before string, count int) (system.DeadPage, error) {
	return l.redis.DeadPage(ctx, before, count)
}

// Letter implements httpapi.Letters.
func (l letters) Letter(ctx context.Context, id string) (system.DeadBody, error) {
	d, err := l.redis.DeadWhole(ctx, id)
	return d, noLetter(err)
}

// Replay implements httpapi.Letters.
func (l letters) Replay(ctx context.Context, project, by, id string) error {
	return l.change(ctx, system.Action{Project: project, By: by, Action: system.ActionReplay, Target: id}, l.redis.Replay)
}

// Discard implements httpapi.Letters.
func (l letters) Discard(ctx context.Context, project, by, id string) error {
	return l.change(ctx, system.Action{Project: project, By: by, Action: system.ActionDiscard, Target: id}, l.redis.Discard)
}

// change does what is noted first: nothing is done that nobody could tell of.
func (l letters) change(ctx context.Context, a system.Action, do func(context.Context, string) error) error {
	if _, err := l.Letter(ctx, a.Target); err != nil {
		return err
	}
	if err := l.notes.Note(ctx, a); err != nil {
		return err
	}
	return noLetter(do(ctx, a.Target))
}

func noLetter(err error) error {
	if errors.Is(err, redisdb.ErrNone) {
		return system.ErrNoLetter
	}
	return err
}
