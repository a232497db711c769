package soak

import (
	"sync"
	"time"

	"github.com/busuhq/busu/bench/load"
	"github.com/busuhq/busu/bench/measure"
)

// minute is what came of the requests that were answered within one.
type minute struct {
	Began    time.Time `json:"began"`
	Requests int64     `json:"requests"`
	Failed   int64     `json:"failed"` // refusals, too
	P50      float64   `json:"p50_ms"`
	P99      float64   `json:"p99_ms"`
}

// clock counts requests by the minute, for many at once.
type clock struct {
	mu      sync.Mutex
	now     minute
	took    *measure.Histogram
	failure error // one of the minute's
}

func newClock(began time.Time) *clock {
	return &clock{now: minute{Began: began}, took: &measure.Histogram{}}
}

// count is for load.Load.Each.
func (c *clock) count(f load.Fate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now.Requests++
	if f.Err != nil {
		c.now.Failed++
		c.failure = f.Err
		return
	}
	c.took.Add(f.Took)
}

// turn ends the minute and begins the next one.
func (c *clock) turn(at time.Time) (minute, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	const milli = 1000 // µs
	m, failure := c.now, c.failure
	m.P50, m.P99 = c.took.Percentile(.5)/milli, c.took.Percentile(.99)/milli
	c.now, c.took, c.failure = minute{Began: at}, &measure.Histogram{}, nil
	return m, failure
}
