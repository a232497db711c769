package simulate

import (
	"slices"
	"time"
)

// api is an API process, with its journal and its shipper.
type api struct {
	flow     *flow
	cores    *cores
	journal  line[fact]
	shipping int // facts that are under way to their streams
	idle     bool
	answers  int // that are not kept yet
}

func newAPI(f *flow, c *cores) *api {
	a := &api{flow: f, cores: c, idle: true}
	if f.costs.RequestPostgres > 0 {
		f.every(f.untilTick(keepEvery), keepEvery, a.keep)
	}
	return a
}

// untilTick is how long it takes, by chance, until the next tick.
func (f *flow) untilTick(interval time.Duration) time.Duration {
	return time.Duration(f.r.Int64N(int64(interval)))
}

// ask is a request: it waits for a core, and then is answered.
func (a *api) ask() {
	came := a.flow.now
	a.flow.arrived++
	a.cores.do(a.flow.costs.Request, func() {
		a.flow.answer(a.flow.now - came)
		a.answers++
		a.record()
	})
}

// record puts a fact into the journal.
func (a *api) record() {
	f := a.flow
	f.answered++
	a.journal.push(fact{f.now, f.r.IntN(f.setup.Partitions)})
	if a.idle {
		a.idle = false
		a.ship()
	}
}

// ship moves the next facts to their streams. When few are left, it lets some
// come together before it looks again; when there are none, it waits to be woken.
func (a *api) ship() {
	facts := a.journal.take(a.flow.setup.ShipBatch)
	if len(facts) == 0 {
		a.idle = true
		return
	}
	a.shipping = len(facts)
	slices.SortStableFunc(facts, func(x, y fact) int { return x.partition - y.partition })
	left := 0
	for len(facts) > 0 {
		n := 1
		for n < len(facts) && facts[n].partition == facts[0].partition {
			n++
		}
		left++
		a.send(a.flow.streams[facts[0].partition], facts[:n], func() {
			if left--; left == 0 {
				a.shipped()
			}
		})
		facts = facts[n:]
	}
}

func (a *api) send(to *stream, run []fact, then func()) {
	f := a.flow
	f.after(f.setup.Network/2, func() {
		to.master.do(f.costs.Call+each(len(run), f.costs.Append), func() {
			a.shipping -= len(run)
			to.add(run)
			f.after(f.setup.Network/2, then)
		})
	})
}

func (a *api) shipped() {
	if a.journal.len() >= shipMost {
		a.ship()
		return
	}
	a.gather(a.flow.setup.Gather)
}

// gather ships when enough has come together, or after a while.
func (a *api) gather(most time.Duration) {
	step := min(shipStep, most)
	a.flow.after(step, func() {
		if most == step || a.journal.len() >= shipMost {
			a.ship()
		} else {
			a.gather(most - step)
		}
	})
}

// keep writes answers to PostgreSQL, to be given again.
func (a *api) keep() {
	if a.answers > 0 {
		a.flow.postgres.do(each(a.answers, a.flow.costs.RequestPostgres), func() {})
	}
	a.answers = 0
}
