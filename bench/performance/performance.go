// Package performance measures what busu costs with everything on, beside what
// bare proxies on the same libraries cost, in one run on one machine: the
// figures of a machine say little, their ratios more. busu's processes, its
// stores, the upstream and each bare proxy are processes of their own, asked
// from the outside.
package performance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/busuhq/busu/bench/measure"
	"github.com/busuhq/busu/bench/product"
)

// Options of a run.
type Options struct {
	Rounds   int
	Within   time.Duration  // no round is begun that would probably end later
	Quick    bool           // short loads, one round: to see that everything works
	Only     *regexp.Regexp // of the scenarios' names
	Peers    []Peer
	Mock     string // where the upstream listens; "" is any port
	Report   string // path; "" is standard output
	Plot     string // path of the drawing; "" is nowhere
	JSON     string // path; "" is nowhere
	Profiles string // folder for CPU profiles of the API; "" is nowhere
	List     bool   // only name the scenarios
	Progress io.Writer
}

// Validate says what is wrong with the options.
func (o Options) Validate() error {
	if o.Rounds < 1 {
		return fmt.Errorf("%d rounds: use at least one", o.Rounds)
	}
	return nil
}

// bench is what scenarios share.
type bench struct {
	options Options
	times   times
	dir     string // of binaries and state
	servers map[string]*product.Process
	mock    string                   // its address
	rewrite func(yaml string) string // of busu's configuration; nil: it stays
	rig     *rig                     // of the round; nil before busu's first scenario
	round   int
	next    int // number of the next request of all

	echoRedisOf *rig // whose Redis the Echo server asks
}

// times are how long things are measured.
type times struct{ warm, closed, open, trouble time.Duration }

func (o Options) times() times {
	if o.Quick {
		return times{300 * time.Millisecond, 500 * time.Millisecond, 500 * time.Millisecond, time.Second}
	}
	return times{time.Second, 3 * time.Second, 4 * time.Second, 5 * time.Second}
}

// Run measures and reports. Scenarios that fail are named in the report and in
// the error.
func Run(ctx context.Context, o Options) (err error) {
	b := &bench{options: o, times: o.times(), servers: map[string]*product.Process{}}
	chosen := b.scenarios()
	if o.List {
		for _, s := range chosen {
			fmt.Fprintln(o.Progress, s.Name)
		}
		return nil
	}
	m := measure.DescribeMachine(ctx)
	if b.dir, err = os.MkdirTemp("", "busu-performance-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close(), os.RemoveAll(b.dir)) }()
	if err := os.Chmod(b.dir, 0o711); err != nil { // PostgreSQL may run as somebody else, who has to pass
		return err
	}
	if o.Profiles != "" {
		if err := os.MkdirAll(o.Profiles, 0o755); err != nil {
			return err
		}
	}
	fmt.Fprintln(o.Progress, "building busu")
	if err := product.Build(ctx, b.dir, o.Profiles != "", "api", "worker", "aggregator"); err != nil {
		return err
	}
	if err := b.startMock(ctx); err != nil {
		return err
	}
	turns := measure.Turns{Rounds: o.Rounds, Within: o.Within, Progress: o.Progress, Describe: describe}
	r := &results{turns.Measure(ctx, chosen), o}
	r.Machine = m
	if b.rig != nil {
		r.Machine.Redis, r.Machine.Postgres = b.rig.redisVersion, b.rig.postgresVersion
	}
	return errors.Join(ctx.Err(), r.write(), r.Failure())
}

// close ends whatever runs.
func (b *bench) close() error {
	err := b.endRig()
	for _, name := range slices.Sorted(maps.Keys(b.servers)) {
		err = errors.Join(err, b.servers[name].Stop())
	}
	return err
}

const scenarioWithin = 2 * time.Minute

// scenario is a measurement that its name tells.
type scenario struct {
	name string
	run  func(context.Context) (measure.Figures, error)
}

func (b *bench) scenarios() []measure.Scenario {
	var chosen []measure.Scenario
	for _, s := range slices.Concat(b.limits(), b.capacities(), b.peerCapacities(), b.streams(), b.latencies(), b.peerLatencies(), b.beforeAndAfter(), b.troubles()) {
		if only := b.options.Only; only != nil && !only.MatchString(s.name) {
			continue
		}
		chosen = append(chosen, measure.Scenario{Name: s.name, Run: func(ctx context.Context, round int) (measure.Figures, error) {
			ctx, cancel := context.WithTimeout(ctx, scenarioWithin)
			defer cancel()
			if b.round != round {
				if err := b.endRig(); err != nil {
					return nil, err
				}
			}
			b.round = round
			return s.run(ctx)
		}})
	}
	return chosen
}

// describe is for progress.
func describe(f measure.Figures) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(f)) {
		parts = append(parts, name+" "+measure.Number(f[name]))
	}
	return strings.Join(parts, ", ")
}
