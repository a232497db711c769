package simulate

import (
	"math/rand/v2"
	"time"
)

// Names of what can be busy.
const (
	apiName         = "API"
	redisName       = "Redis"
	workerName      = "workers"
	aggregatorName  = "aggregators"
	postgresName    = "PostgreSQL"
	connectionsName = "connections of workers"
	machineName     = "the machine"
)

// fact is when it was recorded, which is when its caller has the answer, and
// where it belongs.
type fact struct {
	at        time.Duration
	partition int
}

// flow is the pipeline at work.
type flow struct {
	*clock
	setup Setup
	costs Costs
	load  Load
	r     *rand.Rand

	apis     []*api
	streams  []*stream
	masters  []*server
	folders  []*cores // of aggregators
	writers  []*writer
	pools    []*doors // of workers
	postgres *cores
	shown    line[fact] // saved, and not published yet

	arrived, answered, stored, counted int
	waits                              []time.Duration // of answers: for a core, and on it
	lags, sights                       []time.Duration // from answer to row, and to live metrics
	mostStreamed, mostJournaled        int             // facts that wait, at most
	last                               time.Duration   // when a fact was stored last
	counts                             time.Duration   // when one was counted last
}

func newFlow(s Setup, c Costs, l Load, seed uint64) *flow {
	f := &flow{clock: &clock{}, setup: s, costs: c, load: l, r: rand.New(rand.NewPCG(seed, 1))}
	machine := f.machines()
	f.postgres = machine(postgresName, s.PostgresCores)
	for range s.Masters {
		f.masters = append(f.masters, newServer(machine(redisName, 1)))
	}
	for p := range s.Partitions {
		f.streams = append(f.streams, &stream{flow: f, master: f.masters[p%s.Masters]})
	}
	for range s.API {
		f.apis = append(f.apis, newAPI(f, machine(apiName, s.APICores)))
	}
	for range s.Workers {
		f.employ(machine(workerName, s.WorkerCores))
	}
	for range s.Aggregators {
		f.folders = append(f.folders, machine(aggregatorName, 1))
	}
	f.follow()
	f.every(noticeEvery, noticeEvery, f.notice)
	return f
}

// machines gives each part cores of its own, or all of them the same.
func (f *flow) machines() func(name string, n int) *cores {
	if f.setup.Machine == 0 {
		return func(name string, n int) *cores { return f.cores(name, n, f.setup.Quantum) }
	}
	one := f.cores(machineName, f.setup.Machine, f.setup.Quantum)
	return func(string, int) *cores { return one }
}

// stream is a partition of the facts.
type stream struct {
	flow     *flow
	master   *server
	facts    line[fact] // that no worker was given
	blocked  line[func()]
	tailed   line[fact]   // that the aggregator was not given
	tails    line[func()] // the aggregator, when it waits
	unstored int          // facts that have no row yet
}

// add puts facts into the stream, and wakes who waits for them.
func (s *stream) add(facts []fact) {
	for _, f := range facts {
		s.facts.push(f)
		s.tailed.push(f)
	}
	s.unstored += len(facts)
	wake(&s.blocked, 1)
	wake(&s.tails, s.tails.len())
	if n := s.flow.setup.Listening; n > 0 {
		s.master.do(each(n, s.flow.costs.Call+each(len(facts), s.flow.costs.Tail)), func() {})
	}
}

func wake(waiting *line[func()], n int) {
	for range min(n, waiting.len()) {
		waiting.pop()()
	}
}

const noticeEvery = time.Millisecond

// notice keeps how much waits at most.
func (f *flow) notice() {
	streamed, journaled := f.waiting()
	f.mostStreamed, f.mostJournaled = max(f.mostStreamed, streamed), max(f.mostJournaled, journaled)
}

// waiting is what has no row yet: in streams and workers, and before those.
func (f *flow) waiting() (streamed, journaled int) {
	for _, s := range f.streams {
		streamed += s.unstored
	}
	for _, a := range f.apis {
		journaled += a.journal.len() + a.shipping
	}
	return streamed, journaled
}
