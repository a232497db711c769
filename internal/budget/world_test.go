package budget_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/budgettest"
	"github.com/busuhq/busu/internal/pricing"
)

// world is some processes, their journals and stores, in a time of its own.
// Everything takes as long as chance has it, or is lost.
type world struct {
	*rand.Rand
	t        *testing.T
	now      time.Time
	limit    pricing.Nanos
	most     pricing.Nanos // of a request
	account  budget.Account
	desk     *budgettest.Desk
	copies   []*budgettest.Desk // of the last second, the oldest first
	deskAway time.Time          // until when it does not answer
	booksOff time.Time
	calm     time.Time // until when no call is lost
	journals []*log
	all      []*process
	boots    int64
	later    []later
	stale    int // replies of that kind
}

// later is what happens at a time.
type later struct {
	at time.Time
	do func()
}

const step = 25 * time.Millisecond

func newWorld(t *testing.T, seed uint64, processes int) *world {
	w := &world{Rand: rand.New(rand.NewPCG(seed, 77)), t: t, now: time.Date(2026, 11, 26, 0, 0, 30, 0, time.UTC)}
	w.now = w.now.Add(time.Duration(w.IntN(3600)) * time.Second)
	w.most = pricing.Nanos(10 + w.IntN(1000))
	w.account = budget.Budget{Scope: budget.Key, Name: "k", Period: budget.Day}.Account(w.now)
	w.desk = budgettest.NewDesk(func() time.Time { return w.now })
	if w.IntN(2) == 0 {
		w.desk.Begin(w.account.Start().Add(-time.Hour))
	}
	demand := 0
	for range processes {
		demand += w.start(w.newLog()).demand
	}
	// Nearly all of it is spent when the faults come: then it counts what is lost.
	w.limit = w.most * pricing.Nanos(10+demand*(5+w.IntN(25))/10)
	return w
}

func (w *world) after(d time.Duration, do func()) { w.later = append(w.later, later{w.now.Add(d), do}) }

// upTo is a random time.
func (w *world) upTo(d time.Duration) time.Duration { return time.Duration(w.Int64N(int64(d) + 1)) }

func (w *world) run(d time.Duration) {
	for end := w.now.Add(d); w.now.Before(end); w.now = w.now.Add(step) {
		for i := 0; i < len(w.later); i++ { // in the order of making, which is as good as any
			if l := w.later[i]; !l.at.After(w.now) {
				w.later = slices.Delete(w.later, i, i+1)
				i--
				l.do()
			}
		}
		if w.now.UnixMilli()%250 == 0 {
			if w.copies = append(w.copies, w.desk.Copy()); len(w.copies) > 5 {
				w.copies = w.copies[1:]
			}
		}
		for _, l := range w.journals {
			l.step(w)
		}
		for _, p := range w.all {
			p.step(w)
		}
		if spent := w.spent(); spent > w.limit {
			w.t.Fatalf("at %s: %s of %s are spent", w.now, spent, w.limit)
		}
	}
}

// spent is what all requests have cost.
func (w *world) spent() (sum pricing.Nanos) {
	for _, l := range w.journals {
		sum += l.sum
	}
	return sum
}

// log is a journal.
type log struct {
	id      string
	facts   []fact
	sum     pricing.Nanos
	open    []*call
	shipped int
	lives   bool // something writes in it
	last    beat
}

type fact struct {
	at   time.Time
	cost pricing.Nanos
}

type beat struct {
	at, until time.Time
	n         int
}

func (w *world) newLog() *log {
	l := &log{id: fmt.Sprintf("j%d", len(w.journals))}
	w.journals = append(w.journals, l)
	return l
}

func (l *log) record(at time.Time, cost pricing.Nanos) {
	l.facts, l.sum = append(l.facts, fact{at, cost}), l.sum+cost
}

// settle records what a process left behind: at what was expected.
func (l *log) settle() {
	for _, c := range l.open {
		l.record(c.at, c.cost)
	}
	l.open = nil
}

// step ships, and sends heartbeats, where there is somebody who does.
func (l *log) step(w *world) {
	if !l.lives || w.now.Before(w.deskAway) || w.now.Before(w.booksOff) {
		return
	}
	if w.IntN(10) > 0 { // some wait
		l.shipped += min(len(l.facts)-l.shipped, 20)
	}
	if w.now.Sub(l.last.at) >= time.Second {
		l.last = beat{w.now, w.now.Add(-time.Second), len(l.facts)}
		for _, c := range l.open {
			if c.at.Before(l.last.until) {
				l.last.until = c.at
			}
		}
	}
}

// close is the last heartbeat of a journal that nobody will write in, with all
// of it stored.
func (l *log) close(w *world) {
	l.settle()
	l.shipped, l.lives = len(l.facts), false
	l.last = beat{w.now, w.now, len(l.facts)}
}

// watermark is that of postgres.
func (w *world) watermark() time.Time {
	until := w.now
	living := false
	for _, l := range w.journals {
		if l.last.at.Before(w.now.Add(-10 * time.Minute)) {
			continue
		}
		living = true
		if l.shipped < l.last.n {
			return time.Time{}
		}
		if l.last.until.Before(l.last.at) && l.last.until.Before(until) {
			until = l.last.until
		}
	}
	if !living {
		return w.now.Add(-10 * time.Minute)
	}
	return until
}

