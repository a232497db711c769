package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/rollup"
)

// Check is one line of the report.
type Check struct {
	What, Result string
	Holds        bool
}

// check holds everything against everything.
func (e *engine) check(ctx context.Context, r *Report) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	rows, err := e.rows(ctx)
	if err != nil {
		return err
	}
	e.counts(r, rows)
	checks := []func(context.Context, []row) (Check, error){
		e.answersAreStored, e.brokenAreSettled, e.muchIsUnderWay, e.callsAreStored, e.rowsAreOnce, e.reconciles, e.reportsAgree, e.checkpointsAgree, e.nothingIsHidden,
		e.verdictsAreStored, e.lessonsAreOnce, e.budgetsAreKept, e.limitsAreKept, e.limitsAnswerAgain, e.streamsAreDone, e.logsAreClean, e.answersAreRight}
	if e.master != nil {
		checks = append(checks, e.othersTakeOver)
	}
	for _, check := range checks {
		c, err := check(ctx, rows)
		if err != nil {
			c = Check{c.What, err.Error(), false}
		}
		r.Checks = append(r.Checks, c)
		if !c.Holds {
			e.found.add("%s: %s", c.What, c.Result)
		}
	}
	return nil
}

// row is what of a completion is looked at.
type row struct {
	id, marker, status string
	fallbacks          int
	cost               int64 // in nano-dollars
	key                string
	at                 time.Time
}

