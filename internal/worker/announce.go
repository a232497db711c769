package worker

import (
	"context"
	"log/slog"
	"time"

	"github.com/busuhq/busu/internal/event"
)

// Outbox holds what the worker has decided and publishes.
type Outbox interface {
	// Decisions gives up to most of the facts behind a seq, in order.
	Decisions(ctx context.Context, after int64, most int) (event.Run, error)
}

// Notices is where it is published.
type Notices interface {
	// Shipped is the seq up to which a journal's facts are on a lane's stream.
	Shipped(ctx context.Context, journal string, lane event.Lane) (int64, error)
	Ship(ctx context.Context, runs []event.Run) (before []int64, err error)
	// TrimNotices removes from a lane that nobody persists what is older than
	// horizon.
	TrimNotices(ctx context.Context, lane event.Lane, horizon time.Time) error
}

// Announcer publishes decisions on their stream, in order. One process at a time
// does; when Redis has lost what it was told, it is told again.
type Announcer struct {
	Outbox  Outbox
	Notices Notices
	Lease   Lease
	Owner   string // a name that no other process has
	Log     *slog.Logger
}

const (
	announcerLease  = "announcer"
	announceEvery   = 250 * time.Millisecond
	announceWithin  = 5 * time.Second
	announceAtOnce  = 256
	noticesStay     = 7 * 24 * time.Hour
	trimNoticesEach = time.Hour
)

// Run publishes until ctx ends. Stores being away only make it wait.
func (a *Announcer) Run(ctx context.Context) error {
	tick := time.NewTicker(announceEvery)
	defer tick.Stop()
	var trimmed time.Time
	for {
		if err := a.step(ctx); err != nil && ctx.Err() == nil {
			a.Log.Debug("decisions cannot be published now", "err", err)
		}
		if now := time.Now(); now.Sub(trimmed) > trimNoticesEach {
			if err := a.Notices.TrimNotices(ctx, event.Lane{Stream: event.Decisions}, now.Add(-noticesStay)); err == nil {
				trimmed = now
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (a *Announcer) step(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, announceWithin)
	defer cancel()
	held, err := a.Lease.Hold(ctx, announcerLease, a.Owner, leaseLasts)
	if err != nil || !held {
		return err
	}
	for {
		after, err := a.Notices.Shipped(ctx, event.WorkerJournal, event.Lane{Stream: event.Decisions})
		if err != nil {
			return err
		}
		run, err := a.Outbox.Decisions(ctx, after, announceAtOnce)
		if err != nil || len(run.Bodies) == 0 {
			return err
		}
		if _, err := a.Notices.Ship(ctx, []event.Run{run}); err != nil {
			return err
		}
	}
}
