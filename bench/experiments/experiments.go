// Package experiments measures how long it takes to judge an experiment of many
// users whose requests are in PostgreSQL, to read its results from there, to
// judge it again, and to read results of the real binary, many times a second.
package experiments

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/bench/database"
	"github.com/busuhq/busu/bench/measure"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/experiment"
)

// Options of a run.
type Options struct {
	Users    int
	Rate     int // readers a second
	For      time.Duration
	Report   string // path; "" is standard output
	Progress io.Writer
}

// Validate says what is wrong with the options.
func (o Options) Validate() error {
	if o.Users < 1000 || o.Users > 100_000_000 || o.Rate < 1 || o.For < time.Second {
		return fmt.Errorf("%d users, %d readers a second for %s: use 1,000 to 100,000,000 users, and read for a second at least", o.Users, o.Rate, o.For)
	}
	return nil
}

// figure is something that was measured.
type figure struct {
	what  string
	value float64 // ms
	goal  float64 // ms; 0: none
	note  string
}

type bench struct {
	Options
	*database.Database
	record  experiment.Experiment
	machine *measure.Machine
	started time.Time
	figures []figure
}

// Run fills a database, measures and reports.
func Run(ctx context.Context, o Options) (err error) {
	b := &bench{Options: o, started: time.Now().UTC(), machine: measure.DescribeMachine(ctx)}
	if b.Database, err = database.Open(ctx, "", o.Progress); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	b.machine.Postgres = b.Version
	for _, step := range []func(context.Context) error{b.fill, b.judge, b.settle, b.page, b.recount, b.read} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return b.write()
}

// fill stores an experiment with its users, all of whom have matured: what the
// worker would have stored.
func (b *bench) fill(ctx context.Context) error {
	begun := time.Now().UTC().Truncate(time.Second).Add(-25 * 24 * time.Hour)
	longest := experiment.Duration(30 * 24 * time.Hour)
	b.record = experiment.Start{Name: "bench", ControlStrategy: "complexity", TestStrategy: "hybrid", SampleSize: b.Users, MinDuration: &longest, MaxDuration: &longest}.
		Experiment(experiment.Given{ID: uuid.Must(uuid.NewV7()).String(), Project: event.DefaultProject, Salt: "salt", At: begun, SlowUS: 3_000_000,
			Segment: experiment.Segment{From: 0, To: 1}})
	if _, err := b.DB.StartExperiment(ctx, b.record.Project, "", "", func([]experiment.Segment) (experiment.Experiment, error) { return b.record, nil }); err != nil {
		return err
	}
	fmt.Fprintf(b.Progress, "filling %d users\n", b.Users)
	if _, err := b.Pool.Exec(ctx, fillUsers, b.record.ID, b.Users, begun, b.record.Maturity()); err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	return b.settle(ctx)
}

// settle is what autovacuum comes to do.
func (b *bench) settle(ctx context.Context) error {
	_, err := b.Pool.Exec(ctx, "VACUUM ANALYZE experiment_units, experiment_results")
	return err
}

// fillUsers takes the experiment, the number of users, the start, and how long
// they take to mature. They enter over 22 days.
const fillUsers = `
	WITH users AS (
		SELECT i, 'user-' || lpad(i::text, 9, '0') AS unit, CASE i % 2 WHEN 0 THEN 'control' ELSE 'test' END AS arm, gen_random_uuid() AS id,
			date_trunc('milliseconds', $3::timestamptz + i * (interval '22 days' / $2::int)) AS at
		FROM generate_series(0, $2::int - 1) AS i),
	results AS (
		INSERT INTO experiment_results (experiment_id, completion_id, unit, arm, at, ok, answered, cached, fell_back,
			cost_nanos, paid_nanos, latency_us, tokens_in, tokens_out, complexity, key_id, confidence)
		SELECT $1, id, unit, arm, at, i / 2 % 10 > 0, true, i / 2 % 9 = 0, false,
			1000000 + i / 2 % 997, 900000, 300000 + i / 2 % 100000, 100, 200, i % 100 / 100.0, 'key-' || i % 3, 'high' FROM users)
	INSERT INTO experiment_units (experiment_id, unit, arm, first_id, exposed_at, matured_at, requests, strays)
	SELECT $1, unit, arm, id, at, at + $4::interval, 1, 0 FROM users`

func (b *bench) add(f figure) {
	b.figures = append(b.figures, f)
	fmt.Fprintf(b.Progress, "%-60s %s ms %s\n", f.what, measure.Number(f.value), f.note)
}
