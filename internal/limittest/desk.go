// Package limittest has a desk in memory, with a clock that tests set: what
// redisdb does in a script, said again in Go. The script is held against it,
// and the whole protocol is played on it.
package limittest

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/busuhq/busu/internal/limit"
)

// Desk is a desk in memory. It is safe for concurrent use.
type Desk struct {
	Now func() time.Time

	mu        sync.Mutex
	pools     map[limit.Bucket]*pool
	processes map[string]presence
	young     time.Time // until then no concurrency is granted
	last      time.Time // when anybody said something
	since     time.Time // since when somebody could
}

type presence struct{ came, said time.Time }

// NewDesk makes one that knows nothing, and is sure that there is nothing to know.
func NewDesk(now func() time.Time) *Desk {
	return &Desk{Now: now, pools: map[limit.Bucket]*pool{}, processes: map[string]presence{}}
}

type pool struct {
	level     float64
	at        time.Time
	processes map[string]*process
}

type process struct {
	share, level, demand float64
	seq                  int64
	at                   time.Time
}

// Lose forgets everything.
func (d *Desk) Lose() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pools, d.processes, d.last, d.since = map[limit.Bucket]*pool{}, map[string]presence{}, time.Time{}, time.Time{}
	d.young = d.Now().Add(limit.Hold)
}

// Share implements limit.Desk.
func (d *Desk) Share(_ context.Context, name string, reports []limit.Report) (limit.Answer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.Now()
	a := d.meet(now, name)
	for _, r := range reports {
		p := d.pools[r.Bucket]
		if p == nil || now.Sub(p.at) >= limit.Remember {
			p = &pool{level: float64(r.Most), at: now, processes: map[string]*process{}}
			d.pools[r.Bucket] = p
		}
		if r.Kind == limit.Concurrency {
			a.Replies = append(a.Replies, p.lend(now, d.since, name, r, now.Before(d.young)))
		} else {
			a.Replies = append(a.Replies, p.share(now, name, r))
		}
	}
	return a, nil
}

