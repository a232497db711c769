package budget

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/busuhq/busu/internal/pricing"
)

// Keeper keeps a process's purses. Its exported fields are set once, before it
// runs. It is safe for concurrent use.
type Keeper struct {
	Desk  Desk
	Books Books
	// Process names the process: its journal, a slash, and what tells apart the
	// processes that have written in that journal.
	Process string
	// PassUnknown lets requests pass whose budgets cannot be known now. They count.
	PassUnknown bool
	Log         *slog.Logger

	mu     sync.RWMutex
	purses map[Account]*Purse

	hurry   chan struct{} // holds a token when a purse is short
	reading chan struct{} // holds a token when something is to be read
	unread  map[Account]bool
	known   map[string]bool // journals
	stored  *Stored         // that no desk has taken yet
	stats   Stats

	refusals refusals
}

// NewKeeper makes a keeper that has spent nothing.
func NewKeeper(d Desk, b Books, process string, passUnknown bool, log *slog.Logger) *Keeper {
	return &Keeper{Desk: d, Books: b, Process: process, PassUnknown: passUnknown, Log: log, purses: map[Account]*Purse{},
		hurry: make(chan struct{}, 1), reading: make(chan struct{}, 1), unread: map[Account]bool{}, known: map[string]bool{}}
}

// Stats count what a keeper has done. They are safe to read at any time.
type Stats struct {
	exhausted, unavailable, passed, waited, failures atomic.Int64
}

// Exhausted is how many requests were refused because too little was left.
func (s *Stats) Exhausted() int64 { return s.exhausted.Load() }

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

// Slices is what the process holds of all accounts, and what requests have cost
// beyond what was reserved for them.
func (k *Keeper) Slices() (held, over pricing.Nanos) {
	for _, p := range k.all() {
		p.mu.Lock()
		held += p.slice
		over += p.over
		p.mu.Unlock()
	}
	return held, over
}

// waitWithin bounds what a request waits for the desk that finds a slice too
// small: the first after a while, or more at once than ever lately.
const waitWithin = 100 * time.Millisecond

// youngWithin bounds it in the first seconds of a desk, new or started again,
// in which nothing is granted because what was said before may be lost.
const youngWithin = QuietFor + Skew

// Reserve puts by, of each of the budgets, what a request may cost that arrived
// at a moment; or of none, with an ExhaustedError or an UnavailableError. As
// long as the slices are large enough, it waits for nothing.
func (k *Keeper) Reserve(ctx context.Context, budgets []Budget, at time.Time, most pricing.Nanos) (Holds, error) {
	now := time.Now()
	h := Holds{at: at}
	h.Begin(now)
	for i := range budgets[:min(len(budgets), mostBudgets)] {
		b := &budgets[i]
		p := k.purse(b.Account(at))
		v := p.reserve(now, b.Limit, most, -1)
		if v == wait {
			v = k.wait(ctx, p, b, most)
		}
		switch {
		case v == granted:
			h.add(p, most)
		case v == unknown && k.PassUnknown:
			k.stats.passed.Add(1)
			h.add(p, 0)
		default:
			h.Settle(0)
			return Holds{}, k.refuse(p, b, v)
		}
	}
	return h, nil
}

// wait asks the desk until it knows enough.
func (k *Keeper) wait(ctx context.Context, p *Purse, b *Budget, most pricing.Nanos) verdict {
	k.stats.waited.Add(1)
	began := time.Now()
	end := time.NewTimer(waitWithin)
	defer end.Stop()
	since, news := p.waits()
	for isLonger := false; ; {
		v := p.reserve(time.Now(), b.Limit, most, since)
		if v != wait {
			return v
		}
		switch isYoung := p.isYoung(); {
		case !isYoung:
			token(k.hurry) // a young desk says the same until it is older
		case !isLonger:
			end.Reset(time.Until(began.Add(youngWithin)))
			isLonger = true
		}
		select {
		case <-news:
			_, news = p.waits()
		case <-end.C:
			return p.reserveLast(time.Now(), b.Limit, most)
		case <-ctx.Done():
			return p.reserveLast(time.Now(), b.Limit, most)
		}
	}
}

// isYoung reports whether the desk said so last.
func (p *Purse) isYoung() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last.State == Quiet
}

