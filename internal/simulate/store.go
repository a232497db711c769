package simulate

import "time"

// process is a worker process, with what its loops have in common: connections,
// and a transaction for those that bring few facts.
type process struct {
	flow    *flow
	cores   *cores
	pool    *doors
	waiting []brought
	facts   int // in waiting
	began   time.Duration
	round   int // of transactions of few
}

type brought struct {
	by    *writer
	facts []fact
}

// writer is a worker's loop over one partition: it reads, and while it stores,
// it reads ahead when there is much.
type writer struct {
	flow    *flow
	cores   *cores
	stream  *stream
	process *process
	next    []fact // decoded, and waiting to be stored
	storing bool
	few     bool // were stored last
}

// employ starts a worker process, with a loop for each partition.
func (f *flow) employ(c *cores) {
	p := &process{flow: f, cores: c, pool: f.doors(connectionsName, f.setup.Connections), began: -storeEvery}
	f.pools = append(f.pools, p.pool)
	for _, s := range f.streams {
		w := &writer{flow: f, cores: c, stream: s, process: p}
		f.writers = append(f.writers, w)
		f.after(0, w.read)
	}
}

// join lets facts be stored with those that other loops bring at the same time.
func (p *process) join(by *writer, facts []fact) {
	p.waiting, p.facts = append(p.waiting, brought{by, facts}), p.facts+len(facts)
	if p.facts >= readAhead || len(p.waiting) == len(p.flow.streams) {
		p.store()
	} else if round := p.round; len(p.waiting) == 1 {
		p.flow.after(storeFor, func() {
			if p.round == round {
				p.store()
			}
		})
	}
}

func (p *process) store() {
	all := p.waiting
	n := p.facts
	p.waiting, p.facts, p.began, p.round = nil, 0, p.flow.now, p.round+1
	p.transact(n, func() {
		for _, b := range all {
			b.by.stored(b.facts, false)
		}
	})
}

// transact stores so many facts in one transaction.
func (p *process) transact(n int, then func()) {
	f := p.flow
	p.pool.enter(func() {
		p.cores.do(each(n, f.costs.encode()), func() {
			f.after(f.costs.Commit+f.setup.Network, func() {
				f.postgres.do(f.costs.Transaction+each(n, f.costs.Row), func() {
					p.pool.leave()
					then()
				})
			})
		})
	})
}

// read asks for the next facts, and waits for some.
func (w *writer) read() {
	f := w.flow
	if w.stream.facts.len() == 0 {
		w.stream.blocked.push(w.read)
		return
	}
	var facts []fact
	w.stream.master.thread.enter(func() {
		facts = w.stream.facts.take(f.setup.ReadBatch) // now, not when it asked
		w.stream.master.cores.do(f.costs.Call+each(len(facts), f.costs.Read), func() {
			w.stream.master.thread.leave()
			f.after(f.setup.Network/2, func() { w.decode(facts) })
		})
	})
}

func (w *writer) decode(facts []fact) {
	if len(facts) == 0 { // another worker was given them
		w.read()
		return
	}
	w.cores.do(each(len(facts), w.flow.costs.decode()), func() {
		w.next = facts
		if !w.storing {
			w.store()
		}
	})
}

// store writes what was read: much of it in a transaction of its own.
func (w *writer) store() {
	facts := w.next
	w.next, w.storing = nil, true
	if len(facts) < readAhead {
		w.process.join(w, facts)
		return
	}
	w.flow.after(w.flow.setup.Network/2, w.read)
	w.process.transact(len(facts), func() { w.stored(facts, true) })
}

// stored is after the commit.
func (w *writer) stored(facts []fact, readsAhead bool) {
	f := w.flow
	wasFew := w.few
	w.storing, w.few = false, !readsAhead
	w.stream.unstored -= len(facts)
	f.store(facts)
	w.stream.master.do(f.costs.Call, func() {}) // acknowledged
	switch {
	case len(w.next) > 0:
		w.store()
	case !readsAhead && wasFew:
		f.after(max(0, w.process.began+storeEvery-f.now)+f.setup.Network/2, w.read)
	case !readsAhead:
		f.after(f.setup.Network/2, w.read)
	}
}
