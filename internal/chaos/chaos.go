// Package chaos proves that nothing is lost and nothing counted twice. It runs
// the real processes on real stores under load, kills, stops and restarts them
// at seeded random moments, in the middle of streams and slow answers, and then
// holds what clients saw and what providers were paid for against the ledger
// and the live metrics.
package chaos

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/busuhq/busu/internal/event"
)

// Options of a run. The seed decides the faults and when they come; how the
// processes run between them, nobody decides.
type Options struct {
	Kills    int           // with SIGKILL, of processes and stores together
	Seed     uint64        // decides the faults and when they come
	Rate     int           // requests per second
	Stores   string        // of Redis, one of the constants; "" is one server
	Fsync    string        // Redis's appendfsync: everysec or always
	Pause    time.Duration // mean time between faults
	Flush    bool          // with FLUSHALL now and then
	Disk     bool          // with a disk that is full: needs root, on Linux
	Clock    bool          // with steps of the machine's clock, for everybody on it: needs root, on Linux
	Guard    []string      // command that runs GuardClock, for Clock
	Settle   time.Duration // the longest wait for the tail after the load
	Binaries string        // holds api, worker and aggregator; "" builds them
	Log      *slog.Logger  // progress
}

// Run does one run. The report tells of every violation; err is for runs that
// could not be carried out. The directory of a run with violations is kept,
// and named in the report.
func Run(ctx context.Context, o Options) (r *Report, err error) {
	dir, err := os.MkdirTemp("", "busu-chaos-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if r != nil && err == nil && len(r.Violations) == 0 {
			err = os.RemoveAll(dir)
			return
		}
		o.Log.Warn("what the processes wrote is kept", "dir", dir)
	}()
	if err := os.Chmod(dir, 0o711); err != nil { // PostgreSQL runs as somebody else
		return nil, err
	}
	if o.Binaries == "" {
		o.Binaries = filepath.Join(dir, "bin")
		if err := Build(ctx, o.Binaries); err != nil {
			return nil, err
		}
	}
	e, err := begin(ctx, o, dir)
	if err != nil {
		return nil, fmt.Errorf("set up: %w", err)
	}
	defer func() { err = errors.Join(err, e.end(context.WithoutCancel(ctx))) }()
	return e.run(ctx)
}

// engine is one run.
type engine struct {
	o        Options
	dir      string
	stores   *stores
	upstream *upstream
	callers  *callers
	faults   []Fault
	procs    []*process
	load     *load
	lag      *lag
	shown    *shown
	spawn    *spawner
	found    *violations
	again    Check // whether limits answer again
	atKills  underWay
	clock    *clock  // nil: nobody touches it
	master   *master // of a Redis of several servers
	mounted  string  // a disk that has to be let go of
}

// The processes: two of each, so that one can go on while the other is away.
// Workers share a state directory, as several on one machine do.
func (e *engine) lineup() []*process {
	var all []*process
	for _, job := range []string{"api", "worker", "aggregator"} {
		for i := 1; i <= 2; i++ {
			name := fmt.Sprintf("%s-%d", job, i)
			state := name
			if job == "worker" {
				state = job
			}
			all = append(all, e.process(name, job, filepath.Join(e.dir, "state", state)))
		}
	}
	return all
}

func (e *engine) process(name, binary, state string) *process {
	return &process{
		name: name, binary: filepath.Join(e.o.Binaries, binary), log: filepath.Join(e.dir, name+".log"),
		spawn: e.spawn, found: e.found,
		env: append(os.Environ(), "DATABASE_URL="+e.stores.stack.DatabaseURL, "REDIS_URL="+e.stores.redisURL,
			"BUSU_ADMIN_KEY="+e.callers.operator.secret, "BUSU_STATE_DIR="+state, "BUSU_CONFIG="+filepath.Join(e.dir, "busu.yaml"), "BUSU_LOG_FORMAT=json"),
	}
}

// partitions are more than one, so that each job is spread over processes.
const partitions = 3

