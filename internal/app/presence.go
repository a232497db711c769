package app

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/httpapi"
	"github.com/busuhq/busu/internal/journal"
	"github.com/busuhq/busu/internal/release"
	"github.com/busuhq/busu/internal/system"
)

// noticeboard is where processes say what they are; see redisdb.
type noticeboard interface {
	Announce(ctx context.Context, p system.Process) error
	Withdraw(ctx context.Context, id string) error
}

// presence says every few seconds that this process is there, and how it is.
type presence struct {
	process system.Process
	health  *httpapi.Health
	journal *journal.Journal // nil: the process keeps none
	shipper *journal.Shipper
	board   noticeboard
	log     *slog.Logger
}

const (
	announceEvery  = 3 * time.Second
	announceWithin = 2 * time.Second
)

func newPresence(cfg config.Config, health *httpapi.Health, board noticeboard, log *slog.Logger) *presence {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return &presence{health: health, board: board, log: log, process: system.Process{
		ID: uuid.NewString(), Role: string(cfg.Process), Host: host, PID: os.Getpid(),
		Version: release.Current().Version, StartedAt: time.Now().UTC().Truncate(time.Millisecond)}}
}

// id names this run of the process: in what is said of it, and in its leases.
func (p *presence) id() string { return p.process.ID }

// keeps is told of the journal before Run.
func (p *presence) keeps(j *journal.Journal, s *journal.Shipper) { p.journal, p.shipper = j, s }

// now is how the process is.
func (p *presence) now() system.Process {
	now := time.Now()
	said := p.process
	said.UptimeMS = float64(now.Sub(said.StartedAt).Milliseconds())
	said.Checks = p.health.Checks()
	if p.journal != nil {
		s := p.journal.Stats()
		said.Journal = &system.Journal{ID: s.ID, Bytes: s.Bytes, MaxBytes: s.MaxBytes, Segments: s.Segments, OpenIntents: s.OpenIntents,
			Backlog: max(p.shipper.Backlog(), 0), OldestMS: float64(p.shipper.Waits(now).Milliseconds()),
			Failing: p.shipper.Failing(), Corrupt: s.Corrupt}
	}
	return said
}

// Run announces until ctx ends, and takes leave.
func (p *presence) Run(ctx context.Context) error {
	defer p.leave(ctx)
	tick := time.NewTicker(announceEvery)
	defer tick.Stop()
	for {
		p.announce(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (p *presence) announce(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, announceWithin)
	defer cancel()
	if err := p.board.Announce(ctx, p.now()); err != nil {
		p.log.Debug("the process cannot be announced now", "err", err)
	}
}

func (p *presence) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), announceWithin/4)
	defer cancel()
	if err := p.board.Withdraw(ctx, p.process.ID); err != nil {
		p.log.Debug("what was said of the process is left to grow old", "err", err)
	}
}
