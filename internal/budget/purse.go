package budget

import (
	"math"
	"sync"
	"time"

	"github.com/busuhq/busu/internal/pricing"
)

// Purse is what a process holds of an account. It is safe for concurrent use.
type Purse struct {
	account Account

	mu       sync.Mutex
	limit    pricing.Nanos
	slice    pricing.Nanos // leased and not spent
	reserved pricing.Nanos // of that, for requests under way
	over     pricing.Nanos // what requests have cost beyond what was reserved, in all
	spent    []spent       // by minute, in order
	covered  int64         // minute; what is before is stored

	seq     int64
	used    time.Time // when it was last asked
	recent  float64   // of what was asked for lately, nano-dollars
	largest pricing.Nanos
	decayed time.Time
	short   pricing.Nanos // the least that was asked for and not there since the last report
	refused bool          // something was, since then, because too little is left

	last    Reply
	blank   time.Time // since when the desk has not known what is stored; zero: it does
	heard   time.Time // when the report was made that was taken last
	failed  time.Time // when one was not, since then
	replied time.Time // last, whatever it said
	round   int64     // of reports
	news    chan struct{}
}

type spent struct {
	minute     int64
	cost, told pricing.Nanos
}

// How much of an account a process wants to hold, and for how long.
const (
	ahead      = 2 * time.Second // of what was asked for lately
	aheadCalls = 16              // or as many requests
	mostTold   = 16              // minutes that are told apart
	idle       = 500 * time.Millisecond
	fresh      = 500 * time.Millisecond
	blankFor   = time.Second // what is stored is waited for: the database is away after that
)

func newPurse(a Account) *Purse { return &Purse{account: a, news: make(chan struct{})} }

// verdict is what came of asking a purse.
type verdict int

const (
	granted verdict = iota
	wait            // the next reply may change it
	held            // what is left is held for requests under way
	exhausted
	unknown
)

// reserve puts by what a request may cost. since is the round of reports when
// it first asked: a reply to a later one has taken it into account.
func (p *Purse) reserve(now time.Time, limit, most pricing.Nanos, since int64) verdict {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limit, p.used = limit, now
	if since < 0 {
		p.decay(now)
		p.recent += float64(most)
		p.largest = max(p.largest, most)
	}
	isOurs := now.Sub(p.heard) < Hold
	if isOurs && p.slice-p.reserved >= most {
		p.reserved += most
		return granted
	}
	v := p.why(now, most, since)
	if v == wait && (p.short == 0 || most < p.short) {
		p.short = max(most, 1)
	}
	p.refused = p.refused || v == held || v == exhausted
	return v
}

// why says what keeps a purse from reserving.
func (p *Purse) why(now time.Time, most pricing.Nanos, since int64) verdict {
	if p.failed.After(p.heard) && now.Sub(p.failed) < fresh {
		return unknown
	}
	if now.Sub(p.replied) >= fresh || since >= 0 && p.round <= since {
		return wait
	}
	switch p.last.State {
	case Open:
	case Blank:
		if now.Sub(p.blank) > blankFor {
			return unknown
		}
		return wait
	default:
		return wait
	}
	if p.last.Free >= most-max(p.slice-p.reserved, 0) && p.last.Free > 0 {
		return wait
	}
	if p.limit-p.last.Spent-p.untold() >= most {
		return held
	}
	return exhausted
}

// untold is what was spent since the last report.
func (p *Purse) untold() (sum pricing.Nanos) {
	for _, s := range p.spent {
		sum += s.cost - s.told
	}
	return sum
}

// settle gives back what was reserved and takes what it cost, of a minute.
func (p *Purse) settle(minute int64, most, cost pricing.Nanos) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reserved -= most
	if cost == 0 {
		return
	}
	p.slice -= cost
	if p.slice < p.reserved {
		p.over += p.reserved - p.slice
		p.slice = p.reserved
	}
	p.spend(max(minute, p.covered), cost)
}

// spend adds to a minute.
func (p *Purse) spend(minute int64, cost pricing.Nanos) {
	i := len(p.spent)
	for i > 0 && p.spent[i-1].minute >= minute {
		i--
	}
	if i < len(p.spent) && p.spent[i].minute == minute {
		p.spent[i].cost += cost
		return
	}
	p.spent = append(p.spent, spent{})
	copy(p.spent[i+1:], p.spent[i:])
	p.spent[i] = spent{minute: minute, cost: cost}
	if len(p.spent) > mostTold { // what was spent earlier may be told as later, but not the other way round
		first := p.spent[0]
		p.spent[1].cost += first.cost
		p.spent[1].told += first.told
		p.spent = append(p.spent[:0], p.spent[1:]...)
	}
}

