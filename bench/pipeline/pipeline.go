// Package pipeline measures what an event costs from the journal to
// PostgreSQL: what the stores can take at most, what busu makes of that, and
// what libraries for the same job make of it, on the same servers in the same
// run. Absolute figures belong to a machine; ratios between scenarios that
// took turns on it are what to read.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/busuhq/busu/bench/measure"
)

// Options of a run.
type Options struct {
	Events      int // in a backlog
	Rounds      int
	Within      time.Duration  // no round is begun that would probably end later
	Only        *regexp.Regexp // of the scenarios' names
	AppendFsync string         // of Redis: everysec or always
	Report      string         // path; "" is standard output
	JSON        string         // path; "" is nowhere
	Profiles    string         // folder; "" is nowhere
	List        bool           // only name the scenarios
	Progress    io.Writer
}

// Validate says what is wrong with the options.
func (o Options) Validate() error {
	if o.Events < 1000 || o.Events > 5_000_000 || o.Rounds < 1 {
		return fmt.Errorf("%d events in %d rounds: use 1,000 to 5,000,000 in at least one round", o.Events, o.Rounds)
	}
	if o.AppendFsync != "everysec" && o.AppendFsync != "always" {
		return fmt.Errorf("-aof %q: use everysec or always", o.AppendFsync)
	}
	return nil
}

// scenario is one thing to measure.
type scenario struct {
	name string
	run  func(context.Context, *bench) (figures, error)
}

// bench is what scenarios share.
type bench struct {
	*stores
	corpus *corpus
}

const (
	scenarioWithin = 90 * time.Second
	peerShare      = 10 // a peer gets this part of the events: it is that much slower
)

// Run measures and reports. Scenarios that fail are named in the report and
// in the error.
func Run(ctx context.Context, o Options) (err error) {
	chosen := choose(o.Only)
	if o.List {
		for _, s := range chosen {
			fmt.Fprintln(o.Progress, s.name)
		}
		return nil
	}
	if o.Profiles != "" {
		if err := os.MkdirAll(o.Profiles, 0o755); err != nil {
			return err
		}
	}
	m := measure.DescribeMachine(ctx)
	st, err := startStores(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.stop(context.WithoutCancel(ctx))) }()
	if err := st.describe(ctx, m); err != nil {
		return err
	}
	fmt.Fprintf(o.Progress, "making %d facts\n", o.Events)
	c, err := newCorpus(o.Events, time.Now())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	r := turns(ctx, o, chosen, &bench{stores: st, corpus: c})
	r.Machine, r.EventBytes = m, c.meanBytes()
	return errors.Join(ctx.Err(), r.write(o), r.Failure())
}

func choose(only *regexp.Regexp) []scenario {
	var chosen []scenario
	for _, group := range [][]scenario{limits(), drains(), emits(), peers()} {
		for _, s := range group {
			if only == nil || only.MatchString(s.name) {
				chosen = append(chosen, s)
			}
		}
	}
	return chosen
}

// turns lets the chosen scenarios take turns.
func turns(ctx context.Context, o Options, chosen []scenario, b *bench) *results {
	var all []measure.Scenario
	for _, s := range chosen {
		all = append(all, measure.Scenario{Name: s.name, Run: func(ctx context.Context, round int) (figures, error) { return once(ctx, o, s, b, round) }})
	}
	t := measure.Turns{Rounds: o.Rounds, Within: o.Within, Progress: o.Progress, Describe: describe}
	return &results{Results: t.Measure(ctx, all), Events: o.Events, AppendFsync: o.AppendFsync}
}

// once measures one scenario on empty stores.
func once(ctx context.Context, o Options, s scenario, b *bench, round int) (figures, error) {
	ctx, cancel := context.WithTimeout(ctx, scenarioWithin)
	defer cancel()
	if err := b.clean(ctx); err != nil {
		return nil, fmt.Errorf("empty the stores: %w", err)
	}
	runtime.GC() // not ours to pay what the one before has left
	if o.Profiles == "" {
		return s.run(ctx, b)
	}
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" ,%/:", r) {
			return '-'
		}
		return r
	}, s.name)
	f, err := os.Create(filepath.Join(o.Profiles, fmt.Sprintf("%s.%d.pprof", name, round+1)))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	defer pprof.StopCPUProfile()
	return s.run(ctx, b)
}
