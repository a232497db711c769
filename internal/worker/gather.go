package worker

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Gather is a Store for the workers of several lanes. What they bring at about
// the same time is stored in one transaction, and between two of few facts is a
// pause, in which more come to the streams: a small transaction costs PostgreSQL
// nearly as much as one of a hundred facts. Who brings many has one to himself.
type Gather[F Fact] struct {
	Store[F]
	Lanes int // of workers that share it

	mu    sync.Mutex
	next  *gathered[F] // what waits; nil: nothing
	began time.Time    // the last transaction
}

const (
	// gatherEvery is from the beginning of one transaction of few facts to when
	// its workers read again. Whoever looks for a fact in PostgreSQL finds it that
	// much later, but for the first one after a pause.
	gatherEvery = 25 * time.Millisecond
	gatherFor   = 3 * time.Millisecond // those who have read at the same time
)

// gathered is what a transaction stores.
type gathered[F Fact] struct {
	facts   []F
	workers int           // that brought them
	enough  chan struct{} // closed when there is nothing more to wait for
	tried   chan struct{} // closed when added and err are set
	added   map[uuid.UUID]bool
	err     error
}

// Pause waits until there may be enough for another transaction.
func (g *Gather[F]) Pause(ctx context.Context) {
	g.mu.Lock()
	pause := gatherEvery - time.Since(g.began)
	g.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	}
}

// Persist implements Store. Where storing together fails, each stores its own,
// to find out whose fact it is.
func (g *Gather[F]) Persist(ctx context.Context, facts []F) ([]uuid.UUID, error) {
	if len(facts) >= readAhead {
		return g.Store.Persist(ctx, facts)
	}
	batch, isFirst := g.join(facts)
	if isFirst {
		g.store(ctx, batch)
	} else {
		select {
		case <-batch.tried:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	if batch.err != nil && batch.workers > 1 {
		return g.Store.Persist(ctx, facts)
	}
	var added []uuid.UUID
	for _, f := range facts {
		if id := f.Head().ID; batch.added[id] {
			added = append(added, id)
		}
	}
	return added, batch.err
}

// join adds facts to what waits. Who is first has to store it.
func (g *Gather[F]) join(facts []F) (batch *gathered[F], isFirst bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if isFirst = g.next == nil; isFirst {
		g.next = &gathered[F]{enough: make(chan struct{}), tried: make(chan struct{})}
	}
	batch = g.next
	batch.facts = append(batch.facts, facts...)
	if batch.workers++; batch.workers >= g.Lanes || len(batch.facts) >= readAhead {
		close(batch.enough)
		g.next = nil
	}
	return batch, isFirst
}

// store waits for others, and stores what has come together.
func (g *Gather[F]) store(ctx context.Context, batch *gathered[F]) {
	defer close(batch.tried)
	select {
	case <-batch.enough:
	case <-time.After(gatherFor):
	case <-ctx.Done():
	}
	g.mu.Lock()
	if g.next == batch {
		g.next = nil
	}
	g.began = time.Now()
	g.mu.Unlock()
	var added []uuid.UUID
	if added, batch.err = g.Store.Persist(ctx, batch.facts); batch.err != nil {
		return
	}
	batch.added = make(map[uuid.UUID]bool, len(added))
	for _, id := range added {
		batch.added[id] = true
	}
}
