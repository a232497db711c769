package budget

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	tickEvery    = 50 * time.Millisecond
	reportEvery  = 250 * time.Millisecond // of what is asked for
	holdEvery    = time.Second            // of what is only held
	hurriedEvery = 2 * time.Millisecond   // at most
	syncWithin   = time.Second
	readWithin   = 5 * time.Second
	mostReports  = 100 // in one go
)

// Run reports and leases until ctx ends; then it gives back what is held.
func (k *Keeper) Run(ctx context.Context) error {
	var reader sync.WaitGroup
	reader.Go(func() { k.read(ctx) })
	defer reader.Wait()
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	var last time.Time
	for isOpen := false; ; {
		select {
		case <-ctx.Done():
			k.giveBack()
			return nil
		case <-tick.C:
		case <-k.hurry:
			if soonest := time.Until(last.Add(hurriedEvery)); soonest > 0 {
				time.Sleep(soonest)
			}
		}
		last = time.Now()
		isOpen = isOpen || k.open(ctx)
		k.sync(ctx, k.due())
	}
}

// open has the desk begin, if it has not, so that it is not young any more when
// the first request comes.
func (k *Keeper) open(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, syncWithin)
	defer cancel()
	_, err := k.Desk.Sync(ctx, k.Process, nil, nil)
	return err == nil
}

// due lists the purses that the desk should hear of.
func (k *Keeper) due() []*Purse {
	now := time.Now()
	var due []*Purse
	for _, p := range k.all() {
		isDue, done := p.due(now)
		if isDue {
			due = append(due, p)
		} else if done {
			k.drop(p)
		}
	}
	return due
}

// sync reports purses.
func (k *Keeper) sync(ctx context.Context, purses []*Purse) {
	if len(purses) == 0 {
		return
	}
	stored := k.takeStored()
	for some := range slices.Chunk(purses, mostReports) {
		k.syncSome(ctx, some, stored)
	}
}

func (k *Keeper) syncSome(ctx context.Context, purses []*Purse, stored *Stored) {
	ctx, cancel := context.WithTimeout(ctx, syncWithin)
	defer cancel()
	made := time.Now()
	reports, accounts := make([]Report, len(purses)), make([]Account, len(purses))
	for i, p := range purses {
		reports[i] = p.report(made)
		accounts[i] = p.account
	}
	replies, err := k.Desk.Sync(ctx, k.Process, reports, stored)
	now := time.Now()
	if err != nil {
		k.stats.failures.Add(1)
		k.Log.Debug("budgets cannot be reported now: slices are spent, and no more", "err", err)
		for _, p := range purses {
			p.fail(now)
		}
		return
	}
	for i, r := range replies {
		purses[i].take(made, now, reports[i], r)
	}
	k.note(replies, accounts)
}

// takeStored gives what was read since the last time.
func (k *Keeper) takeStored() *Stored {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.stored
	k.stored = nil
	return s
}

// read reads what is stored whenever the desk wants it.
func (k *Keeper) read(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.reading:
		}
		accounts, journals := k.toRead()
		reading, cancel := context.WithTimeout(ctx, readWithin)
		stored, err := k.Books.Spending(reading, accounts, journals)
		cancel()
		if err != nil {
			if ctx.Err() == nil {
				k.Log.Debug("what is spent of budgets cannot be read now: what was read last stands", "err", err)
			}
			continue // the desk asks again
		}
		k.mu.Lock()
		k.stored = &stored
		k.mu.Unlock()
		k.touch(accounts)
	}
}

// touch has accounts reported at once.
func (k *Keeper) touch(accounts []Account) {
	for _, a := range accounts {
		p := k.purse(a)
		p.mu.Lock()
		p.short = max(p.short, 1)
		p.mu.Unlock()
	}
	token(k.hurry)
}

// giveBack reports what was spent, and holds nothing any more but for requests
// under way.
func (k *Keeper) giveBack() {
	ctx, cancel := context.WithTimeout(context.Background(), syncWithin) // the last there is to do
	defer cancel()
	var all []*Purse
	for _, p := range k.all() {
		p.mu.Lock()
		p.recent, p.largest, p.short, p.failed = 0, 0, 0, time.Time{}
		p.mu.Unlock()
		all = append(all, p)
	}
	k.sync(ctx, all)
}
