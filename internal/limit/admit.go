package limit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// waitWithin bounds what a request waits for the desk: the first of a key after
// a while, or one for which only the desk has room.
const waitWithin = 100 * time.Millisecond

// youngWithin bounds it while a desk is young, and grants nothing.
const youngWithin = Hold + time.Second

// Pass is a request that was let pass. The zero value is of one without limits.
type Pass struct {
	Standings // behind it
	holds     [2 * kinds]hold
	n         int
	visit     visit
}

// taker is what a request takes of, and gives back to.
type taker interface {
	take(now time.Time, most int64, n float64, after int64) (v verdict, seq int64)
	settle(now time.Time, took, used float64)
	standing(n float64) (Standing, time.Duration)
}

type hold struct {
	of   taker
	kind Kind
	took float64
}

// Settle says how many tokens a request has used, and that it has ended. It
// counts once.
func (p *Pass) Settle(now time.Time, tokens int64) {
	for _, h := range p.holds[:p.n] {
		used := h.took
		if h.kind == Tokens {
			used = float64(tokens)
		}
		h.of.settle(now, h.took, used)
	}
	p.n = 0
	p.visit.settle(now, float64(tokens))
}

// undo gives all back.
func (p *Pass) undo(now time.Time) {
	for _, h := range p.holds[:p.n] {
		h.of.settle(now, h.took, 0)
	}
	p.n = 0
	p.visit.undo(now)
}

// Admit lets a request pass that may use so many tokens, or refuses it, with an
// ExceededError or an UnavailableError. As long as the process's shares have
// room, it waits for nothing. A request counts in each limit or in none.
func (k *Keeper) Admit(ctx context.Context, of Limits, now time.Time, tokens int64) (p Pass, err error) {
	units := [kinds]int64{1, max(tokens, 1), 1}
	for i := range kinds {
		kind := kindAt(i)
		most := of.Own.of(kind)
		if most == 0 {
			continue
		}
		b := Bucket{Key: of.Key, Kind: kind}
		v, s, retry := k.ask(ctx, &p, b, most, now, units[i])
		if err := k.judge(&p, b, most, now, v, s, retry); err != nil {
			return Pass{}, err
		}
	}
	if of.PerUser != (Most{}) {
		if err := k.admitUser(ctx, &p, &of, now, units); err != nil {
			return Pass{}, err
		}
	}
	return p, nil
}

// admitUser lets a user have what this process may let them have, and asks for
// the rest where that is too little.
func (k *Keeper) admitUser(ctx context.Context, p *Pass, of *Limits, now time.Time, units [kinds]int64) error {
	processes := k.processes.Load()
	var short [kinds]bool
	p.visit, short = k.users.enter(of, now, float64(units[1]), processes, &p.Standings)
	if short == ([kinds]bool{}) {
		return nil
	}
	hash := sha256.Sum256([]byte(of.User))
	b := Bucket{Key: of.Key, User: hex.EncodeToString(hash[:16])}
	for i := range kinds {
		kind := kindAt(i)
		if !short[i] {
			continue
		}
		b.Kind = kind
		most := of.PerUser.of(kind)
		_, rest := parts(most, processes)
		v, s, retry := exceeded, Standing{}, soon
		if rest > 0 {
			v, s, retry = k.ask(ctx, p, b, rest, now, units[i])
		}
		if kind != Concurrency {
			s = p.visit.told(i, s)
			retry = max(retry, p.visit.until(i, units[i], rest))
		}
		if err := k.judge(p, b, most, now, v, s, retry); err != nil {
			return err
		}
	}
	return nil
}

// ask takes of what this process holds of a bucket, and waits for the desk where
// that may help. What was taken is the pass's.
func (k *Keeper) ask(ctx context.Context, p *Pass, b Bucket, most int64, now time.Time, units int64) (verdict, Standing, time.Duration) {
	l, n := k.holding(b), float64(min(units, most))
	v, seq := l.take(now, most, n, -1)
	for v == forgotten { // just now
		l = k.holding(b)
		v, seq = l.take(now, most, n, -1)
	}
	if v == wait {
		v = k.wait(ctx, l, most, n, seq)
	}
	if v == granted {
		p.holds[p.n] = hold{l, b.Kind, n}
		p.n++
	}
	s, retry := l.standing(n)
	return v, s, retry
}

// judge makes of a verdict what the caller is told.
func (k *Keeper) judge(p *Pass, b Bucket, most int64, now time.Time, v verdict, s Standing, retry time.Duration) error {
	if v == unknown && k.passUnknown {
		k.stats.passed.Add(1)
		return nil
	}
	if b.Kind != Concurrency {
		p.tell(b.Kind, s)
	}
	if v == granted {
		return nil
	}
	p.undo(now)
	if v == unknown {
		k.stats.unavailable.Add(1)
		return &UnavailableError{b, 2 * soon}
	}
	k.stats.exceeded(&b).Add(1)
	return &ExceededError{b, p.Standings, most, retry}
}

// wait waits for the answer to a report that knows of the request.
func (k *Keeper) wait(ctx context.Context, l holding, most int64, n float64, after int64) (v verdict) {
	k.stats.waited.Add(1)
	began, since, within := time.Now(), after, waitWithin
	end := time.NewTimer(within)
	defer end.Stop()
	for isFirst := true; ; isFirst = false {
		news := l.next()
		if v, after = l.take(time.Now(), most, n, after); v != wait {
			return v
		}
		patience := l.patience()
		if isFirst || patience == waitWithin {
			token(k.hurry)
		}
		if patience > within {
			within = patience
			end.Reset(time.Until(began.Add(within)))
		}
		select {
		case <-news:
		case <-end.C:
			return l.last(since, after)
		case <-ctx.Done():
			return l.last(since, after)
		}
	}
}

func token(to chan<- struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}