// meet notes that a process is there, and counts all that are.
func (d *Desk) meet(now time.Time, name string) (a limit.Answer) {
	if d.last.IsZero() || now.Sub(d.last) > limit.Pause || now.Before(d.last) {
		d.since = now
	}
	d.last = now
	me := d.processes[name]
	if me.came.IsZero() || me.came.After(now) {
		me.came = now
	}
	me.said = now
	d.processes[name] = me
	for other, p := range d.processes {
		if p.said.After(now) {
			d.processes[other] = presence{p.came, now}
		}
		if now.Sub(later(p.said, d.since)) > limit.Lease {
			delete(d.processes, other)
		}
	}
	return limit.Answer{Processes: len(d.processes), Settled: now.Sub(me.came) >= limit.Known}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// lend gives out how many requests may be under way at once.
func (p *pool) lend(now, since time.Time, name string, r limit.Report, isYoung bool) limit.Reply {
	p.at = now
	for other, o := range p.processes {
		if o.at.After(now) {
			o.at = now
		}
		if other != name && now.Sub(later(o.at, since)) > limit.Hold {
			delete(p.processes, other)
		}
	}
	if me := p.processes[name]; me != nil && r.Seq <= me.seq {
		return limit.Reply{Late: true}
	}
	me := &process{share: r.Share, level: r.Level, demand: r.Demand, seq: r.Seq, at: now}
	p.processes[name] = me
	most, free, demand, lack := float64(r.Most), float64(r.Most), 0.0, 0.0
	var silence time.Duration
	for other, o := range p.processes {
		free -= o.share
		demand += o.demand
		if other == name {
			continue
		}
		lack += max(-o.level, 0)
		if age := now.Sub(o.at); o.share > 0 && age < limit.Quiet {
			silence = max(silence, age)
		}
	}
	if r.Share == 0 && r.Demand == 0 && r.Needs == 0 {
		delete(p.processes, name)
		return limit.Reply{Pool: free, Others: p.others(name), Silence: silence, Young: isYoung}
	}
	spare := max(1, math.Floor(most*limit.Spare))
	part := min(r.Demand, most-spare)
	if demand > most-spare {
		part = math.Floor((most - spare) * (limit.Even/float64(len(p.processes)) + (1-limit.Even)*r.Demand/demand))
	}
	reply := limit.Reply{Silence: silence, Young: isYoung}
	if !isYoung {
		reply.Share = max(min(part-r.Share, free-spare-lack), min(r.Needs, free), 0)
	}
	reply.Level = reply.Share
	me.share += reply.Share
	me.level += reply.Level - r.Needs // below 0: it lacks some
	free -= reply.Share
	reply.Keep = me.share
	if me.share > max(part*limit.Tolerance, part+1) {
		reply.Keep = part
	}
	if lack > free {
		reply.Keep = min(reply.Keep, me.share-min(lack-free, max(me.level, 0)))
	}
	if free < spare {
		reply.Keep = max(min(reply.Keep, me.share-spare+free), 0)
	}
	reply.Pool, reply.Others = free, p.others(name)
	return reply
}

func (p *pool) free() float64 {
	free := 1.0
	for _, o := range p.processes {
		free -= o.share
	}
	return free
}

func (p *pool) share(now time.Time, name string, r limit.Report) (reply limit.Reply) {
	room := float64(r.Most)
	if gone := now.Sub(p.at).Seconds(); gone > 0 {
		p.level += max(p.free(), 0) * room * gone / 60
	}
	p.at = now
	for other, o := range p.processes {
		if o.at.After(now) {
			o.at = now
		}
		if other != name && now.Sub(o.at) > limit.Lease {
			delete(p.processes, other)
		}
	}
	me := p.processes[name]
	if me != nil && r.Seq <= me.seq {
		return limit.Reply{Late: true}
	}
	p.level += r.Gives
	me = &process{share: r.Share, level: r.Level, demand: r.Demand, seq: r.Seq, at: now}
	p.processes[name] = me
	free := p.free()
	p.level = min(p.level, max(free, 0)*room)
	if r.Share == 0 && r.Demand == 0 && r.Needs == 0 {
		delete(p.processes, name)
		return limit.Reply{Pool: p.level, Others: p.others(name)}
	}
	part := p.part(me)
	if part > me.share && free > 0 {
		reply.Share = max(min(part-me.share, max(free-limit.Spare, free/2)), 0)
		reply.Level = max(p.level, 0) * reply.Share / free
	}
	reply.Level += max(min(r.Needs-reply.Level, p.level-reply.Level), 0)
	reply.Keep = me.share + reply.Share
	if me.share > part*limit.Tolerance {
		reply.Keep = part
	}
	if free < 0 {
		reply.Keep = max(min(reply.Keep, me.share+free), 0)
	}
	p.level -= reply.Level
	me.share += reply.Share
	me.level += reply.Level
	reply.Pool, reply.Others = p.level, p.others(name)
	return reply
}

// part is what a process should have.
func (p *pool) part(me *process) float64 {
	demand := 0.0
	for _, o := range p.processes {
		demand += o.demand
	}
	if demand == 0 {
		return me.share
	}
	return (1 - limit.Spare) * (limit.Even/float64(len(p.processes)) + (1-limit.Even)*me.demand/demand)
}

func (p *pool) others(name string) (level float64) {
	for other, o := range p.processes {
		if other != name {
			level += max(o.level, 0)
		}
	}
	return level
}

// Whole is the sum of all shares that a bucket's processes have been given, and
// of all levels.
func (d *Desk) Whole(b limit.Bucket) (shares, levels float64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.pools[b]
	if p == nil {
		return 0, math.NaN()
	}
	return 1 - p.free(), p.level + p.others("")
}

// Held is how many requests of a bucket's processes may be under way at once.
func (d *Desk) Held(b limit.Bucket) (held float64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p := d.pools[b]; p != nil {
		for _, o := range p.processes {
			held += o.share
		}
	}
	return held
}

// Age makes all that was said older.
func (d *Desk) Age(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last, d.since = d.last.Add(-by), d.since.Add(-by)
	for name, p := range d.processes {
		d.processes[name] = presence{p.came.Add(-by), p.said.Add(-by)}
	}
	for _, p := range d.pools {
		p.at = p.at.Add(-by)
		for _, o := range p.processes {
			o.at = o.at.Add(-by)
		}
	}
}
