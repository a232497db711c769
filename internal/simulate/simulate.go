// Package simulate is the pipeline as a model of discrete events: requests are
// answered by API processes, their facts go through journals and partitions to
// workers and the aggregator, and each step takes what was measured of it. It
// says what to expect of machines that are not at hand, and what gives first.
//
// The model knows cores, the one thread of each Redis, turns of the kernel,
// pools, batches and the network's delay. It does not know disks, except as a
// constant of each commit, memory's speed, the network's width, users who send
// much more than others, or verdicts. A run is decided by its seed.
package simulate

import (
	"errors"
	"slices"
	"time"
)

// Load is what comes: requests at a rate, or facts that are there already.
type Load struct {
	Rate      int           // requests per second; at random, one apart from the other
	Tick      time.Duration // instead: so many at once that the rate comes out, and recorded without a request
	For       time.Duration
	WarmUp    time.Duration // of For, what is not measured
	Streamed  int           // facts in the streams at the beginning
	Journaled int           // facts in the journals at the beginning
}

// Outcome is what came of a run.
type Outcome struct {
	Answered, Stored, Counted int                // facts
	Uncounted                 int                // facts that the aggregator was not given
	Streamed, Journaled       int                // facts at the end without a row: in streams and workers, in journals
	Wait, Lag, Sight          Spread             // answers; from answer to row; from answer to live metrics
	Busy                      map[string]float64 // cores that were busy, on average, as a share of all of their kind
	Took                      time.Duration      // until the last fact was stored
	TookCounting              time.Duration      // until the last fact was counted
	MostStreamed              int                // facts without a row in streams and workers, at most
	MostJournaled             int                // facts in journals, at most
	Behind                    bool               // more waited at the end than when half of the time was over
}

// Spread are percentiles.
type Spread struct{ P50, P99 time.Duration }

// Validate says what is missing of a setup.
func (s Setup) Validate() error {
	if s.API < 1 || s.Partitions < 1 || s.Masters < 1 || s.Masters > s.Partitions || s.PostgresCores < 1 && s.Machine < 1 ||
		s.Connections < 1 || s.ShipBatch < 1 || s.ReadBatch < 1 {
		return errors.New("a setup has an API, partitions, as many masters or fewer, cores for PostgreSQL, and sizes of batches")
	}
	return nil
}

// pilesUp is the share of what comes that may wait in the end without anybody
// being behind: batches that are under way, beside what comes together first.
const pilesUp = .03

// Run simulates a setup under a load. The same seed gives the same outcome.
func Run(s Setup, c Costs, l Load, seed uint64) (Outcome, error) {
	if err := s.Validate(); err != nil {
		return Outcome{}, err
	}
	f := newFlow(s, c, l, seed)
	f.fill()
	half := 0
	f.after((l.WarmUp+l.For)/2, func() { half = f.unstored() })
	if l.Rate > 0 {
		f.arrive()
		f.run(l.For, func() bool { return false })
		o := f.outcome(l.For)
		second := float64(l.Rate) * (l.For - l.WarmUp).Seconds() / 2
		most := pilesUp*second + float64(l.Rate)*(s.Gather+storeEvery).Seconds()
		o.Behind = float64(f.unstored()-half) > most || f.setup.Aggregators > 0 && float64(o.Uncounted) > most
		return o, nil
	}
	all := l.Streamed + l.Journaled
	f.run(l.For, func() bool { return (s.Workers == 0 || f.stored == all) && (s.Aggregators == 0 || f.counted == all) })
	return f.outcome(f.now), nil
}

func (f *flow) unstored() int {
	streamed, journaled := f.waiting()
	return streamed + journaled + f.arrived - f.answered
}

// fill puts the facts there that are there at the beginning.
func (f *flow) fill() {
	f.answered += f.load.Streamed
	for i := range f.load.Streamed {
		p := i % f.setup.Partitions
		f.streams[p].add([]fact{{0, p}})
	}
	for i := range f.load.Journaled {
		f.apis[i%len(f.apis)].record()
	}
}

// arrive lets requests come, one after the other.
func (f *flow) arrive() {
	if f.load.Tick > 0 {
		at := int(time.Duration(f.load.Rate) * f.load.Tick / time.Second)
		f.every(f.load.Tick, f.load.Tick, func() {
			for range at {
				f.apis[f.r.IntN(len(f.apis))].record()
			}
		})
		return
	}
	f.after(time.Duration(f.r.ExpFloat64()/float64(f.load.Rate)*float64(time.Second)), func() {
		f.apis[f.r.IntN(len(f.apis))].ask()
		f.arrive()
	})
}

func (f *flow) answer(wait time.Duration) {
	if f.now >= f.load.WarmUp {
		f.waits = append(f.waits, wait)
	}
}

func (f *flow) store(facts []fact) {
	f.stored += len(facts)
	f.last = f.now
	for _, x := range facts {
		if x.at >= f.load.WarmUp {
			f.lags = append(f.lags, f.now-x.at)
		}
	}
}

func (f *flow) see(x fact) {
	if x.at >= f.load.WarmUp {
		f.sights = append(f.sights, f.now-x.at)
	}
}

func (f *flow) outcome(length time.Duration) Outcome {
	o := Outcome{Answered: f.answered, Stored: f.stored, Counted: f.counted, Took: f.last, TookCounting: f.counts,
		Wait: spread(f.waits), Lag: spread(f.lags), Sight: spread(f.sights),
		MostStreamed: f.mostStreamed, MostJournaled: f.mostJournaled, Busy: map[string]float64{}}
	o.Streamed, o.Journaled = f.waiting()
	if length > 0 {
		f.addBusy(o.Busy, length)
	}
	for _, s := range f.streams {
		o.Uncounted += s.tailed.len()
	}
	return o
}

// addBusy says how busy all of a kind were.
func (f *flow) addBusy(to map[string]float64, length time.Duration) {
	for name, of := range f.kinds() {
		var busy time.Duration
		all := 0
		for _, c := range of {
			busy, all = busy+c.busy, all+c.all
		}
		to[name] = share(busy, length, all)
	}
	var busy time.Duration
	for _, p := range f.pools {
		p.note()
		busy += p.busy
	}
	if len(f.pools) > 0 {
		to[connectionsName] = share(busy, length, len(f.pools)*f.setup.Connections)
	}
}

func share(busy, length time.Duration, of int) float64 {
	return busy.Seconds() / length.Seconds() / float64(of)
}

// kinds are the machines, by what runs on them.
func (f *flow) kinds() map[string][]*cores {
	kinds := map[string][]*cores{}
	add := func(c *cores) {
		if !slices.Contains(kinds[c.name], c) {
			kinds[c.name] = append(kinds[c.name], c)
		}
	}
	add(f.postgres)
	for _, m := range f.masters {
		add(m.cores)
	}
	for _, a := range f.apis {
		add(a.cores)
	}
	for _, w := range f.writers {
		add(w.cores)
	}
	for _, c := range f.folders {
		add(c)
	}
	return kinds
}

func spread(of []time.Duration) Spread {
	if len(of) == 0 {
		return Spread{}
	}
	slices.Sort(of)
	at := func(share float64) time.Duration { return of[min(int(share*float64(len(of))), len(of)-1)] }
	return Spread{at(.5), at(.99)}
}
