package cache

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
)

const (
	forgetWithin    = 2 * time.Second
	forgetAllWithin = 30 * time.Second // of a user or project: there may be many
	settleFor       = writeWithin + 500*time.Millisecond
)

// Evict forgets the answer that a request of a project got from a provider, on
// every level and in every process. What another process is just storing goes a
// moment later. With an error, some may still give it: repeat it.
func (c *Cache) Evict(ctx context.Context, project string, request uuid.UUID) error {
	g := Gone{Project: project, RequestID: request}
	err := c.forget(ctx, g)
	select {
	case c.sweeps <- sweep{g, time.Now().Add(settleFor)}:
	default: // so many at once: it was done once
	}
	return err
}

// ForgetUser forgets the answers to a user's questions, on every level and in
// every process. It takes a moment: what other processes are just storing is
// removed as well. With an error, some may be left: repeat it.
func (c *Cache) ForgetUser(ctx context.Context, project, user string) error {
	if user == "" {
		return errors.New("no user is named: name one, or flush the project")
	}
	return c.forgetSettled(ctx, Gone{Project: project, UserID: user})
}

// Flush forgets all answers of a project, like ForgetUser.
func (c *Cache) Flush(ctx context.Context, project string) error {
	return c.forgetSettled(ctx, Gone{Project: project})
}

// forgetSettled forgets, waits until every process knows and has written what
// it was writing, and forgets that.
func (c *Cache) forgetSettled(ctx context.Context, g Gone) error {
	if err := c.forget(ctx, g); err != nil {
		return err
	}
	if c.redis != nil || c.postgres != nil {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(settleFor):
		}
	}
	return c.forget(ctx, g)
}

// forget begins where entries live longest, so that none comes back from a
// level that is still to be cleared. Redis tells the other processes.
func (c *Cache) forget(ctx context.Context, g Gone) error {
	gone := goneOf(g.Owner(), g.RequestID)
	var errs []error
	for _, l := range []*level{c.postgres, c.redis} {
		if l != nil {
			errs = append(errs, l.forget(ctx, g, gone))
		}
	}
	c.forgetHere(g.RequestID, gone)
	return errors.Join(errs...)
}

// sweep is what is to be forgotten again, at a time.
type sweep struct {
	gone Gone
	at   time.Time
}

const mostSweeps = 1000

// sweep forgets again what was evicted, until ctx ends, and then what is left,
// unless that fails.
func (c *Cache) sweep(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			for len(c.sweeps) > 0 && c.forget(context.WithoutCancel(ctx), (<-c.sweeps).gone) == nil {
			}
			return
		case s := <-c.sweeps:
			pause(ctx, time.Until(s.at))
			_ = c.forget(context.WithoutCancel(ctx), s.gone) // it was done once
		}
	}
}

// goneOf tells which entries are meant: the one that a request made in the
// project that is the owner, or else all of an owner.
func goneOf(owner Owner, request uuid.UUID) func(*Entry) bool {
	return func(e *Entry) bool {
		if request != uuid.Nil {
			return e.RequestID == request && OwnerOf(e.Project, "") == owner
		}
		return OwnerOf(e.Project, e.UserID) == owner || OwnerOf(e.Project, "") == owner
	}
}

// forgetHere forgets in this process. The counts come first: whoever has an
// entry on its way to memory sees them, and does not put it there.
func (c *Cache) forgetHere(request uuid.UUID, gone func(*Entry) bool) {
	n := 0
	if request != uuid.Nil {
		c.evicted.Add(1)
		n = c.memory.forgetRequest(gone, request)
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
}
