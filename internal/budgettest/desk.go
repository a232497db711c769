// Package budgettest has a desk in memory, with a clock that tests set: what
// redisdb does in a script, said again in Go. The script is held against it,
// and the whole protocol is played on it.
package budgettest

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/pricing"
)

// Desk is a desk in memory. It is safe for concurrent use.
type Desk struct {
	Now func() time.Time

	mu       sync.Mutex
	born     time.Time // zero: everything was lost
	quiet    time.Time
	isNew    bool // it came back since it was asked last
	accounts map[budget.Account]*account
}

// NewDesk makes one that knows nothing.
func NewDesk(now func() time.Time) *Desk {
	return &Desk{Now: now, accounts: map[budget.Account]*account{}}
}

type account struct {
	made, asOf, until, came, reads time.Time
	mark                           int64
	before                         pricing.Nanos
	all                            *pricing.Nanos // when it was made
	processes                      map[string]*process
}

type process struct {
	holds    pricing.Nanos
	at, gone time.Time
	seq      int64
	covered  int64
	spent    map[int64]pricing.Nanos
	reported bool
}

// Lose forgets everything.
func (d *Desk) Lose() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.born, d.accounts = time.Time{}, map[budget.Account]*account{}
}

// Copy is what a desk knows now.
func (d *Desk) Copy() *Desk {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := &Desk{born: d.born, quiet: d.quiet, accounts: map[budget.Account]*account{}}
	for name, a := range d.accounts {
		b := *a
		b.processes = map[string]*process{}
		for name, p := range a.processes {
			q := *p
			q.spent = maps.Clone(p.spent)
			b.processes[name] = &q
		}
		c.accounts[name] = &b
	}
	return c
}

// Restart comes back with what was known once.
func (d *Desk) Restart(known *Desk) {
	d.mu.Lock()
	defer d.mu.Unlock()
	known = known.Copy()
	d.born, d.quiet, d.accounts, d.isNew = known.born, known.quiet, known.accounts, true
}

// Sync implements budget.Desk.
func (d *Desk) Sync(_ context.Context, name string, reports []budget.Report, stored *budget.Stored) ([]budget.Reply, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.Now()
	if d.born.IsZero() || d.isNew {
		d.quiet, d.isNew = now.Add(budget.QuietFor), false
		if d.born.IsZero() {
			d.born = now
		}
	}
	var replies []budget.Reply
	for _, r := range reports {
		a := d.accounts[r.Account]
		if a == nil {
			a = &account{made: now, processes: map[string]*process{}}
			d.accounts[r.Account] = a
		}
		if stored != nil {
			if sums, ok := stored.Accounts[r.Account]; ok {
				a.take(now, name, *stored, sums, d.born, d.born.After(r.Start()))
			}
		}
		replies = append(replies, a.sync(now, name, r, now.Before(d.quiet), now.Before(d.born.Add(budget.YoungFor))))
	}
	return replies, nil
}

func (a *account) isExact() bool {
	return a.mark > 0 && !time.Unix(a.mark*60, 0).Before(a.made.Add(budget.Skew))
}

func (a *account) take(now time.Time, me string, s budget.Stored, sums budget.Sums, born time.Time, lossy bool) {
	mark := int64(0)
	if !s.Mark.IsZero() {
		mark = s.Mark.Unix() / 60
	}
	if !s.AsOf.After(a.asOf) || mark < a.mark {
		return
	}
	a.asOf, a.mark, a.before, a.until, a.came = s.AsOf, mark, sums.Before, s.Until, now
	switch {
	case a.isExact():
		a.cover(me, s.Journals)
	case a.all == nil && (!lossy || !s.Until.Before(born.Add(budget.Skew))):
		a.all = &sums.All
	}
}

func split(name string) (journal string, boot int64) {
	journal, text, _ := strings.Cut(name, "/")
	boot, _ = strconv.ParseInt(text, 10, 64)
	return journal, boot
}

func (a *account) cover(me string, journals []budget.Coverage) {
	for name, p := range a.processes {
		journal, boot := split(name)
		for _, c := range journals {
			if c.Journal != journal {
				continue
			}
			until := c.Until.Unix() / 60
			if c.Closed && c.Until.UnixMilli() >= boot {
				until = a.mark
				if p.gone.IsZero() {
					p.gone = c.Until
				}
			}
			p.covered = max(p.covered, min(until, a.mark))
			maps.DeleteFunc(p.spent, func(minute int64, _ pricing.Nanos) bool { return minute < p.covered })
		}
	}
	maps.DeleteFunc(a.processes, func(name string, p *process) bool {
		covered := time.Unix(p.covered*60, 0)
		return name != me && (!p.gone.IsZero() && !covered.Before(p.gone.Add(budget.Skew)) || !covered.Before(p.at.Add(budget.Forget)))
	})
}

func (a *account) sync(now time.Time, name string, r budget.Report, quiet, young bool) budget.Reply {
	reply := budget.Reply{State: a.hear(now, name, r)}
	stored, isKnown := pricing.Nanos(0), true
	switch {
	case a.isExact():
		stored = a.before
	case a.all != nil:
		stored = *a.all
	default:
		isKnown = false
	}
	if reply.State == budget.Open && quiet {
		reply.State = budget.Quiet
	}
	if reply.State == budget.Open && !isKnown {
		reply.State = budget.Blank
		if young {
			reply.State = budget.Quiet
		}
	}
	reply.Spent = stored
	active := pricing.Nanos(1)
	var own pricing.Nanos
	for other, p := range a.processes {
		for _, cost := range p.spent {
			reply.Spent += cost
		}
		if journal, _ := split(other); !slices.Contains(reply.Journals, journal) {
			reply.Journals = append(reply.Journals, journal)
		}
		if other == name {
			own, reply.Covered = p.holds, p.covered
			continue
		}
		reply.Held += p.holds
		if p.gone.IsZero() && now.Sub(p.at) < budget.Active {
			active++
		}
	}
	reply.Free = r.Limit - reply.Spent - reply.Held - own
	if reply.State == budget.Open && reply.Free > 0 && reply.Free >= r.Needs {
		reply.Granted = min(r.Wants, max(r.Needs, reply.Free/(2*active)), reply.Free)
		reply.Free -= reply.Granted
		a.processes[name].holds += reply.Granted
	}
	if (!isKnown || now.Sub(a.came) > budget.ReadEvery) && !now.Before(a.reads) {
		reply.Read, a.reads = true, now.Add(3*time.Second)
		if !isKnown {
			a.reads = now.Add(300 * time.Millisecond)
		}
	}
	return reply
}

// hear takes a report, or says why not.
func (a *account) hear(now time.Time, name string, r budget.Report) budget.State {
	p := a.processes[name]
	if p == nil {
		p = new(process)
	}
	if p.reported && r.Seq <= p.seq {
		return budget.Late
	}
	spent := map[int64]pricing.Nanos{}
	for _, s := range r.Spent {
		if s.Minute < p.covered {
			return budget.Stale
		}
		spent[s.Minute] = s.Cost
	}
	p.spent, p.holds, p.at, p.seq, p.reported = spent, r.Holds, now, r.Seq, true
	a.processes[name] = p
	journal, boot := split(name)
	for other, q := range a.processes {
		if theirs, earlier := split(other); theirs == journal && earlier < boot && q.gone.IsZero() {
			q.gone = now
		}
	}
	return budget.Open
}

// Begin makes a desk that has been there since a moment.
func (d *Desk) Begin(born time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.born = born
}
