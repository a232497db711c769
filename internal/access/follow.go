package access

import (
	"context"
	"log/slog"
	"time"
)

// Records gives the keys that have changed.
type Records interface {
	// KeysSince gives those of all projects that have changed since a moment,
	// and the moment to ask from next. Some come again. Since the zero time come
	// all that are not revoked.
	KeysSince(ctx context.Context, since time.Time) (changed []Key, next time.Time, err error)
	// KeysUsed notes when keys were last used.
	KeysUsed(ctx context.Context, used map[string]time.Time) error
}

const (
	// followEvery is below a second, in which what is revoked must be so
	// everywhere.
	followEvery  = 500 * time.Millisecond
	followWithin = 2 * time.Second
	// allEvery is how often all keys are read: rows that are gone, because a
	// database was set back, are noticed then.
	allEvery = 5 * time.Minute
	// noteEvery is how often uses are written down.
	noteEvery = time.Minute
)

// Follow reads what has changed twice a second, until ctx ends, and writes down
// when keys were used.
func (k *Keys) Follow(ctx context.Context, from Records, log *slog.Logger) error {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	var since, all time.Time
	noted, written := time.Now(), map[string]int64{}
	for {
		if time.Since(all) > allEvery {
			since = time.Time{}
		}
		first := since.IsZero()
		next, err := k.Update(ctx, from, since)
		switch {
		case err == nil:
			if since = next; first {
				all = time.Now()
			}
		case ctx.Err() == nil:
			log.Debug("keys cannot be read now: those that are known go on", "err", err)
		}
		if time.Since(noted) >= noteEvery {
			noted = time.Now()
			k.note(ctx, from, written, log)
		}
		select {
		case <-ctx.Done():
			k.note(context.WithoutCancel(ctx), from, written, log)
			return nil
		case <-tick.C:
		}
	}
}

// Update reads what has changed since a moment, and says from when to read next.
func (k *Keys) Update(ctx context.Context, from Records, since time.Time) (next time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, followWithin)
	defer cancel()
	began := time.Now()
	changed, next, err := from.KeysSince(ctx, since)
	if err != nil {
		return since, err
	}
	k.take(changed, since.IsZero(), began)
	return next, nil
}

// note writes down the uses that are not yet written.
func (k *Keys) note(ctx context.Context, to Records, written map[string]int64, log *slog.Logger) {
	used := map[string]time.Time{}
	for id, e := range k.known.Load().byID {
		if second := e.used.Load(); second > written[id] {
			used[id] = time.Unix(second, 0)
		}
	}
	if len(used) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, followWithin)
	defer cancel()
	if err := to.KeysUsed(ctx, used); err != nil {
		log.Debug("when keys were used is written down later", "err", err)
		return
	}
	for id, at := range used {
		written[id] = at.Unix()
	}
}
