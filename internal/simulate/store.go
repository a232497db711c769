package simulate

// writer is a worker's loop over one partition: it reads, and while it stores,
// it reads ahead when there is much.
type writer struct {
	flow    *flow
	cores   *cores
	stream  *stream
	pool    *doors // its process's connections
	next    []fact // decoded, and waiting to be stored
	storing bool
}

// employ starts a worker process, with a loop for each partition.
func (f *flow) employ(c *cores) {
	pool := f.doors(connectionsName, f.setup.Connections)
	f.pools = append(f.pools, pool)
	for _, s := range f.streams {
		w := &writer{flow: f, cores: c, stream: s, pool: pool}
		f.writers = append(f.writers, w)
		f.after(0, w.read)
	}
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

// store writes what was read in one transaction.
func (w *writer) store() {
	facts, f := w.next, w.flow
	w.next, w.storing = nil, true
	ahead := len(facts) >= readAhead
	if ahead {
		f.after(f.setup.Network/2, w.read)
	}
	w.pool.enter(func() {
		w.cores.do(each(len(facts), f.costs.encode()), func() {
			f.after(f.costs.Commit+f.setup.Network, func() {
				f.postgres.do(f.costs.Transaction+each(len(facts), f.costs.Row), func() { w.stored(facts, ahead) })
			})
		})
	})
}

// stored is after the commit.
func (w *writer) stored(facts []fact, readsAhead bool) {
	f := w.flow
	w.pool.leave()
	w.storing = false
	w.stream.unstored -= len(facts)
	f.store(facts)
	w.stream.master.do(f.costs.Call, func() {}) // acknowledged
	switch {
	case len(w.next) > 0:
		w.store()
	case !readsAhead:
		f.after(f.setup.Network/2, w.read)
	}
}
