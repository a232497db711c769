package limit

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Keeper keeps a process's shares. It is safe for concurrent use.
type Keeper struct {
	desk        Desk
	process     string
	passUnknown bool
	log         *slog.Logger

	mu   sync.RWMutex
	held map[Bucket]holding

	users     *users
	processes atomic.Int64 // that share, this one among them; below 0: it is too new; 0: not known
	counted   time.Time    // when there were so many
	reports   atomic.Int64 // so far: who is held again is numbered on, as the desk may know of it

	hurry chan struct{} // holds a token when somebody waits
	stats Stats
}

// holding is what a process holds of a bucket: a lease or slots.
type holding interface {
	taker
	waiting
	// due tells whether the desk should hear of it, and whether it can be forgotten.
	due(now time.Time) (due, done bool)
	// forget reports whether it can be forgotten, and is from now on.
	forget(now time.Time) bool
	report(now time.Time, seq int64) Report
	hear(now time.Time, said Report, r Reply)
	fail(now time.Time, said Report)
}

// waiting is what those who wait for the desk look at.
type waiting interface {
	next() <-chan struct{} // is closed at the next answer
	// last is for who has waited as long as it may: since a report, and last for the
	// answer to one behind after.
	last(since, after int64) verdict
	patience() time.Duration // that who waits may have; above waitWithin, asking again at once would not help
	isHurried() bool         // there is something that others wait for
	quit()                   // leaves all to others
}

// NewKeeper makes a keeper that holds nothing, for a process whose name no other
// has. passUnknown lets requests pass whose limits cannot be known now.
func NewKeeper(d Desk, process string, passUnknown bool, log *slog.Logger) *Keeper {
	return &Keeper{desk: d, process: process, passUnknown: passUnknown, log: log,
		held: map[Bucket]holding{}, users: newUsers(), hurry: make(chan struct{}, 1)}
}

// Stats count what a keeper has done. They are safe to read at any time.
type Stats struct {
	refused                               [2][kinds]atomic.Int64 // of keys, and of users
	unavailable, passed, waited, failures atomic.Int64
}

func (s *Stats) exceeded(b *Bucket) *atomic.Int64 {
	whose := &s.refused[0]
	if b.User != "" {
		whose = &s.refused[1]
	}
	for i := range kinds {
		if kindAt(i) == b.Kind {
			return &whose[i]
		}
	}
	return &whose[0]
}

// Exceeded is how many requests were refused because of a kind of keys' limits.
func (s *Stats) Exceeded(k Kind) int64 { return s.exceeded(&Bucket{Kind: k}).Load() }

// ExceededByUsers is how many were because of a kind of users' limits.
func (s *Stats) ExceededByUsers(k Kind) int64 {
	return s.exceeded(&Bucket{User: "any", Kind: k}).Load()
}

// Unavailable is how many were refused because nothing could be known.
func (s *Stats) Unavailable() int64 { return s.unavailable.Load() }

// Passed is how many were let pass although nothing could be known.
func (s *Stats) Passed() int64 { return s.passed.Load() }

// Waited is how many waited for the desk.
func (s *Stats) Waited() int64 { return s.waited.Load() }

// Failures is how often the desk could not be reached.
func (s *Stats) Failures() int64 { return s.failures.Load() }

// Stats gives the counters.
func (k *Keeper) Stats() *Stats { return &k.stats }

// Users is how many users this process counts for now.
func (k *Keeper) Users() int64 { return k.users.held.Load() }

func (k *Keeper) holding(b Bucket) holding {
	k.mu.RLock()
	h := k.held[b]
	k.mu.RUnlock()
	if h != nil {
		return h
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if h = k.held[b]; h != nil {
		return h
	}
	if b.Kind == Concurrency {
		h = newSlots(b, time.Now(), k.hurry)
	} else {
		h = newLease(b, time.Now())
	}
	k.held[b] = h
	return h
}

const (
	tickEvery    = 50 * time.Millisecond
	hurriedEvery = 2 * time.Millisecond // at most
	shareWithin  = time.Second
	mostReports  = 100 // in one go
)

// Run reports until ctx ends; then it gives back what is held.
func (k *Keeper) Run(ctx context.Context) error {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	var last, shared time.Time
	for {
		select {
		case <-ctx.Done():
			k.giveBack()
			return nil
		case <-tick.C:
			k.users.sweep(time.Now())
		case <-k.hurry:
			if soonest := time.Until(last.Add(hurriedEvery)); soonest > 0 {
				time.Sleep(soonest)
			}
		}
		last = time.Now()
		due := k.due()
		if len(due) > 0 || last.Sub(shared) >= holdEvery {
			k.report(ctx, due)
			shared = last
		}
	}
}

// due lists what the desk should hear of, and forgets what is of no use.
func (k *Keeper) due() (due []holding) {
	now := time.Now()
	var done []Bucket
	k.mu.RLock()
	for b, h := range k.held {
		isDue, isDone := h.due(now)
		if isDue {
			due = append(due, h)
		} else if isDone {
			done = append(done, b)
		}
	}
	k.mu.RUnlock()
	if len(done) > 0 {
		k.forget(done, now)
	}
	return due
}

func (k *Keeper) forget(done []Bucket, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, b := range done {
		if h := k.held[b]; h != nil && h.forget(now) {
			delete(k.held, b)
		}
	}
}

// report says how things stand, or only that the process is there.
func (k *Keeper) report(ctx context.Context, all []holding) {
	if len(all) == 0 {
		k.reportSome(ctx, nil)
	}
	for some := range slices.Chunk(all, mostReports) {
		k.reportSome(ctx, some)
	}
}

func (k *Keeper) reportSome(ctx context.Context, all []holding) {
	ctx, cancel := context.WithTimeout(ctx, shareWithin)
	defer cancel()
	reports := make([]Report, len(all))
	for i, h := range all {
		reports[i] = h.report(time.Now(), k.reports.Add(1))
	}
	answer, err := k.desk.Share(ctx, k.process, reports)
	if err != nil {
		k.stats.failures.Add(1)
		k.log.Debug("limits cannot be shared now: each process goes on with its share", "err", err)
		for i, h := range all {
			h.fail(time.Now(), reports[i])
		}
		return
	}
	k.count(time.Now(), answer)
	for i, h := range all {
		h.hear(time.Now(), reports[i], answer.Replies[i])
	}
	if slices.ContainsFunc(all, holding.isHurried) {
		token(k.hurry)
	}
}

// count notes how many processes share. Fewer are believed in only after a while:
// a desk that has lost everything knows of nobody at first.
func (k *Keeper) count(now time.Time, a Answer) {
	was, n := k.processes.Load(), int64(a.Processes)
	if n < max(was, -was) && now.Sub(k.counted) < Lease {
		return
	}
	if n >= max(was, -was) || was == 0 {
		k.counted = now
	}
	if !a.Settled && was <= 0 {
		n = -n
	}
	k.processes.Store(n)
}

// giveBack leaves all shares to others.
func (k *Keeper) giveBack() {
	ctx, cancel := context.WithTimeout(context.Background(), shareWithin) // the last there is to do
	defer cancel()
	k.mu.RLock()
	all := slices.Collect(maps.Values(k.held))
	k.mu.RUnlock()
	for _, h := range all {
		h.quit()
	}
	k.report(ctx, all)
}