func (e *engine) rows(ctx context.Context) ([]row, error) {
	conn, err := pgx.Connect(ctx, e.stores.stack.DatabaseURL)
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	found, err := conn.Query(ctx, `SELECT id::text, coalesce(caller_id, ''), status, coalesce(cardinality(fallbacks), 0), cost_nanos,
		coalesce(key_id, ''), at FROM completions`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(found, func(r pgx.CollectableRow) (found row, err error) {
		err = r.Scan(&found.id, &found.marker, &found.status, &found.fallbacks, &found.cost, &found.key, &found.at)
		return found, err
	})
}

// answersAreStored finds every request id that a client was told exactly once.
func (e *engine) answersAreStored(_ context.Context, rows []row) (Check, error) {
	c := Check{What: "every answer that a client got is stored exactly once"}
	times := map[string]int{}
	wrong := sample{}
	for _, r := range rows {
		times[r.id]++
		if a, ok := e.load.seen[r.id]; ok && (r.marker != a.marker || (a.status == http.StatusOK) != (r.status == event.StatusOK)) {
			wrong.add("%s: answered %d to %s, stored %s of %s", r.id, a.status, a.marker, r.status, r.marker)
		}
	}
	lost, twice := 0, 0
	for id, a := range e.load.seen {
		switch n := times[id]; {
		case n == 0:
			lost++
			wrong.add("%s (%s) is lost", id, a.marker)
		case n > 1:
			twice++
			wrong.add("%s (%s) is stored %d times", id, a.marker, n)
		}
	}
	c.Result = fmt.Sprintf("%d answers, %d lost, %d stored more than once%s", len(e.load.seen), lost, twice, wrong)
	c.Holds = wrong.n == 0
	return c, nil
}

// callsAreStored finds a row for every call that the provider was paid for.
func (e *engine) callsAreStored(_ context.Context, rows []row) (Check, error) {
	c := Check{What: "every call of the provider has its row"}
	stored := map[string]bool{}
	for _, r := range rows {
		stored[r.marker] = true
	}
	calls, missing := 0, sample{}
	for marker, n := range e.upstream.called() {
		calls += n
		if !stored[marker] {
			missing.add("%s was called %d times and has no row", marker, n)
		}
	}
	c.Result = fmt.Sprintf("%d calls for %d requests, %d without a row%s", calls, len(e.upstream.called()), missing.n, missing)
	c.Holds = missing.n == 0
	return c, nil
}

// rowsAreOnce: each request that was sent has at most one row, and no row is of
// a request that was never sent.
func (e *engine) rowsAreOnce(_ context.Context, rows []row) (Check, error) {
	c := Check{What: "no request has more than one row"}
	seen, twice := map[string]bool{}, sample{}
	for _, r := range rows {
		if seen[r.marker] {
			twice.add("%s has another row, %s", r.marker, r.id)
		}
		seen[r.marker] = true
	}
	c.Result = fmt.Sprintf("%d rows of %d requests, %d more than once%s", len(rows), len(seen), twice.n, twice)
	c.Holds = twice.n == 0 && int64(len(seen)) <= e.load.sent.Load()
	return c, nil
}

func (e *engine) reconciles(ctx context.Context, _ []row) (Check, error) {
	c := Check{What: "`busu reconcile` finds no difference"}
	report, err := e.reconcile(ctx)
	if err != nil {
		return c, err
	}
	var announced, stored int64
	unheard := 0
	for _, l := range report.Lanes {
		announced, stored = announced+l.Announced, stored+l.Stored
		if l.Unheard {
			unheard++
		}
	}
	wrong := sample{}
	for _, d := range differences(report) {
		wrong.add("%s", d)
	}
	c.Result = fmt.Sprintf("%d facts announced in %d lanes, %d stored, %d lanes without a heartbeat, %d intents open, %d budgets%s",
		announced, len(report.Lanes), stored, unheard, report.Open, len(report.Budgets), wrong)
	c.Holds = report.Settled() && unheard == 0 && len(report.Budgets) > 0
	return c, nil
}

func (e *engine) reportsAgree(ctx context.Context, _ []row) (Check, error) {
	c := Check{What: "live reports equal a count of the rows, to the last nano-dollar and quantile"}
	if err := e.sameReports(ctx); err != nil {
		return c, err
	}
	c.Result, c.Holds = fmt.Sprintf("windows %v", compared), true
	return c, nil
}

// comparable is a report without what says where and when it was made.
func comparable(r rollup.Report) string {
	r.Source, r.Stale, r.AsOf = "", false, time.Time{}
	text, err := json.Marshal(r)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// checkpointsAgree holds what aggregators have saved against what can be made
// of the rows and rollups.
func (e *engine) checkpointsAgree(ctx context.Context, _ []row) (Check, error) {
	c := Check{What: "the aggregators' checkpoints equal a rebuild, integer for integer"}
	cells, journals, wrong := 0, 0, sample{}
	for partition := range partitions {
		saved, err := e.stores.redis.LoadCheckpoint(ctx, partition)
		if err != nil {
			return c, err
		}
		rebuilt, err := e.stores.postgres.Rebuild(ctx, partition, time.Now())
		if err != nil {
			return c, err
		}
		compareCheckpoints(saved, rebuilt, &wrong)
		cells, journals = cells+len(rebuilt.Cells), max(journals, len(rebuilt.Seqs))
	}
	c.Result = fmt.Sprintf("%d cells in %d partitions, %d journals%s", cells, partitions, journals, wrong)
	c.Holds = wrong.n == 0
	return c, nil
}

func compareCheckpoints(saved, rebuilt rollup.Checkpoint, wrong *sample) {
	a, b := cellsOf(saved), cellsOf(rebuilt)
	for key, cell := range a {
		if b[key] != cell {
			wrong.add("%s: saved %s, rebuilt %s", key, cell, b[key])
		}
	}
	for key, cell := range b {
		if _, ok := a[key]; !ok {
			wrong.add("%s: not saved, rebuilt %s", key, cell)
		}
	}
	for journal, ranges := range rebuilt.Seqs {
		if got := saved.Seqs[journal].String(); got != ranges.String() {
			wrong.add("journal %s: folded %s, stored %s", journal, got, ranges)
		}
	}
}

// cellsOf are the totals and the cells of windows of whole minutes: slots of
// others leave while we look.
func cellsOf(c rollup.Checkpoint) map[string]string {
	cells := map[string]string{}
	for _, pc := range c.Cells {
		if w, err := rollup.ParseWindow(pc.Key.Window); err == nil && w.Resolution < time.Minute {
			continue
		}
		text, err := json.Marshal(pc.Cell)
		if err != nil {
			text = []byte(err.Error())
		}
		cells[fmt.Sprintf("%s %+v", pc.Project, pc.Key)] = string(text)
	}
	return cells
}

// sample is how many things are wrong, and some of them.
type sample struct {
	n     int
	first string
}

func (s *sample) add(format string, args ...any) {
	const enough = 5
	if s.n++; s.n <= enough {
		s.first += "; " + fmt.Sprintf(format, args...)
	}
}

func (s sample) String() string { return s.first }
