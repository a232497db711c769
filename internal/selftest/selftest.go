// Package selftest holds the judge of experiments against simulated users of whom
// the truth is known: how often it finds a winner where there is none, how often
// it misses one, and how many users it needs. It simulates what users did, and
// leaves every look and every verdict to the judge that serves.
package selftest

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/busuhq/busu/internal/experiment"
)

// Measure is how a goal was met in a case.
type Measure struct {
	Goal   string  `json:"goal"` // G1 …
	What   string  `json:"what"` // false_positive, power, mean_n, detection, median_n or error
	Case   string  `json:"case"`
	Value  float64 `json:"value"`
	Limit  float64 `json:"limit"`
	StdErr float64 `json:"stderr"` // of the simulation
	Pass   bool    `json:"pass"`   // within two standard errors of the limit
}

// What is measured.
const (
	falsePositive = "false_positive" // share of experiments with a winner where there is none, or with a false alarm
	power         = "power"          // share with the winner that there is
	meanN         = "mean_n"         // units that were needed, of the sample size
	detection     = "detection"      // share in which what is wrong is found
	medianN       = "median_n"       // units until then
	wrong         = "error"          // share with a winner that breaks a promise
)

// atLeast reports whether the limit is one from below.
func atLeast(what string) bool { return what == power || what == detection }

// Options say how much is simulated.
type Options struct {
	Share    float64               // of the usual number of simulations, 0 … 1; 0: all
	Seed     uint64                // the same seed gives the same measures, however many workers there are
	Workers  int                   // 0: as many as there are processors
	Progress func(done, total int) // of simulated experiments; may be nil
}

// run is what came of one simulated experiment.
type run struct {
	hit   bool // what is counted happened
	units int
}

// scenario is a case, simulated many times.
type scenario struct {
	goal, name string
	runs       int // for a standard error of 0.3 points and less
	simulate   func(r *rand.Rand) run
	measures   []limit
	sampleSize int
}

// limit is what is measured of a scenario, and where the goal is.
type limit struct {
	what  string
	limit float64
}

// batch is how many experiments are simulated between two looks at the context.
const batch = 16

// Run simulates everything, on all cores.
func Run(ctx context.Context, o Options) ([]Measure, error) {
	list := scenarios()
	results, jobs, total := plan(list, o.Share)
	var next, done atomic.Int64
	var drawing sync.Mutex
	var workers sync.WaitGroup
	for range cmp.Or(o.Workers, runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for ctx.Err() == nil {
				k := int(next.Add(1)) - 1
				if k >= len(jobs) {
					return
				}
				w := jobs[k]
				for i := w.from; i < w.to; i++ {
					results[w.scenario][i] = list[w.scenario].simulate(rand.New(rand.NewPCG(o.Seed+uint64(w.scenario), uint64(i))))
				}
				finished := int(done.Add(int64(w.to - w.from)))
				if o.Progress != nil && drawing.TryLock() {
					o.Progress(finished, total)
					drawing.Unlock()
				}
			}
		})
	}
	workers.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if o.Progress != nil {
		o.Progress(total, total)
	}
	var measures []Measure
	for i := range list {
		for _, l := range list[i].measures {
			measures = append(measures, list[i].measure(l, results[i]))
		}
	}
	return measures, nil
}

// job is a batch of simulations of a scenario.
type job struct{ scenario, from, to int }

// plan cuts the work into batches.
func plan(list []scenario, share float64) (results [][]run, jobs []job, total int) {
	results = make([][]run, len(list))
	for i := range list {
		n := max(batch, int(math.Ceil(float64(list[i].runs)*cmp.Or(share, 1))))
		results[i] = make([]run, n)
		for from := 0; from < n; from += batch {
			jobs = append(jobs, job{i, from, min(n, from+batch)})
		}
		total += n
	}
	return results, jobs, total
}

func (s *scenario) measure(l limit, runs []run) Measure {
	m := Measure{Goal: s.goal, What: l.what, Case: s.name, Limit: l.limit}
	switch l.what {
	case meanN:
		m.Value, m.StdErr = meanUnits(runs, s.sampleSize)
	case medianN:
		m.Value, m.StdErr = medianUnits(runs)
	default:
		m.Value, m.StdErr = share(runs)
	}
	if atLeast(l.what) {
		m.Pass = m.Value >= l.limit-2*m.StdErr
	} else {
		m.Pass = m.Value <= l.limit+2*m.StdErr
	}
	return m
}

func share(runs []run) (value, stderr float64) {
	hits := 0.0
	for _, r := range runs {
		if r.hit {
			hits++
		}
	}
	n := float64(len(runs))
	value = hits / n
	return value, math.Sqrt(value * (1 - value) / n)
}

func meanUnits(runs []run, sampleSize int) (value, stderr float64) {
	sum, squares, n := 0.0, 0.0, float64(len(runs))
	for _, r := range runs {
		x := float64(r.units) / float64(sampleSize)
		sum += x
		squares += x * x
	}
	mean := sum / n
	return mean, math.Sqrt(max(0, squares/n-mean*mean) / n)
}

// medianUnits has half the width of the 68 % interval of order statistics for a
// standard error.
func medianUnits(runs []run) (value, stderr float64) {
	units := make([]int, len(runs))
	for i, r := range runs {
		units[i] = r.units
	}
	slices.Sort(units)
	n := len(units)
	off := int(math.Sqrt(float64(n)) / 2)
	return float64(units[n/2]), float64(units[min(n-1, n/2+off)]-units[max(0, n/2-off)]) / 2
}

// crowned reports whether a side was called better.
func crowned(d *experiment.Decision) bool {
	return d.Outcome == experiment.Win || d.Outcome == experiment.Lose
}
