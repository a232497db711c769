// Package answers measures what callers of busu's chat completions get: streams
// at their pace, answers given again, the same answer for many, what a gateway
// adds, and what a provider that hangs does to another. It asks the real
// binary, on stores of its own, from the outside; the vendor is made of the
// same process as the callers. Each scenario has its control in the same run:
// absolute figures belong to a machine.
package answers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"runtime"
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
	Only     *regexp.Regexp // of the scenarios' names
	Flood    int            // prompts of the flood of the cache alone
	Report   string         // path; "" is standard output
	JSON     string         // path; "" is nowhere
	Profiles string         // folder for CPU profiles of busu; "" is nowhere
	List     bool           // only name the scenarios
	Progress io.Writer
}

// Validate says what is wrong with the options.
func (o Options) Validate() error {
	if o.Rounds < 1 || o.Flood < 200_000 || o.Flood > 100_000_000 {
		return fmt.Errorf("%d rounds, %d prompts: use at least one round and 200,000 to 100,000,000 prompts, fewer do not fill the cache", o.Rounds, o.Flood)
	}
	return nil
}

// bench is what scenarios share.
type bench struct {
	options Options
	dir     string // of binaries and state
}

// Names of scenarios.
const (
	streamsName     = "512 streams at once"
	memoryName      = "cached at 1k/s, from memory"
	redisName       = "cached at 1k/s, from Redis"
	floodCacheName  = "flood of the cache alone"
	floodName       = "flood over HTTP"
	equalName       = "1,000 equal prompts, whole"
	equalStreamName = "1,000 equal prompts, streamed"
	hangingName     = "beside a provider that hangs"
	added200Name    = "added at 200/s"
	added1000Name   = "added at 1k/s"
)

const scenarioWithin = 3 * time.Minute

func (b *bench) scenarios() []measure.Scenario {
	all := []struct {
		name string
		run  func(context.Context) (measure.Figures, error)
	}{
		{streamsName, b.manyStreams},
		{memoryName, b.fromMemory},
		{redisName, b.fromRedis},
		{floodCacheName, b.floodCache},
		{floodName, b.floodGateway},
		{equalName, func(ctx context.Context) (measure.Figures, error) { return b.equal(ctx, false) }},
		{equalStreamName, func(ctx context.Context) (measure.Figures, error) { return b.equal(ctx, true) }},
		{hangingName, b.besideHanging},
		{added200Name, func(ctx context.Context) (measure.Figures, error) { return b.added(ctx, 200) }},
		{added1000Name, func(ctx context.Context) (measure.Figures, error) { return b.added(ctx, 1000) }},
	}
	var chosen []measure.Scenario
	for _, s := range all {
		if only := b.options.Only; only != nil && !only.MatchString(s.name) {
			continue
		}
		chosen = append(chosen, measure.Scenario{Name: s.name, Run: func(ctx context.Context, _ int) (measure.Figures, error) {
			ctx, cancel := context.WithTimeout(ctx, scenarioWithin)
			defer cancel()
			runtime.GC() // what the one before has left is not this one's to pay
			return s.run(ctx)
		}})
	}
	return chosen
}

// Run measures and reports. Scenarios that fail are named in the report and
// in the error.
func Run(ctx context.Context, o Options) (err error) {
	b := &bench{options: o}
	chosen := b.scenarios()
	if o.List {
		for _, s := range chosen {
			fmt.Fprintln(o.Progress, s.Name)
		}
		return nil
	}
	if o.Profiles != "" {
		if err := os.MkdirAll(o.Profiles, 0o755); err != nil {
			return err
		}
	}
	m := measure.DescribeMachine(ctx)
	if b.dir, err = os.MkdirTemp("", "busu-answers-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if err := os.Chmod(b.dir, 0o711); err != nil { // PostgreSQL may run as somebody else, who has to pass
		return err
	}
	fmt.Fprintln(o.Progress, "building busu")
	if err := product.Build(ctx, b.dir, o.Profiles != "", "busu", "api"); err != nil {
		return err
	}
	turns := measure.Turns{Rounds: o.Rounds, Within: o.Within, Progress: o.Progress, Describe: describe}
	r := &results{turns.Measure(ctx, chosen)}
	r.Machine = m
	return errors.Join(ctx.Err(), r.write(o), r.Failure())
}

// describe is for progress.
func describe(f measure.Figures) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(f)) {
		parts = append(parts, name+" "+measure.Number(f[name]))
	}
	return strings.Join(parts, ", ")
}
