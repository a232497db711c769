// Package live measures what the live metrics of one process bear: thousands of
// WebSockets that listen, whether their snapshots come when they should, and how
// long a plain request takes beside them.
package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/busuhq/busu/bench/measure"
	"github.com/busuhq/busu/bench/product"
)

// Options of a run.
type Options struct {
	Listeners int
	Interval  time.Duration
	Rate      int // plain requests a second
	Traffic   int // prompts a second
	For       time.Duration
	Report    string // path; "" is standard output
	Progress  io.Writer
}

// Validate says what is wrong with the options.
func (o Options) Validate() error {
	if o.Listeners < 1 || o.Listeners > 20_000 || o.Interval < time.Second || o.Rate < 1 || o.Traffic < 0 || o.For < 2*o.Interval {
		return fmt.Errorf("%d listeners every %s, %d requests and %d prompts a second for %s: use 1 to 20,000 listeners, at least a second between two snapshots, and twice that time",
			o.Listeners, o.Interval, o.Rate, o.Traffic, o.For)
	}
	return nil
}

// facts of a run.
type facts struct {
	machine         *measure.Machine
	started         time.Time
	nothing         asked // requests for which nothing is done: what the machine adds to each
	alone, together asked // plain requests, without and with listeners
	heard           heard
	idle, busy      float64 // cores that busu and its stores take: without and with listeners and requests
	memory          int64   // resident, in bytes, with all listeners
	load            string  // while it was measured
}

// Run starts busu, listens and asks, and reports.
func Run(ctx context.Context, o Options) (err error) {
	f := facts{machine: measure.DescribeMachine(ctx), started: time.Now().UTC()}
	dir, err := os.MkdirTemp("", "busu-live-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL may run as somebody else, who has to pass
		return err
	}
	config := filepath.Join(dir, "busu.yaml")
	if err := os.WriteFile(config, []byte(models()), 0o644); err != nil {
		return err
	}
	p, err := product.Up(ctx, dir, "BUSU_CONFIG="+config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	if err := f.measure(ctx, o, p); err != nil {
		return err
	}
	text := f.report(o)
	if o.Report == "" {
		_, err := io.WriteString(os.Stdout, text)
		return err
	}
	return os.WriteFile(o.Report, []byte(text), 0o644)
}

func (f *facts) measure(ctx context.Context, o Options, p *product.Process) error {
	traffic, stop := context.WithCancel(ctx)
	var sending sync.WaitGroup
	defer sending.Wait()
	defer stop()
	sending.Go(func() { send(traffic, p.Base, o.Traffic) })
	pause(ctx, 3*time.Second) // until there is something to tell

	fmt.Fprintln(o.Progress, "requests for nothing")
	f.nothing = ask(ctx, p.Base+"/healthz", o.Rate, o.For)
	fmt.Fprintln(o.Progress, "plain requests alone")
	before := usage(p)
	began := time.Now()
	f.alone = ask(ctx, p.Base+"/metrics/live", o.Rate, o.For)
	f.idle = (usage(p) - before).Seconds() / time.Since(began).Seconds()

	fmt.Fprintf(o.Progress, "%d listeners\n", o.Listeners)
	l := &listeners{interval: o.Interval}
	if err := l.connect(ctx, strings.TrimPrefix(p.Base, "http://"), o.Listeners); err != nil {
		return err
	}
	defer l.close()
	before = usage(p)
	l.begin()
	began = time.Now()
	f.together = ask(ctx, p.Base+"/metrics/live", o.Rate, o.For)
	f.busy = (usage(p) - before).Seconds() / time.Since(began).Seconds()
	f.memory = measure.Resident(p.PID())
	f.heard = l.end()
	f.load = measure.DescribeMachine(ctx).Load
	return ctx.Err()
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// send sends prompts, so many a second. Those that fail are left out.
func send(ctx context.Context, base string, rate int) {
	if rate == 0 {
		return
	}
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		go func() {
			body := fmt.Sprintf(`{"prompt": "What is %d plus %d, and why?", "user_id": "user-%d"}`, i, i%17, i%50)
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/complete", strings.NewReader(body))
			if err != nil {
				return
			}
			if answer, err := client.Do(r); err == nil {
				_, _ = io.Copy(io.Discard, answer.Body)
				_ = answer.Body.Close()
			}
		}()
	}
}
