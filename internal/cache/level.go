package cache

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/sony/gobreaker/v2"
)

// Store is a level beyond the process. Nothing that it does is waited for
// longer than ctx says.
type Store interface {
	// Find returns what Encode wrote of the answer of the first of models that
	// has one, or nil. Nobody changes the bytes any more: they are kept.
	Find(ctx context.Context, k Key, models []string) ([]byte, error)
	// Keep stores items, each in place of what its model answered before, and
	// returns how many: some may be left out, such as for want of room.
	Keep(ctx context.Context, items []Item, now time.Time) (int, error)
	// Forget removes entries, and returns how many. When it returns, nobody finds
	// them.
	Forget(ctx context.Context, g Gone) (int64, error)
}

// Item is an entry on its way to a Store.
type Item struct {
	Key   Key
	Entry *Entry
	Body  []byte    // what Encode wrote
	Until time.Time // that it is kept
	Lease string    // to be given back with it, unless it is ""
}

// Gone says which entries are to be forgotten: those that requests made, else
// those of a user, else all of the project.
type Gone struct {
	Project  string
	UserID   string
	Requests []uuid.UUID
}

// Owner is what other processes are told of whose entries they are.
func (g Gone) Owner() Owner {
	if len(g.Requests) > 0 {
		return OwnerOf(g.Project, "")
	}
	return OwnerOf(g.Project, g.UserID)
}

// level is a Store that is left alone for a while after it failed. Who asks
// it pays for a failure once; the loop that follows it finds out when it is
// back.
type level struct {
	store   Store
	name    string
	within  time.Duration // that it is waited for
	lives   time.Duration // how long it keeps entries
	gathers time.Duration // what comes meanwhile is stored together, once something was
	filter  *filter
	breaker *gobreaker.CircuitBreaker[[]byte]
	served  atomic.Bool // once: that it is away before, at the start, is no news
	log     *slog.Logger

	writing chan struct{} // holds one while a batch is stored
	mu      sync.Mutex
	waiting []Item
	bytes   int
	wake    chan struct{} // holds one when there is something to write

	counts levelCounts
}

type levelCounts struct{ asked, spared, errors, kept, dropped atomic.Int64 }

const (
	probeAfter  = time.Second // how long a level is left alone
	retryAfter  = 100 * time.Millisecond
	writeWithin = time.Second
	gathersFor  = 25 * time.Millisecond // what comes meanwhile is stored together; others find it that much later
	leasedFor   = 5 * time.Millisecond  // the same, where they may wait for it
	mostBatch   = 256                   // items
	mostWaiting = 8 << 20               // bytes of items
)

var (
	errAway = errors.New("a level of the cache is left alone after a failure")
	errLeft = errors.New("nobody waits for the answer any more")
)

func newLevel(name string, store Store, within, lives time.Duration, filterBits uint64, log *slog.Logger) *level {
	l := &level{store: store, name: name, within: within, lives: lives, gathers: gathersFor, filter: newFilter(lives, filterBits), log: log,
		wake: make(chan struct{}, 1), writing: make(chan struct{}, 1)}
	l.breaker = gobreaker.NewCircuitBreaker[[]byte](gobreaker.Settings{
		Name: name, Timeout: probeAfter,
		ReadyToTrip:   func(c gobreaker.Counts) bool { return c.ConsecutiveFailures > 0 },
		IsExcluded:    func(err error) bool { return errors.Is(err, errLeft) },
		OnStateChange: l.changed,
	})
	return l
}

func (l *level) changed(_ string, from, to gobreaker.State) {
	switch {
	case !l.served.Load():
	case to == gobreaker.StateClosed:
		l.log.Info("cached answers are read again", "level", l.name)
	case from == gobreaker.StateClosed:
		l.log.Warn("cached answers cannot be read: they are made again meanwhile", "level", l.name)
	}
}

func (l *level) away() bool { return l.breaker.State() != gobreaker.StateClosed }

// find asks the store, unless that is known to bring nothing.
func (l *level) find(ctx context.Context, k Key, models []string, now time.Time) (*Entry, error) {
	if l.filter.misses(k, models, now) {
		l.counts.spared.Add(1)
		return nil, nil
	}
	body, err := l.ask(ctx, func(ctx context.Context) ([]byte, error) { return l.store.Find(ctx, k, models) })
	if err != nil {
		return nil, err
	}
	if body == nil {
		l.filter.miss(k, models, now)
		return nil, nil
	}
	return l.decode(body), nil
}