func (p *Purse) decay(now time.Time) {
	if passed := now.Sub(p.decayed); passed > 0 {
		p.recent *= math.Exp(-float64(passed) / float64(ahead))
		p.decayed = now
	}
}

// wish is what a purse wants to hold beside what is reserved. One that is not
// asked any more wants nothing.
func (p *Purse) wish(now time.Time) pricing.Nanos {
	p.decay(now)
	if p.recent < float64(p.largest)/aheadCalls {
		p.largest = 0
		return 0
	}
	return max(pricing.Nanos(p.recent), aheadCalls*min(p.largest, math.MaxInt64/aheadCalls))
}

// isScarce reports whether what the purse holds is better used elsewhere: little
// is left, and it is too little here for what is asked, or nothing is.
func (p *Purse) isScarce(now time.Time) bool {
	free := p.slice - p.reserved
	return free > 0 && p.last.State == Open && (p.refused || p.last.Free < free && now.Sub(p.used) > idle ||
		p.short > free && p.last.Free < p.short-free && p.round > 1)
}

// report says how things stand, and gives back what is not wanted any more,
// as long as replies come: without the desk a slice is all there is.
func (p *Purse) report(now time.Time) Report {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seq++
	p.round++
	wish := p.wish(now)
	if now.Sub(p.heard) >= Hold {
		p.slice = p.reserved // it may be another's by now
	}
	if p.isScarce(now) {
		wish = 0
	}
	if free := p.slice - p.reserved; free > wish && !p.failed.After(p.heard) {
		p.slice -= free - wish
	}
	free := p.slice - p.reserved
	r := Report{Account: p.account, Limit: p.limit, Seq: p.seq, Holds: p.slice, Wants: max(wish-free, 0)}
	if p.short > 0 {
		r.Needs = max(p.short-free, 0)
		r.Wants = max(r.Wants, r.Needs)
	}
	p.short, p.refused = 0, false
	for _, s := range p.spent {
		r.Spent = append(r.Spent, Spent{s.minute, s.cost})
	}
	return r
}

// take hears the reply to a report that was made at a moment.
func (p *Purse) take(made, now time.Time, said Report, r Reply) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.tell()
	p.last, p.replied = r, now
	switch {
	case r.State != Blank:
		p.blank = time.Time{}
	case p.blank.IsZero():
		p.blank = now
	}
	if r.State != Stale && r.State != Late {
		p.heard = made
		p.slice += r.Granted
		for _, told := range said.Spent {
			p.told(told)
		}
	}
	if r.Covered > p.covered {
		p.cover(now, r.Covered)
	}
}

func (p *Purse) told(t Spent) {
	for i := range p.spent {
		if p.spent[i].minute == t.Minute {
			p.spent[i].told = max(p.spent[i].told, min(t.Cost, p.spent[i].cost))
		}
	}
}

// cover lets go of what is stored. What was not told of it goes to the present:
// it may not be.
func (p *Purse) cover(now time.Time, minute int64) {
	p.covered = minute
	var untold pricing.Nanos
	kept := p.spent[:0]
	for _, s := range p.spent {
		if s.minute >= minute {
			kept = append(kept, s)
			continue
		}
		untold += s.cost - s.told
	}
	p.spent = kept
	if untold > 0 {
		p.spend(max(minuteOf(now), minute), untold)
	}
}

// fail hears that a report may not have come.
func (p *Purse) fail(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed, p.replied = now, now
	p.tell()
}

// tell wakes those who wait for a reply.
func (p *Purse) tell() {
	close(p.news)
	p.news = make(chan struct{})
}

// due reports whether the desk should hear of a purse now: at once when it is
// short, soon when it was asked, now and then while it holds something; and
// whether it can be let go of.
func (p *Purse) due(now time.Time) (due, done bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	isIdle := p.slice == 0 && p.reserved == 0 && len(p.spent) == 0
	switch silent := now.Sub(p.replied); {
	case p.short > 0:
		return true, false
	case p.refused, now.Sub(p.used) < time.Second, p.untold() > 0:
		return silent >= reportEvery, false
	case !isIdle:
		return silent >= holdEvery, false
	default:
		return false, now.Sub(p.used) > Forget
	}
}

func minuteOf(t time.Time) int64 { return t.Unix() / 60 }
