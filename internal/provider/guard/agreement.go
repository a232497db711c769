package guard

import (
	"context"
	"log/slog"
	"time"

	"github.com/busuhq/busu/internal/rollup"
)

// Board is where processes tell each other how their providers fare.
type Board interface {
	// Exchange puts up what a process sees, for a few seconds, and returns what
	// every process has put up, by its name, as old as it is.
	Exchange(ctx context.Context, process string, mine []rollup.ProviderState) (map[string][]rollup.ProviderState, error)
}

// Agreement lets a breaker that opens in one process open in the others, too,
// within two seconds, and shows the state of all. Requests never wait for it:
// while the board is away, each process goes by what it sees itself.
type Agreement struct {
	Process   string // a name that no other process has
	Providers []*Provider
	Board     Board
	Log       *slog.Logger

	seen    map[sighting]int64 // openings of others that were heeded, or came to nothing
	failing bool
}

// sighting is a provider as another process sees it.
type sighting struct{ process, provider string }

const (
	exchangeEvery  = time.Second
	exchangeWithin = time.Second
	mostSeen       = 10_000 // sightings to remember; every restarted process leaves some behind
)

// Run exchanges until ctx ends.
func (a *Agreement) Run(ctx context.Context) error {
	tick := time.NewTicker(exchangeEvery)
	defer tick.Stop()
	for {
		a.note(ctx, a.exchange(ctx))
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// note logs the first of a run of failures, and the end of it.
func (a *Agreement) note(ctx context.Context, err error) {
	switch {
	case err != nil && !a.failing && ctx.Err() == nil:
		a.failing = true
		a.Log.Warn("breakers do not hear of each other", "err", err)
	case err == nil && a.failing:
		a.failing = false
		a.Log.Info("breakers hear of each other again")
	}
}

func (a *Agreement) exchange(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, exchangeWithin)
	defer cancel()
	var mine []rollup.ProviderState
	for _, p := range a.Providers {
		mine = append(mine, p.State())
	}
	all, err := a.Board.Exchange(ctx, a.Process, mine)
	if err != nil {
		return err
	}
	for process, states := range all {
		if process == a.Process {
			continue
		}
		for _, s := range states {
			a.heed(process, s)
		}
	}
	return nil
}

// heed opens our breaker when another process has just opened its own for what
// it saw itself: once for each time. What it has on hearsay does not count, or
// an opening would go round for ever; nor do probes that fail there, or one
// process with a broken network would keep all others from a provider that
// works for them.
func (a *Agreement) heed(process string, s rollup.ProviderState) {
	if a.seen == nil || len(a.seen) >= mostSeen {
		a.seen = map[sighting]int64{}
	}
	at := sighting{process, s.Name}
	news := s.Opened > a.seen[at]
	a.seen[at] = s.Opened
	if !news || s.Breaker != rollup.BreakerOpen {
		return
	}
	for _, p := range a.Providers {
		if p.name == s.Name {
			p.breaker.borrow(time.Duration(s.NextProbeMS * float64(time.Millisecond)))
		}
	}
}
