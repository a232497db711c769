package aggregator

import (
	"context"
	"fmt"
	"time"

	"github.com/busuhq/busu/internal/event"
)

// When Redis loses its stream, the journals send again what is not stored. A
// fact that the worker had in hand just then may be stored after a rebuild and
// before a journal asks, and so come by neither way. What is stored was in the
// stream before: at its end, all of it must have been folded.

const askEvery = 5 * time.Second

// askLedger asks every now and then what is stored, apart from folding, which
// must not wait for the ledger. It ends with ctx.
func (a *Aggregator) askLedger(ctx context.Context) <-chan map[string]event.Ranges {
	stored := make(chan map[string]event.Ranges)
	go func() {
		tick := time.NewTicker(askEvery)
		defer tick.Stop()
		for {
			a.ask(ctx, stored)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	return stored
}

func (a *Aggregator) ask(ctx context.Context, stored chan<- map[string]event.Ranges) {
	asking, cancel := context.WithTimeout(ctx, tryFor)
	defer cancel()
	seqs, err := a.Ledger.Stored(asking, a.Partition)
	if err != nil {
		a.Log.Debug("cannot ask what is stored", "partition", a.Partition, "err", err)
		return
	}
	select {
	case <-ctx.Done():
	case stored <- seqs:
	}
}

// gatherFor lets more facts come together before the next are read, once the
// end was reached: to fold one alone costs several times what it does among
// others, and nothing is published more often than every 250 ms.
const gatherFor = 25 * time.Millisecond

// follow folds the next entries. Having reached the end, it holds what was
// folded against what had been stored before.
func (a *Aggregator) follow(ctx context.Context, stored <-chan map[string]event.Ranges) error {
	came, err := a.fold(ctx)
	if err != nil {
		return err
	}
	isEnd := came < tailCount
	if isEnd && came > 0 {
		pause(ctx, gatherFor)
	}
	if isEnd && a.owed != nil {
		if err := a.compare(); err != nil {
			return err
		}
	}
	select {
	case a.owed = <-stored:
	default:
	}
	return nil
}

func (a *Aggregator) compare() error {
	for journal, seqs := range a.owed {
		if !a.seqs[journal].Covers(seqs) {
			a.missed = true
			return fmt.Errorf("facts of journal %s are stored that the stream did not bring; the ledger has them", journal)
		}
	}
	a.owed = nil
	return nil
}
