package history

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/requests"
)

// longer is what days of their own cost: empty ones, so that there is nothing
// to it but planning and opening tables.
type longer struct {
	days     int // partitions of completions
	answers  map[string]answer
	planning float64 // ms, of a statement over all days
}

// daysKept are up to the retention that is usual, and twice beyond it.
var daysKept = []int{90, 200, 400, 800}

// lengthen adds empty days before the oldest, and asks the store at each
// length.
func (g *growth) lengthen(ctx context.Context) error {
	for _, days := range daysKept {
		if err := g.DB.EnsureDays(ctx, g.now.AddDate(0, 0, -days), days); err != nil {
			return err
		}
		l := &longer{answers: map[string]answer{}}
		if err := g.Pool.QueryRow(ctx, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'completions'::regclass").Scan(&l.days); err != nil {
			return err
		}
		fmt.Fprintf(g.Progress, "%d days\n", l.days)
		var err error
		if l.planning, err = g.planning(ctx); err != nil {
			return err
		}
		for name, f := range map[string]requests.Filter{askNewest: {}, askFailures: {Failed: new(true)}, askUser: {Users: []string{"user-00000"}}} {
			if l.answers[name], err = g.find(ctx, f); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		g.days = append(g.days, l)
	}
	return nil
}

// planning is the median of what PostgreSQL says, after the first in a session,
// which reads the catalogue.
func (g *growth) planning(ctx context.Context) (ms float64, err error) {
	conn, err := g.Pool.Acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Release()
	var all []time.Duration
	for i := range 11 {
		var plan []struct {
			Planning float64 `json:"Planning Time"` // ms
		}
		err := conn.QueryRow(ctx, "EXPLAIN (SUMMARY, FORMAT JSON) SELECT id FROM completions WHERE user_id = 'user-00000' ORDER BY at DESC LIMIT 50",
			pgx.QueryExecModeDescribeExec).Scan(&plan)
		if err != nil || len(plan) != 1 {
			return 0, fmt.Errorf("explain: %d plans: %w", len(plan), err)
		}
		if i > 0 {
			all = append(all, time.Duration(plan[0].Planning*float64(time.Millisecond)))
		}
	}
	return waitsOf(all).p50.Seconds() * 1000, nil
}

// find asks the store without HTTP, by sessions that have asked before.
func (g *growth) find(ctx context.Context, f requests.Filter) (a answer, err error) {
	db, err := postgres.Open(ctx, postgres.Options{URL: g.URL, Name: "busu bench", MaxConns: 1})
	if err != nil {
		return a, err
	}
	defer db.Close()
	q := requests.Query{Filter: f, Limit: requests.UsualLimit}
	var took []time.Duration
	for i := range 1 + g.options.Asks {
		began := time.Now()
		if _, err := db.FindRequests(ctx, event.DefaultProject, q, patience); err != nil {
			return a, err
		}
		if i > 0 {
			took = append(took, time.Since(began))
		}
	}
	w := waitsOf(took)
	a.p50, a.p99 = w.p50.Seconds()*1000, w.p99.Seconds()*1000
	return a, nil
}