// waits gives the round of reports and what is closed at the next reply.
func (p *Purse) waits() (round int64, news <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.round, p.news
}

// reserveLast is for who has waited as long as it may.
func (p *Purse) reserveLast(now time.Time, limit, most pricing.Nanos) verdict {
	v := p.reserve(now, limit, most, 0)
	p.mu.Lock()
	defer p.mu.Unlock()
	if v == wait && p.last.State == Open && now.Sub(p.replied) < fresh {
		return held
	}
	if v == wait {
		return unknown
	}
	return v
}

func token(to chan struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

// soon is when to ask again where it may be better in a moment.
const soon = 2 * time.Second

func (k *Keeper) refuse(p *Purse, b *Budget, v verdict) error {
	if v == unknown || v == wait {
		k.stats.unavailable.Add(1)
		return &UnavailableError{Budget: *b, RetryAfter: soon}
	}
	k.stats.exhausted.Add(1)
	s := p.standing(*b)
	e := &ExhaustedError{Budget: *b, Spent: s.Spent, Resets: s.Resets, RetryAfter: soon}
	if v == exhausted {
		e.RetryAfter = max(time.Until(s.Resets), soon)
		k.refusals.add(Refused{p.account, b.Limit})
	}
	return e
}

// Standing is how an account stands, as far as this process knows.
type Standing struct {
	Limit     pricing.Nanos
	Spent     pricing.Nanos
	Reserved  pricing.Nanos // held by processes, for requests under way and to come
	Remaining pricing.Nanos // of the limit, not spent
	Resets    time.Time
	AsOf      time.Time // zero: nothing is known
}

func (p *Purse) standing(b Budget) Standing {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Standing{Limit: b.Limit, Spent: p.last.Spent + p.untold(), Reserved: p.last.Held + p.slice, Resets: p.account.End()}
	s.Remaining = max(b.Limit-s.Spent, 0)
	if p.last.State == Open || p.last.State == Quiet {
		s.AsOf = p.heard
	}
	return s
}

// Look tells how a budget stands, and waits for the desk where it has not been
// asked lately.
func (k *Keeper) Look(ctx context.Context, b Budget, at time.Time) (Standing, error) {
	p := k.purse(b.Account(at))
	ctx, cancel := context.WithTimeout(ctx, waitWithin)
	defer cancel()
	for {
		_, news := p.waits()
		now := time.Now()
		s, v := p.standing(b), p.look(now, b.Limit)
		if v == granted {
			return s, nil
		}
		token(k.hurry)
		select {
		case <-news:
		case <-ctx.Done():
			if s.AsOf.IsZero() {
				return s, &UnavailableError{Budget: b, RetryAfter: soon}
			}
			return s, nil
		}
	}
}

// look asks for a report, unless the last is fresh.
func (p *Purse) look(now time.Time, limit pricing.Nanos) verdict {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limit = limit
	if p.last.State == Open && now.Sub(p.heard) < fresh {
		return granted
	}
	p.short, p.used = max(p.short, 1), now
	return wait
}

func (k *Keeper) purse(a Account) *Purse {
	k.mu.RLock()
	p := k.purses[a]
	k.mu.RUnlock()
	if p != nil {
		return p
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if p = k.purses[a]; p == nil {
		p = newPurse(a)
		k.purses[a] = p
	}
	return p
}

func (k *Keeper) all() []*Purse {
	k.mu.RLock()
	defer k.mu.RUnlock()
	all := make([]*Purse, 0, len(k.purses))
	for _, p := range k.purses {
		all = append(all, p)
	}
	return all
}

// drop lets go of a purse that holds nothing and was not asked for long.
func (k *Keeper) drop(p *Purse) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, done := p.due(time.Now()); done {
		delete(k.purses, p.account)
	}
}

func (k *Keeper) note(replies []Reply, accounts []Account) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, r := range replies {
		for _, journal := range r.Journals {
			k.known[journal] = true
		}
		if r.Read {
			k.unread[accounts[i]] = true
			token(k.reading)
		}
	}
}

// toRead takes what is to be read.
func (k *Keeper) toRead() (accounts []Account, journals []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for a := range k.unread {
		accounts = append(accounts, a)
	}
	for j := range k.known {
		journals = append(journals, j)
	}
	clear(k.unread)
	clear(k.known)
	slices.Sort(journals)
	return accounts, journals
}
