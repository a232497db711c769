package simulate

import "time"

// folder is the aggregator's loop over one partition.
type folder struct {
	flow   *flow
	cores  *cores
	stream *stream
	folded []fact // since the last save
	saved  time.Duration
}

// follow starts the aggregators, which share the partitions, and the one that
// publishes.
func (f *flow) follow() {
	if f.setup.Aggregators == 0 {
		return
	}
	for p, s := range f.streams {
		a := &folder{flow: f, cores: f.folders[p%f.setup.Aggregators], stream: s, saved: -f.untilTick(f.setup.SaveEvery)}
		f.after(0, a.tail)
	}
	f.every(f.untilTick(f.setup.Publish), f.setup.Publish, f.publish)
}

func (a *folder) tail() {
	f := a.flow
	if a.stream.tailed.len() == 0 {
		a.stream.tails.push(a.tail)
		return
	}
	a.stream.master.thread.enter(func() {
		facts := a.stream.tailed.take(tailBatch)
		a.stream.master.cores.do(f.costs.Call+each(len(facts), f.costs.Tail), func() {
			a.stream.master.thread.leave()
			f.after(f.setup.Network, func() {
				a.cores.do(each(len(facts), f.costs.Fold), func() { a.fold(facts) })
			})
		})
	})
}

// fold counts facts, and saves now and then what was counted.
func (a *folder) fold(facts []fact) {
	f := a.flow
	f.counted += len(facts)
	f.counts = f.now
	a.folded = append(a.folded, facts...)
	next := a.tail
	if len(facts) < tailBatch {
		next = func() { f.after(tailEvery, a.tail) }
	}
	if f.now-a.saved < f.setup.SaveEvery {
		next()
		return
	}
	a.saved = f.now
	saving := a.folded
	a.folded = nil
	a.stream.master.do(f.costs.Call, func() {
		f.after(f.setup.Network, func() {
			for _, x := range saving {
				f.shown.push(x)
			}
			next()
		})
	})
}

// publish shows what is saved.
func (f *flow) publish() {
	for f.shown.len() > 0 {
		f.see(f.shown.pop())
	}
}