// decode gives nil for what cannot be read, such as the entry of another
// release: the answer is made again, and takes its place.
func (l *level) decode(body []byte) *Entry {
	e, err := decodeEntry(body)
	if err != nil {
		l.counts.errors.Add(1)
	}
	return e
}

// ask asks within the deadline. What is not this level's fault is not held
// against it.
func (l *level) ask(ctx context.Context, f func(context.Context) ([]byte, error)) ([]byte, error) {
	if l.away() {
		return nil, errAway
	}
	l.counts.asked.Add(1)
	return l.attempt(ctx, l.within, f)
}

func (l *level) attempt(ctx context.Context, within time.Duration, f func(context.Context) ([]byte, error)) ([]byte, error) {
	body, err := l.breaker.Execute(func() ([]byte, error) {
		inner, cancel := context.WithTimeout(ctx, within)
		defer cancel()
		body, err := f(inner)
		if err != nil && ctx.Err() != nil {
			return nil, errLeft
		}
		if err != nil {
			l.counts.errors.Add(1)
		}
		return body, err
	})
	if err == nil {
		l.served.Store(true)
	}
	return body, err
}

// keep hands an item to the writer. Where there is none, or too much waits, it
// is dropped: it was made, and can be again.
func (l *level) keep(i Item) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bytes+len(i.Body) > mostWaiting || l.away() {
		l.counts.dropped.Add(1)
		return
	}
	l.waiting = append(l.waiting, i)
	l.bytes += len(i.Body)
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// write stores what waits, until ctx ends; and then what is left, unless that
// fails. It lets some come together for each batch: nobody waits for it, and
// alone an answer takes Redis 78 µs and us 93 on the way there, of five 19 and
// 22, of twenty-five 12 and 10; a statement takes PostgreSQL 65 and us 60, beside
// its rows.
func (l *level) write(ctx context.Context) {
	for ended := false; !ended; {
		select {
		case <-ctx.Done():
			ended = true
		case <-l.wake:
		}
		for {
			n, err := l.writeBatch(context.WithoutCancel(ctx))
			if n == 0 || err != nil && ended {
				break
			}
			if n < mostBatch { // else more wait than may come together
				pause(ctx, l.gathers)
			}
		}
	}
}

// writeBatch stores some of what waits, and returns how many items that were.
func (l *level) writeBatch(ctx context.Context) (int, error) {
	l.writing <- struct{}{}
	defer func() { <-l.writing }()
	batch := l.takeBatch()
	if len(batch) == 0 {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, writeWithin)
	defer cancel()
	now := time.Now()
	kept, err := l.store.Keep(ctx, batch, now)
	l.counts.kept.Add(int64(kept))
	l.counts.dropped.Add(int64(len(batch) - kept))
	if err != nil {
		l.counts.errors.Add(1)
		return len(batch), err
	}
	for _, i := range batch {
		l.filter.announce(i.Key.Fingerprint(), now)
	}
	return len(batch), nil
}

func (l *level) takeBatch() []Item {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(len(l.waiting), mostBatch)
	batch := l.waiting[:n:n]
	l.waiting = l.waiting[n:]
	if len(l.waiting) == 0 {
		l.waiting = nil
	}
	for _, i := range batch {
		l.bytes -= len(i.Body)
	}
	return batch
}

// forget removes entries from what waits, and then from the store.
func (l *level) forget(ctx context.Context, g Gone, gone func(*Entry) bool) (int64, error) {
	l.unqueue(gone)
	within := forgetWithin
	if len(g.Requests) == 0 {
		within = forgetAllWithin
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	select {
	case l.writing <- struct{}{}: // what is being stored is not missed
		defer func() { <-l.writing }()
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	return l.store.Forget(ctx, g)
}

func (l *level) unqueue(gone func(*Entry) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var rest []Item
	for _, i := range l.waiting {
		if gone(i.Entry) {
			l.bytes -= len(i.Body)
		} else {
			rest = append(rest, i)
		}
	}
	l.waiting = rest
}
