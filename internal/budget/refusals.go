package budget

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// refusals are the budgets that have refused a request until their periods end,
// each once.
type refusals struct {
	mu    sync.Mutex
	known map[Refused]bool // true: it is written down
}

func (r *refusals) add(one Refused) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.known[one]; known {
		return
	}
	if r.known == nil {
		r.known = map[Refused]bool{}
	}
	r.known[one] = false
}

// unwritten lists those that are to be written down, and forgets those of
// periods that are over.
func (r *refusals) unwritten(now time.Time) (all []Refused) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for one, written := range r.known {
		switch {
		case !written:
			all = append(all, one)
		case now.After(one.End()):
			delete(r.known, one)
		}
	}
	return all
}

func (r *refusals) wrote(all []Refused) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range all {
		r.known[one] = true
	}
}

// RefusalBook is where it is written down that budgets have refused.
type RefusalBook interface {
	NoteRefusals(ctx context.Context, all []Refused) error
}

const noteEvery = time.Second

// NoteRefusals writes down which budgets have refused a request, until ctx ends.
// The book being away only makes it wait.
func (k *Keeper) NoteRefusals(ctx context.Context, book RefusalBook, log *slog.Logger) error {
	tick := time.NewTicker(noteEvery)
	defer tick.Stop()
	for {
		if err := k.noteRefusals(ctx, book); err != nil && ctx.Err() == nil {
			log.Debug("that budgets have refused cannot be written down now", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (k *Keeper) noteRefusals(ctx context.Context, book RefusalBook) error {
	all := k.refusals.unwritten(time.Now())
	if len(all) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	if err := book.NoteRefusals(ctx, all); err != nil {
		return err
	}
	k.refusals.wrote(all)
	return nil
}
