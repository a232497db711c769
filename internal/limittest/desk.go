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

	mu    sync.Mutex
	pools map[limit.Bucket]*pool
}

// NewDesk makes one that knows nothing.
func NewDesk(now func() time.Time) *Desk {
	return &Desk{Now: now, pools: map[limit.Bucket]*pool{}}
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
	d.pools = map[limit.Bucket]*pool{}
}

// Share implements limit.Desk.
func (d *Desk) Share(_ context.Context, name string, reports []limit.Report) ([]limit.Reply, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var replies []limit.Reply
	for _, r := range reports {
		p := d.pools[r.Bucket]
		if p == nil || d.Now().Sub(p.at) >= limit.Remember {
			p = &pool{level: float64(r.PerMinute), at: d.Now(), processes: map[string]*process{}}
			d.pools[r.Bucket] = p
		}
		replies = append(replies, p.share(d.Now(), name, r))
	}
	return replies, nil
}

func (p *pool) free() float64 {
	free := 1.0
	for _, o := range p.processes {
		free -= o.share
	}
	return free
}

func (p *pool) share(now time.Time, name string, r limit.Report) (reply limit.Reply) {
	room := float64(r.PerMinute)
	if gone := now.Sub(p.at).Seconds(); gone > 0 {
		p.level += max(p.free(), 0) * room * gone / 60
	}
	p.at = now
	for other, o := range p.processes {
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

// Age makes all that was said older.
func (d *Desk) Age(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.pools {
		p.at = p.at.Add(-by)
		for _, o := range p.processes {
			o.at = o.at.Add(-by)
		}
	}
}
