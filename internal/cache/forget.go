package cache

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
)

const (
	forgetWithin    = 2 * time.Second
	forgetAllWithin = 30 * time.Second // of a user or project: there may be many
	settleFor       = writeWithin + 500*time.Millisecond
)

// Evict forgets the answers that requests of a project got from a provider, on
// every level and in every process. What another process is just storing goes a
// moment later. With an error, some may still give them: repeat it.
func (c *Cache) Evict(ctx context.Context, project string, requests ...uuid.UUID) error {
	if len(requests) == 0 {
		return nil
	}
	g := Gone{Project: project, Requests: requests}
	_, err := c.forget(ctx, g)
	select {
	case c.sweeps <- sweep{g, time.Now().Add(settleFor)}:
	default: // so many at once: it was done once
	}
	return err
}

// ForgetUser forgets the answers to a user's questions, on every level and in
// every process, and returns how many by level; those in memory are this
// process's. It takes a moment: what other processes are just storing is
// removed as well. With an error, some may be left: repeat it.
func (c *Cache) ForgetUser(ctx context.Context, project, user string) (map[string]int64, error) {
	if user == "" {
		return nil, errors.New("no user is named: name one, or flush the project")
	}
	return c.forgetSettled(ctx, Gone{Project: project, UserID: user})
}

// Flush forgets all answers of a project, like ForgetUser.
func (c *Cache) Flush(ctx context.Context, project string) (map[string]int64, error) {
	return c.forgetSettled(ctx, Gone{Project: project})
}

// forgetSettled forgets, waits until every process knows and has written what
// it was writing, and forgets that.
func (c *Cache) forgetSettled(ctx context.Context, g Gone) (map[string]int64, error) {
	removed, err := c.forget(ctx, g)
	if err != nil {
		return nil, err
	}
	if c.redis != nil || c.postgres != nil {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(settleFor):
		}
	}
	late, err := c.forget(ctx, g)
	for level, n := range late {
		removed[level] += n
	}
	return removed, err
}

// forget begins where entries live longest, so that none comes back from a
// level that is still to be cleared. Redis tells the other processes.
func (c *Cache) forget(ctx context.Context, g Gone) (removed map[string]int64, err error) {
	gone := goneOf(g.Owner(), g.Requests)
	removed = map[string]int64{}
	for _, l := range []*level{c.postgres, c.redis} {
		if l != nil {
			n, failed := l.forget(ctx, g, gone)
			removed[l.name], err = n, errors.Join(err, failed)
		}
	}
	removed[event.CacheMemory] = int64(c.forgetHere(g.Requests, gone))
	return removed, err
}

// sweep is what is to be forgotten again, at a time.
type sweep struct {
	gone Gone
	at   time.Time
}

const mostSweeps = 1000

// Settle does what Evict leaves for later, until ctx ends: for a process that
// only evicts. Run does it, too.
func (c *Cache) Settle(ctx context.Context) error {
	c.sweep(ctx)
	return nil
}

// sweep forgets again what was evicted, until ctx ends, and then what is left,
// unless that fails.
func (c *Cache) sweep(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			for len(c.sweeps) > 0 {
				if _, err := c.forget(context.WithoutCancel(ctx), (<-c.sweeps).gone); err != nil {
					return
				}
			}
			return
		case s := <-c.sweeps:
			pause(ctx, time.Until(s.at))
			_, _ = c.forget(context.WithoutCancel(ctx), s.gone) // it was done once
		}
	}
}

// goneOf tells which entries are meant: those that requests made in the project
// that is the owner, or else all of an owner.
func goneOf(owner Owner, requests []uuid.UUID) func(*Entry) bool {
	if len(requests) == 0 {
		return func(e *Entry) bool {
			return OwnerOf(e.Project, e.UserID) == owner || OwnerOf(e.Project, "") == owner
		}
	}
	made := make(map[uuid.UUID]bool, len(requests))
	for _, id := range requests {
		made[id] = true
	}
	return func(e *Entry) bool { return made[e.RequestID] && OwnerOf(e.Project, "") == owner }
}

// forgetHere forgets in this process. The counts come first: whoever has an
// entry on its way to memory sees them, and does not put it there. It returns
// how many were in memory.
func (c *Cache) forgetHere(requests []uuid.UUID, gone func(*Entry) bool) (n int) {
	if len(requests) > 0 {
		c.evicted.Add(1)
		for _, id := range requests {
			n += c.memory.forgetRequest(gone, id)
		}
	} else {
		c.forgotten.Add(1)
		n = c.memory.forget(gone)
	}
	c.counts.forgotten.Add(int64(n))
	for _, l := range []*level{c.redis, c.postgres} {
		if l != nil {
			l.unqueue(gone)
		}
	}
	return n
}
