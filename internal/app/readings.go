package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// turns lets as many read at once as it has room for: the worker needs the same
// database.
type turns chan struct{}

var errBusy = errors.New("others are reading")

// take reads when it is its turn. within bounds the wait and the reading.
func (t turns) take(ctx context.Context, within time.Duration, read func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	select {
	case t <- struct{}{}:
		defer func() { <-t }()
		return read(ctx)
	case <-ctx.Done():
		return errors.Join(errBusy, ctx.Err())
	}
}

// readings are what takes long to read, by what was asked for. One at a time is
// read, once for all who ask meanwhile, and is as good as new for a while: the
// longer, the more it cost.
type readings[T any] struct {
	fresh  time.Duration // at least
	rest   time.Duration // times what it took
	within time.Duration // bounds a reading, and the wait for its turn
	turns  turns

	flights singleflight.Group
	mu      sync.Mutex
	kept    map[string]reading[T]
}

type reading[T any] struct {
	value T
	at    time.Time // when it had been read
	took  time.Duration
}

// mostReadings bounds what is kept.
const mostReadings = 10_000

func newReadings[T any](fresh time.Duration, rest int, within time.Duration) *readings[T] {
	return &readings[T]{fresh: fresh, rest: time.Duration(rest), within: within, turns: make(turns, 1), kept: map[string]reading[T]{}}
}

// get gives what is kept, or reads it: nobody's own, others wait for it too.
func (r *readings[T]) get(key string, read func(context.Context) (T, error)) (T, error) {
	last, ok := r.last(key)
	if ok && time.Since(last.at) < max(r.fresh, r.rest*last.took) {
		return last.value, nil
	}
	fresh, err, _ := r.flights.Do(key, func() (any, error) {
		var now reading[T]
		err := r.turns.take(context.Background(), r.within, func(ctx context.Context) (err error) {
			began := time.Now()
			now.value, err = read(ctx)
			now.at, now.took = time.Now(), time.Since(began)
			return err
		})
		if err == nil {
			r.keep(key, now)
		}
		return now.value, err
	})
	if err != nil {
		var none T
		return none, err
	}
	return fresh.(T), nil
}

// last is what was read last, however long ago.
func (r *readings[T]) last(key string) (reading[T], bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	last, ok := r.kept[key]
	return last, ok
}

func (r *readings[T]) keep(key string, now reading[T]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.kept) >= mostReadings {
		clear(r.kept)
	}
	r.kept[key] = now
}