// read reads what is stored: how far first, and some time later the sums.
func (w *world) read(then func(*budget.Stored)) {
	s := &budget.Stored{AsOf: w.now, Until: w.watermark()}
	if !s.Until.IsZero() {
		s.Mark = s.Until.Truncate(time.Minute)
	}
	for _, l := range w.journals {
		if l.shipped >= l.last.n && !l.last.at.IsZero() {
			s.Journals = append(s.Journals, budget.Coverage{Journal: l.id, Until: l.last.until, Closed: !l.last.until.Before(l.last.at)})
		}
	}
	w.after(w.upTo(time.Second), func() {
		if w.now.Before(w.booksOff) {
			return
		}
		var sums budget.Sums
		for _, l := range w.journals {
			for _, f := range l.facts[:l.shipped] {
				sums.All += f.cost
				if f.at.Before(s.Mark) {
					sums.Before += f.cost
				}
			}
		}
		s.Accounts = map[budget.Account]budget.Sums{w.account: sums}
		then(s)
	})
}

// process is one that answers requests.
type process struct {
	name    string
	log     *log
	purse   *budget.Purse
	dead    bool
	busy    bool // a report is under way
	cutOff  time.Time
	stored  *budget.Stored
	demand  int // of a thousand, per step
	granted int
}

// call is a request under way.
type call struct {
	at         time.Time
	most, cost pricing.Nanos
	holds      budget.Holds
}

func (w *world) start(l *log) *process {
	w.boots++
	p := &process{name: fmt.Sprintf("%s/%d", l.id, w.now.UnixMilli()+w.boots), log: l, purse: budget.NewPurse(w.account), demand: 1 + w.IntN(900)}
	l.settle()
	l.lives = true
	w.all = append(w.all, p)
	return p
}

func (p *process) step(w *world) {
	if p.dead {
		return
	}
	for range 4 {
		if w.IntN(1000) < p.demand {
			p.request(w)
		}
	}
	if !p.busy && p.purse.Due(w.now) {
		p.report(w)
	}
}

func (p *process) request(w *world) {
	c := &call{at: w.now, most: 1 + pricing.Nanos(w.Int64N(int64(w.most)))}
	if w.IntN(20) == 0 {
		c.at = c.at.Add(-w.upTo(3 * time.Second)) // its body took long
	}
	if c.cost = c.most; w.IntN(3) == 0 {
		c.cost = pricing.Nanos(w.Int64N(int64(c.most) + 1))
	}
	var ok bool
	if c.holds, ok = p.purse.Try(w.now, c.at, w.limit, c.most); !ok {
		return
	}
	p.granted++
	p.log.open = append(p.log.open, c)
	takes := w.upTo(2 * time.Second)
	if w.IntN(50) == 0 {
		takes = w.upTo(3 * time.Minute)
	}
	w.after(takes, func() {
		if p.dead {
			return
		}
		p.log.open = slices.DeleteFunc(p.log.open, func(o *call) bool { return o == c })
		p.log.record(c.at, c.cost)
		c.holds.Settle(c.cost)
	})
}

// report is a call of the desk: it may come late, or not at all, and so may its
// reply.
func (p *process) report(w *world) {
	made, said, stored := w.now, p.purse.Report(w.now), p.stored
	p.stored, p.busy = nil, true
	answered := false
	isLost := w.now.Before(p.cutOff) || w.now.Before(w.deskAway)
	there, back := w.upTo(60*time.Millisecond), w.upTo(60*time.Millisecond)
	lossy := w.now.After(w.calm)
	if lossy && w.IntN(40) == 0 {
		there = w.upTo(3 * time.Second)
	}
	replyIsLost := lossy && w.IntN(40) == 0
	w.after(time.Second, func() {
		if !answered && !p.dead {
			p.busy = false
			p.purse.Fail(w.now)
		}
		answered = true
	})
	if isLost {
		return
	}
	w.after(there, func() {
		if w.now.Before(w.deskAway) {
			return
		}
		replies, _ := w.desk.Sync(w.t.Context(), p.name, []budget.Report{said}, stored)
		r := replies[0]
		if r.State == budget.Stale {
			w.stale++
		}
		w.after(back, func() {
			if answered || p.dead || replyIsLost {
				return
			}
			answered, p.busy = true, false
			p.purse.Take(made, w.now, said, r)
			if r.Read && !w.now.Before(w.booksOff) {
				w.read(func(s *budget.Stored) { p.stored = s })
			}
		})
	})
}

// alive lists the processes that are.
func (w *world) alive() (some []*process) {
	for _, p := range w.all {
		if !p.dead {
			some = append(some, p)
		}
	}
	return some
}

// crash ends a process at once. Its journal is opened again by the next, or
// closed by another, some time later.
func (w *world) crash(p *process, comesBack bool) {
	p.dead, p.log.lives = true, false
	if comesBack {
		w.after(w.upTo(20*time.Second), func() { w.start(p.log) })
		return
	}
	w.after(w.upTo(60*time.Second), func() { p.log.close(w) })
}
