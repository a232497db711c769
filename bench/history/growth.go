package history

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/busuhq/busu/bench/database"
	"github.com/busuhq/busu/bench/measure"
)

// GrowthOptions are those of a run over growing sizes.
type GrowthOptions struct {
	Sizes    []int  // completions, each more than the one before
	Asks     int    // of each question, at each size
	Report   string // path; "" is standard output
	Plot     string // path of the drawing; "" is nowhere
	Beside   string // path of the report of Run; "" is none
	Dir      string // of the database; "" is a temporary one
	Progress io.Writer
}

// Validate says what is wrong with the options.
func (o GrowthOptions) Validate() error {
	if len(o.Sizes) < 2 || !slices.IsSorted(o.Sizes) || len(slices.Compact(slices.Clone(o.Sizes))) < len(o.Sizes) {
		return fmt.Errorf("sizes %d: use at least two, each more than the one before", o.Sizes)
	}
	for _, rows := range o.Sizes {
		if err := (Options{Rows: rows, Asks: o.Asks}).Validate(); err != nil {
			return err
		}
	}
	return nil
}

// growth is a database that is filled on and measured at each size.
type growth struct {
	*bench
	options GrowthOptions
	oldest  time.Time // the first day that has completions
	sizes   []*grown
	days    []*longer
}

// grown is what was measured at a size. CPU is that of PostgreSQL.
type grown struct {
	rows, added int64
	filling     rate // of the rows that were added
	mergeCPU    time.Duration
	tables      map[string]size
	database    int64 // bytes
	touched     []touch
	answers     map[string]answer
	inserts     rate // of some more that are of now
	calm        waits
	drop        drop
}

// rate is how many rows were stored in how much time and CPU.
type rate struct {
	rows      int64
	took, cpu time.Duration
}

func (r rate) perSecond() float64 { return float64(r.rows) / r.took.Seconds() }

// perRow is CPU in µs.
func (r rate) perRow() float64 { return float64(r.cpu.Microseconds()) / float64(r.rows) }

// Grow fills a database on from size to size, measures at each, and reports the
// laws that come of it.
func Grow(ctx context.Context, o GrowthOptions) (err error) {
	g := &growth{options: o, bench: &bench{Options: Options{Asks: o.Asks, Dir: o.Dir, Progress: o.Progress}, now: time.Now().UTC()}}
	g.facts.machine, g.facts.started = measure.DescribeMachine(ctx), g.now
	g.oldest = g.now.Add(-span).Truncate(24 * time.Hour)
	if g.Database, err = database.Open(ctx, o.Dir, o.Progress); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	g.facts.machine.Postgres = g.Version
	rows, err := g.count(ctx)
	if err != nil {
		return err
	}
	if rows > 0 {
		return fmt.Errorf("%s holds %d completions: use another folder", g.Database.Dir, rows)
	}
	for i, size := range o.Sizes {
		if err := g.growTo(ctx, i, int64(size)); err != nil {
			return fmt.Errorf("at %d completions: %w", size, err)
		}
		if i > 0 { // so that a run that is cut off has said something
			if err := g.write(); err != nil {
				return err
			}
		}
	}
	if err := g.lengthen(ctx); err != nil {
		return err
	}
	return g.write()
}

func (g *growth) count(ctx context.Context) (rows int64, err error) {
	err = g.Pool.QueryRow(ctx, "SELECT count(*) FROM completions").Scan(&rows)
	return rows, err
}

// growTo fills the database on to a size and measures everything there.
func (g *growth) growTo(ctx context.Context, i int, rows int64) error {
	at := &grown{}
	g.sizes = append(g.sizes, at)
	have, err := g.count(ctx)
	if err != nil {
		return err
	}
	at.rows, at.added = rows, rows-have
	before := g.crowd
	g.Rows = int(at.added)
	g.crowd = newCrowd(g.Rows, g.now.Sub(g.oldest), crowdSeed+uint64(i))
	if before != nil {
		g.crowd.seq = before.seq
	}
	for _, step := range []func(context.Context, *grown) error{g.fillOn, g.mergeAll, g.weigh, g.touchAll, g.askSome, g.dropOldest} {
		if err := step(ctx, at); err != nil {
			return err
		}
	}
	return nil
}

// growBatch is as many facts as a worker stores at once when it has a backlog.
const growBatch = 1000

// fillOn adds the crowd's requests over all days that are left, so that each
// day grows alike.
func (g *growth) fillOn(ctx context.Context, at *grown) error {
	if err := g.DB.EnsureDays(ctx, g.oldest, int(g.now.Sub(g.oldest)/(24*time.Hour))+2); err != nil {
		return err
	}
	began, used := time.Now(), others()
	for facts := range g.made(ctx, g.oldest, growBatch) {
		start := time.Now()
		if _, err := g.DB.Persist(ctx, facts); err != nil {
			return err
		}
		at.filling.took += time.Since(start)
		at.filling.rows += int64(len(facts))
		g.progress("fill", int(at.filling.rows), g.Rows, began)
	}
	at.filling.cpu = others() - used
	g.facts.filling += time.Since(began)
	return ctx.Err()
}

func (g *growth) mergeAll(ctx context.Context, at *grown) error {
	used := others()
	if err := g.merge(ctx); err != nil {
		return err
	}
	at.mergeCPU = others() - used
	return g.settle(ctx)
}

// weigh finds out what the tables take.
func (g *growth) weigh(ctx context.Context, at *grown) error {
	g.facts.sizes = nil
	if err := g.measureSizes(ctx); err != nil {
		return err
	}
	at.tables = map[string]size{}
	for _, s := range g.facts.sizes {
		at.tables[s.table] = s
	}
	return g.Pool.QueryRow(ctx, "SELECT pg_database_size(current_database())").Scan(&at.database)
}

// Questions of those that history asks, whose growth is told.
const (
	askNewest   = "newest"
	askFailures = "failures"
	askUser     = "of a user"
	askHistory  = "30 d in hours"
	askOne      = "one request"
)

// askSome asks the real binary over HTTP.
func (g *growth) askSome(ctx context.Context, at *grown) error {
	g.facts.answers = nil
	wanted := []string{askNewest, askFailures, askUser, askHistory, askOne}
	if err := g.askThose(ctx, func(q question) bool { return slices.Contains(wanted, q.name) }); err != nil {
		return err
	}
	at.answers = map[string]answer{}
	for _, a := range g.facts.answers {
		at.answers[a.name] = a
	}
	return nil
}
