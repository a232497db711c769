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

	mu     sync.RWMutex
	leases map[Bucket]*lease

	hurry chan struct{} // holds a token when somebody waits
	stats Stats
}

// NewKeeper makes a keeper that holds nothing, for a process whose name no other
// has. passUnknown lets requests pass whose limits cannot be known now.
func NewKeeper(d Desk, process string, passUnknown bool, log *slog.Logger) *Keeper {
	return &Keeper{desk: d, process: process, passUnknown: passUnknown, log: log, leases: map[Bucket]*lease{}, hurry: make(chan struct{}, 1)}
}

// Stats count what a keeper has done. They are safe to read at any time.
type Stats struct {
	requests, tokens, unavailable, passed, waited, failures atomic.Int64
}

// Exceeded is how many requests were refused because of a kind of limit.
func (s *Stats) Exceeded(k Kind) int64 {
	if k == Tokens {
		return s.tokens.Load()
	}
	return s.requests.Load()
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

// waitWithin bounds what a request waits for the desk: the first of a key after
// a while, or one for which only the desk has room.
const waitWithin = 100 * time.Millisecond

// Pass is a request that was let pass. The zero value is of one without limits.
type Pass struct {
	Standings // behind it
	holds     [2]hold
	n         int
}

type hold struct {
	lease *lease
	took  float64
}

// Settle says how many tokens a request has used. It counts once.
func (p *Pass) Settle(now time.Time, tokens int64) {
	for _, h := range p.holds[:p.n] {
		used := h.took
		if h.lease.bucket.Kind == Tokens {
			used = float64(tokens)
		}
		h.lease.settle(now, h.took, used)
	}
	p.n = 0
}

// undo gives all back.
func (p *Pass) undo(now time.Time) {
	for _, h := range p.holds[:p.n] {
		h.lease.settle(now, h.took, 0)
	}
	p.n = 0
}

// Admit lets a request pass that may use so many tokens, or refuses it, with an
// ExceededError or an UnavailableError. As long as the process's shares have
// room, it waits for nothing. A request counts in each limit or in none.
func (k *Keeper) Admit(ctx context.Context, of Limits, now time.Time, tokens int64) (p Pass, err error) {
	if of.Requests > 0 {
		if err := k.admit(ctx, &p, Bucket{of.Key, Requests}, of.Requests, now, 1); err != nil {
			return Pass{}, err
		}
	}
	if of.Tokens > 0 {
		if err := k.admit(ctx, &p, Bucket{of.Key, Tokens}, of.Tokens, now, max(tokens, 1)); err != nil {
			return Pass{}, err
		}
	}
	return p, nil
}

func (k *Keeper) admit(ctx context.Context, p *Pass, b Bucket, perMinute int64, now time.Time, units int64) error {
	l, n := k.lease(b), float64(min(units, perMinute))
	v, seq := l.take(now, perMinute, n, -1)
	for v == forgotten { // just now
		l = k.lease(b)
		v, seq = l.take(now, perMinute, n, -1)
	}
	if v == wait {
		v = k.wait(ctx, l, perMinute, n, seq)
	}
	if v == unknown && k.passUnknown {
		k.stats.passed.Add(1)
		return nil
	}
	s, retry := l.standing(n)
	*p.of(b.Kind) = s
	if v == granted {
		p.holds[p.n] = hold{l, n}
		p.n++
		return nil
	}
	p.undo(now)
	return k.refuse(p, b, v, retry)
}

func (k *Keeper) refuse(p *Pass, b Bucket, v verdict, retry time.Duration) error {
	if v == unknown {
		k.stats.unavailable.Add(1)
		return &UnavailableError{b, 2 * soon}
	}
	if b.Kind == Tokens {
		k.stats.tokens.Add(1)
	} else {
		k.stats.requests.Add(1)
	}
	return &ExceededError{b, p.Standings, retry}
}

// wait waits for the answer to a report that knows of the request.
func (k *Keeper) wait(ctx context.Context, l *lease, perMinute int64, n float64, after int64) verdict {
	k.stats.waited.Add(1)
	ctx, cancel := context.WithTimeout(ctx, waitWithin)
	defer cancel()
	for {
		news := l.next()
		if v, _ := l.take(time.Now(), perMinute, n, after); v != wait {
			return v
		}
		token(k.hurry)
		select {
		case <-news:
		case <-ctx.Done():
			return l.last()
		}
	}
}

func token(to chan struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

func (k *Keeper) lease(b Bucket) *lease {
	k.mu.RLock()
	l := k.leases[b]
	k.mu.RUnlock()
	if l != nil {
		return l
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if l = k.leases[b]; l == nil {
		l = newLease(b)
		l.used = time.Now()
		k.leases[b] = l
	}
	return l
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
	var last time.Time
	for {
		select {
		case <-ctx.Done():
			k.giveBack()
			return nil
		case <-tick.C:
		case <-k.hurry:
			if soonest := time.Until(last.Add(hurriedEvery)); soonest > 0 {
				time.Sleep(soonest)
			}
		}
		last = time.Now()
		k.report(ctx, k.due())
	}
}

// due lists what the desk should hear of, and forgets what is of no use.
func (k *Keeper) due() (due []*lease) {
	now := time.Now()
	var done []*lease
	k.mu.RLock()
	for _, l := range k.leases {
		isDue, isDone := l.due(now)
		if isDue {
			due = append(due, l)
		} else if isDone {
			done = append(done, l)
		}
	}
	k.mu.RUnlock()
	if len(done) > 0 {
		k.forget(done, now)
	}
	return due
}

func (k *Keeper) forget(done []*lease, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, l := range done {
		if l.forget(now) {
			delete(k.leases, l.bucket)
		}
	}
}

func (k *Keeper) report(ctx context.Context, leases []*lease) {
	for some := range slices.Chunk(leases, mostReports) {
		k.reportSome(ctx, some)
	}
}

func (k *Keeper) reportSome(ctx context.Context, leases []*lease) {
	ctx, cancel := context.WithTimeout(ctx, shareWithin)
	defer cancel()
	reports := make([]Report, len(leases))
	for i, l := range leases {
		reports[i] = l.report(time.Now())
	}
	replies, err := k.desk.Share(ctx, k.process, reports)
	if err != nil {
		k.stats.failures.Add(1)
		k.log.Debug("limits cannot be shared now: each process goes on with its share", "err", err)
	}
	for i, l := range leases {
		if err != nil {
			l.fail(time.Now(), reports[i])
		} else {
			l.hear(time.Now(), reports[i], replies[i])
		}
	}
	if err == nil && slices.ContainsFunc(leases, func(l *lease) bool { l.mu.Lock(); defer l.mu.Unlock(); return l.hurried }) {
		token(k.hurry)
	}
}

// giveBack leaves all shares to others.
func (k *Keeper) giveBack() {
	ctx, cancel := context.WithTimeout(context.Background(), shareWithin) // the last there is to do
	defer cancel()
	k.mu.RLock()
	all := slices.Collect(maps.Values(k.leases))
	k.mu.RUnlock()
	for _, l := range all {
		l.mu.Lock()
		l.asked = 0
		l.leave()
		l.mu.Unlock()
	}
	k.report(ctx, all)
}
