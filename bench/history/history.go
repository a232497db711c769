// Package history measures how long history and the request explorer take on
// a database of many completions: it fills one with generated ones, as the
// worker would, and asks the real binary over HTTP.
package history

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/busuhq/busu/bench/database"
	"github.com/busuhq/busu/bench/measure"
)

// Options of a run.
type Options struct {
	Rows     int
	Asks     int    // of each question
	Report   string // path; "" is standard output
	Dir      string // of the database; "" is a temporary one
	Progress io.Writer
}

// Validate says what is wrong with the options.
func (o Options) Validate() error {
	if o.Rows < 10_000 || o.Rows > 100_000_000 || o.Asks < 10 {
		return fmt.Errorf("%d rows, %d asks: use 10,000 to 100,000,000 rows, and at least 10 asks", o.Rows, o.Asks)
	}
	return nil
}

// bench is a database that is filled, and what is known of it.
type bench struct {
	Options
	*database.Database
	crowd *crowd
	now   time.Time // up to which there are completions
	facts facts
}

// facts of the run, for the report.
type facts struct {
	machine *measure.Machine
	started time.Time
	filling time.Duration
	merging time.Duration
	merged  int // rows of rollups, in this run
	sizes   []size
	inserts []insert
	answers []answer
}

// Run fills a database, measures and reports.
func Run(ctx context.Context, o Options) (err error) {
	b := &bench{Options: o, now: time.Now().UTC()}
	b.facts.machine, b.facts.started = measure.DescribeMachine(ctx), b.now
	b.crowd = newCrowd(o.Rows, span, crowdSeed)
	if b.Database, err = database.Open(ctx, o.Dir, o.Progress); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	b.facts.machine.Postgres = b.Version
	for _, step := range []func(context.Context) error{b.fill, b.merge, b.settle, b.measureSizes, b.ask, b.measureInserts} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return b.write()
}
