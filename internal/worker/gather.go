package worker

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Gather is a Store for the workers of several lanes. What they bring within a
// moment is stored in one transaction: a small one costs PostgreSQL nearly as
// much as one of a hundred facts. Who comes after a pause does not wait, and
// who brings many has a transaction to himself.
type Gather[F Fact] struct {
	Store[F]

	mu    sync.Mutex
	next  *gathered[F] // what waits; nil: nothing
	began time.Time    // the last transaction
}

// gatherEvery is from the beginning of one transaction of few facts to that of
// the next. Whoever looks for a fact in PostgreSQL finds it that much later.
const gatherEvery = 25 * time.Millisecond

// gathered is what a transaction stores.
type gathered[F Fact] struct {
	facts  []F
	shared bool          // by several workers
	enough chan struct{} // closed when there are as many as are worth a transaction
	tried  chan struct{} // closed when added and err are set
	added  map[uuid.UUID]bool
	err    error
}

// Persist implements Store. Where storing together fails, each stores its own,
// to find out whose fact it is.
func (g *Gather[F]) Persist(ctx context.Context, facts []F) ([]uuid.UUID, error) {
	if len(facts) >= readAhead {
		return g.Store.Persist(ctx, facts)
	}
	batch, pause := g.join(facts)
	if pause < 0 {
		select {
		case <-batch.tried:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	} else {
		g.store(ctx, batch, pause)
	}
	if batch.err != nil && batch.shared {
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

// join adds facts to what waits. Who is first is told how long to wait for
// others; they are told less than 0.
func (g *Gather[F]) join(facts []F) (batch *gathered[F], pause time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if batch = g.next; batch == nil {
		batch = &gathered[F]{facts: facts, enough: make(chan struct{}), tried: make(chan struct{})}
		g.next = batch
		return batch, max(gatherEvery-time.Since(g.began), 0)
	}
	had := len(batch.facts)
	batch.facts, batch.shared = append(batch.facts[:had:had], facts...), true
	if had < readAhead && len(batch.facts) >= readAhead {
		close(batch.enough)
	}
	return batch, -1
}

// store waits, and stores what has come together.
func (g *Gather[F]) store(ctx context.Context, batch *gathered[F], pause time.Duration) {
	defer close(batch.tried)
	select {
	case <-batch.enough:
	case <-time.After(pause):
	case <-ctx.Done():
	}
	g.mu.Lock()
	g.next, g.began = nil, time.Now()
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
