package session

import (
	"context"
	"crypto/rand"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// End is that a session was ended before its time. It is kept until its cookie
// would not be taken anyway.
type End struct {
	ID    uuid.UUID
	Until time.Time
}

// Records is where what all processes know of sessions is stored.
type Records interface {
	// SessionsSince gives what seals cookies, which fresh becomes where there is
	// nothing yet, the sessions that were ended since a moment, and the moment to
	// ask from next. Some come again.
	SessionsSince(ctx context.Context, since time.Time, fresh []byte) (secret []byte, ended []End, next time.Time, err error)
	// EndSession notes that a session is ended.
	EndSession(ctx context.Context, e End) error
}

const (
	// followEvery is below a second, in which who signed out must be so
	// everywhere.
	followEvery  = 500 * time.Millisecond
	followWithin = 2 * time.Second
	// allEvery is how often all ends are read, and those that are over forgotten.
	allEvery = 5 * time.Minute
)

// Follow reads what other processes know twice a second, until ctx ends.
func (s *Sessions) Follow(ctx context.Context, from Records, log *slog.Logger) error {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	var since, all time.Time
	for {
		if time.Since(all) > allEvery {
			since = time.Time{}
		}
		first := since.IsZero()
		next, err := s.Update(ctx, from, since)
		switch {
		case err == nil:
			if since = next; first {
				all = time.Now()
			}
		case ctx.Err() == nil:
			log.Debug("what all know of sessions cannot be read now: those that are known go on", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Update reads what is new since a moment, and says from when to read next.
func (s *Sessions) Update(ctx context.Context, from Records, since time.Time) (next time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, followWithin)
	defer cancel()
	fresh := make([]byte, SecretSize)
	_, _ = rand.Read(fresh) // never fails
	began := time.Now()
	secret, ended, next, err := from.SessionsSince(ctx, since, fresh)
	if err != nil {
		return since, err
	}
	if err := s.shared.take(secret, ended, since.IsZero(), began); err != nil {
		return since, err
	}
	return next, nil
}

// shared is what all processes know.
type shared struct {
	mu    sync.Mutex // of changes
	found atomic.Pointer[found]
}

// found is what is known at a time. It is never changed.
type found struct {
	secret string
	seal   *Seal
	ended  map[uuid.UUID]bool
	mine   map[uuid.UUID]time.Time // ended here; they may not be written down yet
	read   time.Time               // when the last look began
}

// now gives what is known; a nil Seal before anything is.
func (s *shared) now() (*Seal, *found) {
	if f := s.found.Load(); f != nil {
		return f.seal, f
	}
	return nil, &found{}
}

// take learns what was read, in a look that began at a time. all says that these
// are all ends that there are.
func (s *shared) take(secret []byte, ended []End, all bool, began time.Time) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, before := s.now()
	next := &found{secret: string(secret), seal: before.seal, ended: before.ended, mine: before.mine, read: began}
	if next.secret != before.secret || next.seal == nil {
		if next.seal, err = NewSeal(secret); err != nil {
			return err
		}
	}
	if all {
		next.ended, next.mine = map[uuid.UUID]bool{}, maps.Clone(before.mine)
		maps.DeleteFunc(next.mine, func(_ uuid.UUID, until time.Time) bool { return until.Before(began) })
		for id := range next.mine {
			next.ended[id] = true
		}
	}
	if !all && len(ended) > 0 {
		next.ended = map[uuid.UUID]bool{}
		maps.Copy(next.ended, before.ended)
	}
	for _, e := range ended {
		next.ended[e.ID] = true
	}
	s.found.Store(next)
	return nil
}

// learn notes at once what was ended here.
func (s *shared) learn(e End) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, before := s.now()
	next := *before
	next.ended, next.mine = map[uuid.UUID]bool{}, map[uuid.UUID]time.Time{}
	maps.Copy(next.ended, before.ended)
	maps.Copy(next.mine, before.mine)
	next.ended[e.ID], next.mine[e.ID] = true, e.Until
	s.found.Store(&next)
}