// lanes are the streams that workers store from.
func lanes() (all []event.Lane) {
	for p := range partitions {
		all = append(all, event.Lane{Stream: event.Completions, Partition: p}, event.Lane{Stream: event.Feedback, Partition: p})
	}
	return all
}

// configuration has three models of one provider, our own.
const configuration = `
streams: {partitions: %d}
providers: [{name: upstream, kind: openai, base_url: "%s/v1", timeout: 20s}]
models:
  - {id: small, provider: upstream, upstream: small, tier: simple, input_usd_per_mtok: 0.15, output_usd_per_mtok: 0.60}
  - {id: medium, provider: upstream, upstream: medium, tier: moderate, input_usd_per_mtok: 0.80, output_usd_per_mtok: 4.00}
  - {id: large, provider: upstream, upstream: large, tier: complex, input_usd_per_mtok: 3.00, output_usd_per_mtok: 15.00}
`

// begin starts everything and waits until it is ready.
func begin(ctx context.Context, o Options, dir string) (*engine, error) {
	e := &engine{o: o, dir: dir, found: &violations{log: o.Log}, spawn: newSpawner(), faults: Plan(o)}
	e.callers = newCallers(o, lastsFor(e.faults))
	e.upstream = newUpstream(e.callers)
	if o.Clock {
		var err error
		if e.clock, err = startClock(o.Guard); err != nil {
			return nil, err
		}
	}
	err := os.WriteFile(filepath.Join(dir, "busu.yaml"), fmt.Appendf(nil, configuration, partitions, e.upstream.url()), 0o600)
	if err == nil {
		e.stores, err = startStores(ctx, o, dir)
	}
	if err == nil {
		e.procs = e.lineup()
		e.load = newLoad(o.Rate, e.callers, e.procs[0], e.procs[1])
		e.lag, e.shown = watchLag(e.stores.redis), watchShown(e.stores.redis)
		err = e.startAll(ctx)
	}
	if err == nil {
		err = e.makeKeys(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, e.end(context.WithoutCancel(ctx)))
	}
	return e, nil
}

func (e *engine) startAll(ctx context.Context) error {
	for _, p := range e.procs {
		if err := p.start(ctx); err != nil {
			return err
		}
	}
	return e.healthy(ctx)
}

const healthyWithin = time.Minute

// healthy waits until every process is ready.
func (e *engine) healthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, healthyWithin)
	defer cancel()
	for _, p := range e.procs {
		if err := until(ctx, func() bool { return p.ready(ctx) }); err != nil {
			return fmt.Errorf("%s does not get ready: %w", p.name, err)
		}
	}
	return nil
}

// until polls until a condition holds or ctx ends.
func until(ctx context.Context, holds func() bool) error {
	const every = 20 * time.Millisecond
	for !holds() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
	}
	return nil
}

// run has faults while there is load, lets everything come to rest, and
// checks.
func (e *engine) run(ctx context.Context) (*Report, error) {
	loading, stop := context.WithCancel(ctx)
	defer stop()
	began := time.Now()
	e.load.start(loading)
	err := e.inflict(ctx, e.faults)
	stop()
	if err != nil {
		return nil, err
	}
	r := newReport(e.o, e.faults)
	if e.o.Disk {
		r.Disk = e.fullDisk(ctx)
	}
	r.Loaded = time.Since(began)
	if err := e.settle(ctx, r); err != nil {
		return nil, err
	}
	if err := e.check(ctx, r); err != nil {
		return nil, err
	}
	r.Violations = e.found.list()
	return r, nil
}

// end stops everything. A run that is over needs no manners.
func (e *engine) end(ctx context.Context) error {
	if e.lag != nil {
		e.lag.stop()
		e.shown.stop()
	}
	for _, p := range e.procs {
		p.kill()
	}
	var err error
	if e.clock != nil {
		err = e.clock.close()
	}
	if e.stores != nil {
		err = errors.Join(err, e.stores.close(ctx))
	}
	if e.mounted != "" {
		err = errors.Join(err, unmount(e.mounted))
	}
	e.upstream.close()
	e.spawn.close()
	return err
}
