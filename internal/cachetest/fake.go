package cachetest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/busuhq/busu/internal/cache"
)

// ErrDown is what a Fake fails with.
var ErrDown = errors.New("the level is down")

// Fake is a level in the test's memory that can fail and hang: Redis with its
// leases, or PostgreSQL.
type Fake struct {
	mu      sync.Mutex
	rows    map[place]row
	changes []cache.Change
	trimmed int // of changes
	leases  map[cache.Key]held
	mode    Mode
	finds   int
}

// Mode is how a Fake behaves.
type Mode int

// The modes.
const (
	Up Mode = iota
	Down
	Hanging
)

type place struct {
	sum   [32]byte
	model string
}

type row struct {
	entry  *cache.Entry
	body   []byte
	stored time.Time
	until  time.Time
}

type held struct {
	owner string
	until time.Time
}

// NewFake makes an empty one.
func NewFake() *Fake { return &Fake{rows: map[place]row{}, leases: map[cache.Key]held{}} }

// Be changes how it behaves.
func (f *Fake) Be(m Mode) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mode = m
}

// Finds counts round trips for answers.
func (f *Fake) Finds() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.finds
}

// Entries counts those that are kept.
func (f *Fake) Entries() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.rows)
}

// Lose forgets the changes so far, as a stream that was trimmed.
func (f *Fake) Lose() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.trimmed += len(f.changes)
	f.changes = nil
}

// lock waits while the fake hangs, and fails while it is down.
func (f *Fake) lock(ctx context.Context) (unlock func(), err error) {
	f.mu.Lock()
	switch f.mode {
	case Down:
		f.mu.Unlock()
		return nil, ErrDown
	case Hanging:
		f.mu.Unlock()
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return f.mu.Unlock, nil
}

func (f *Fake) find(k cache.Key, models []string) []byte {
	f.finds++
	for _, model := range models {
		if r, ok := f.rows[place{k.Sum, model}]; ok && time.Now().Before(r.until) {
			return r.body
		}
	}
	return nil
}

// Find implements cache.Store.
func (f *Fake) Find(ctx context.Context, k cache.Key, models []string) ([]byte, error) {
	unlock, err := f.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	return f.find(k, models), nil
}

// Keep implements cache.Store.
func (f *Fake) Keep(ctx context.Context, items []cache.Item, now time.Time) (int, error) {
	unlock, err := f.lock(ctx)
	if err != nil {
		return 0, err
	}
	defer unlock()
	var kept []uint64
	for _, i := range items {
		f.rows[place{i.Key.Sum, i.Entry.Model}] = row{i.Entry, bytes.Clone(i.Body), now, i.Until}
		kept = append(kept, i.Key.Fingerprint())
		if f.leases[i.Key].owner == i.Lease {
			delete(f.leases, i.Key)
		}
	}
	f.changes = append(f.changes, cache.Change{Kept: kept})
	return len(items), nil
}

// Forget implements cache.Store.
func (f *Fake) Forget(ctx context.Context, g cache.Gone) (removed int64, err error) {
	unlock, err := f.lock(ctx)
	if err != nil {
		return 0, err
	}
	defer unlock()
	for at, r := range f.rows {
		if e := r.entry; e.Project == g.Project && (len(g.Requests) == 0 && (g.UserID == "" || g.UserID == e.UserID) || slices.Contains(g.Requests, e.RequestID)) {
			delete(f.rows, at)
			removed++
		}
	}
	f.changes = append(f.changes, cache.Change{Owner: g.Owner(), Requests: g.Requests})
	return removed, nil
}

// Changes implements cache.Redis.
func (f *Fake) Changes(ctx context.Context, after string) (cache.Page, error) {
	unlock, err := f.lock(ctx)
	if err != nil {
		return cache.Page{}, err
	}
	defer unlock()
	end := f.trimmed + len(f.changes)
	position, err := strconv.Atoi(after)
	if err != nil || position < f.trimmed {
		return cache.Page{Position: strconv.Itoa(end), Gap: true}, nil
	}
	return cache.Page{Position: strconv.Itoa(end), Changes: slices.Clone(f.changes[position-f.trimmed:])}, nil
}

// Kept implements cache.Postgres.
func (f *Fake) Kept(ctx context.Context, since time.Time, kept func(fp uint64)) (time.Time, error) {
	unlock, err := f.lock(ctx)
	if err != nil {
		return time.Time{}, err
	}
	defer unlock()
	for at, r := range f.rows {
		if !r.stored.Before(since) {
			kept(cache.Key{Sum: at.sum}.Fingerprint())
		}
	}
	return time.Now(), nil
}

// Claim implements cache.Leases.
func (f *Fake) Claim(ctx context.Context, k cache.Key, models []string, owner string, lasts time.Duration) ([]byte, time.Duration, error) {
	unlock, err := f.lock(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer unlock()
	if body := f.find(k, models); body != nil {
		return body, 0, nil
	}
	if l := f.leases[k]; l.owner != owner && time.Now().Before(l.until) {
		return nil, time.Until(l.until), nil
	}
	f.leases[k] = held{owner, time.Now().Add(lasts)}
	return nil, 0, nil
}

// Extend implements cache.Leases: a lease that has ended is taken again, unless
// it is another's by now.
func (f *Fake) Extend(ctx context.Context, k cache.Key, owner string, lasts time.Duration) error {
	unlock, err := f.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if l := f.leases[k]; l.owner == owner || !time.Now().Before(l.until) {
		f.leases[k] = held{owner, time.Now().Add(lasts)}
	}
	return nil
}

// Release implements cache.Leases.
func (f *Fake) Release(ctx context.Context, k cache.Key, owner string) error {
	unlock, err := f.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if f.leases[k].owner == owner {
		delete(f.leases, k)
	}
	return nil
}
