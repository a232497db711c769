// Package soak has busu, with everything on, answer for hours at a share of what
// it bears, and says what grows meanwhile: memory, goroutines, files,
// connections, streams, journals, and how long answers take.
package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/busuhq/busu/bench/load"
	"github.com/busuhq/busu/bench/measure"
	"github.com/busuhq/busu/bench/performance"
)

// Options of a run.
type Options struct {
	For      time.Duration // of the load, with its warm-up
	Share    float64       // of the limit
	Warm     time.Duration // at first, not judged; 0: as long as it has to be, or a quarter of a short run
	Report   string        // path; "" is standard output
	Plot     string        // path of the drawing; "" is nowhere
	JSON     string        // path of all samples; "" is nowhere
	Progress io.Writer
}

const (
	retention = 15 * time.Minute // of streams, the least there is
	settling  = 5 * time.Minute  // behind it: Redis gives its memory back in its own time
	shortest  = time.Minute
)

// Validate says what is wrong with the options.
func (o Options) Validate() error {
	switch {
	case o.For < shortest:
		return fmt.Errorf("for %s: use at least %s", o.For, shortest)
	case !(o.Share > 0 && o.Share <= 1):
		return fmt.Errorf("a share of %g: use one above 0, up to 1", o.Share)
	case o.Warm < 0 || o.Warm > o.For/2:
		return fmt.Errorf("a warm-up of %s: use at most half of %s", o.Warm, o.For)
	}
	return nil
}

// warm is how long samples are not judged.
func (o Options) warm() time.Duration {
	switch {
	case o.Warm > 0:
		return o.Warm
	case o.For >= 2*(retention+settling):
		return retention + settling
	}
	return o.For / 4
}

// isWhole reports whether what is bounded by design was full when judging began.
func (o Options) isWhole() bool { return o.warm() >= retention+settling }

// more of busu's configuration: the journal's files are small in time, so that
// many go during a run, as in production many go in a day.
const more = "journal: {rotate_after: 1m}\nstreams: {retention: 15m}\n"

// soak is a run.
type soak struct {
	options Options
	stand   *performance.Stand
	sampler *sampler
	found   found
}

// found is what a run has found.
type found struct {
	machine      *measure.Machine
	started      time.Time
	limits       []float64 // requests per second, of each round
	limit        float64
	rate         int
	load         load.Outcome
	samples      *samples
	minutes      []minute
	streams      []string
	wasCut       bool     // by whoever runs it
	ended        error    // what of busu did not live so long
	rows         [2]int64 // in completions, before and after
	bytes        [2]int64 // of the database, without answers that are kept
	reconciled   string   // what busu reconcile says
	isReconciled bool
	loadAfter    string
	took         time.Duration
}

// Run measures and reports. When ctx ends it reports what there is.
func Run(ctx context.Context, o Options) (err error) {
	s := &soak{options: o}
	s.found.machine, s.found.started = measure.DescribeMachine(ctx), time.Now()
	if s.stand, err = performance.OpenStand(ctx, more, o.Progress); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stand.Close()) }()
	s.found.machine.Redis, s.found.machine.Postgres = s.stand.Versions()
	s.sampler = &sampler{stand: s.stand}
	if err := s.findLimit(ctx); err != nil {
		return fmt.Errorf("find the limit: %w", err)
	}
	if err := s.hold(ctx); err != nil {
		return err
	}
	// What has been measured is worth its end, also when the run was cut short.
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishWithin)
	defer cancel()
	err = errors.Join(s.found.ended, s.finish(after))
	s.found.took, s.found.loadAfter = time.Since(s.found.started), measure.Load()
	return errors.Join(err, s.found.write(o))
}

// hold sends requests at the rate, and takes samples meanwhile.
func (s *soak) hold(ctx context.Context) error {
	f := &s.found
	if err := s.sampler.findStreams(ctx); err != nil {
		return err
	}
	f.streams = s.sampler.streams
	if err := s.roomOnDisk(ctx); err != nil {
		return err
	}
	began := time.Now()
	f.samples = newSamples(began)
	minutes := newClock(began)
	held, end := context.WithCancelCause(ctx)
	watching := make(chan struct{})
	go func() { defer close(watching); f.ended = s.watch(held, minutes); end(f.ended) }()
	fmt.Fprintf(s.options.Progress, "%d requests/s for %s, of which %s warm up; Ctrl-C ends it with a report\n", f.rate, s.options.For, s.options.warm())
	var err error
	f.load, err = load.Open(held, load.Load{Addr: s.stand.Addr(), Connections: lanes, Rate: f.rate, For: s.options.For,
		Request: s.request, Each: minutes.count, Holds: "X-Busu-Cache: memory"})
	end(nil)
	<-watching
	f.wasCut = ctx.Err() != nil
	if f.wasCut || f.ended != nil {
		return nil // the report tells it
	}
	return err
}

// watch takes samples until ctx ends, or one of the processes does, which is an
// error.
func (s *soak) watch(ctx context.Context, c *clock) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	turned := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case at := <-tick.C:
			if err := s.sample(ctx, at); errors.Is(err, errEnded) {
				return err
			}
			if at.Sub(turned) >= time.Minute-every/2 {
				turned = at
				s.turn(c, at)
			}
		}
	}
}

// sample notes what could be asked, and gives what could not.
func (s *soak) sample(ctx context.Context, at time.Time) error {
	values, err := s.sampler.take(ctx)
	if ctx.Err() != nil {
		return nil
	}
	s.found.samples.add(at, values)
	if err != nil {
		s.found.samples.missed++
		s.found.samples.problem = err
		fmt.Fprintln(s.options.Progress, "a sample lacks something:", err)
	}
	return err
}

// turn ends a minute, and says how it was.
func (s *soak) turn(c *clock, at time.Time) {
	f := &s.found
	m, failure := c.turn(at)
	f.minutes = append(f.minutes, m)
	f.samples.add(at, map[string]float64{minuteP50: m.P50, minuteP99: m.P99})
	line := fmt.Sprintf("%4d min  %s requests, %d failed, p50 %s ms, p99 %s ms", len(f.minutes), measure.Number(float64(m.Requests)), m.Failed,
		measure.Number(m.P50), measure.Number(m.P99))
	for _, p := range processNames() {
		line += fmt.Sprintf("; %s %.0f MB, %.0f goroutines", p, f.samples.last(p+" "+resident), f.samples.last(p+" "+goroutines))
	}
	line += fmt.Sprintf("; Redis %.0f MB; database %.0f MB; behind %.0f", f.samples.last(redisMemory), f.samples.last(databaseSize), f.samples.last(behind))
	line += fmt.Sprintf("; processors %.0f %% busy, %.0f %% taken by others", f.samples.last(cpuBusy), f.samples.last(cpuTaken))
	fmt.Fprintln(s.options.Progress, line)
	if s.sampler.longRunning != "" {
		fmt.Fprintln(s.options.Progress, "          PostgreSQL was at", s.sampler.longRunning)
		s.sampler.longRunning = ""
	}
	if failure != nil {
		fmt.Fprintln(s.options.Progress, "          one of the failures:", failure)
	}
}
