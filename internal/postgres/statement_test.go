package postgres_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/statement"
	"github.com/busuhq/busu/internal/storetest"
)

// monthOf is the month of a time.
func monthOf(t *testing.T, at time.Time) statement.Month {
	t.Helper()
	m, err := statement.ParseMonth(at.UTC().Format("2006-01"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// statementOf makes a statement as it is made, long after the month.
func statementOf(t *testing.T, db *postgres.DB, project string, m statement.Month, beats ...event.Heartbeat) statement.Statement {
	t.Helper()
	later := m.To().Add(40 * 24 * time.Hour)
	j, err := db.StatementJournals(t.Context(), beats, later)
	if err != nil {
		t.Fatal(err)
	}
	e, err := db.StatementEvidence(t.Context(), project, m, j, later)
	if err != nil {
		t.Fatal(err)
	}
	s, err := statement.New(e)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// atBounds moves facts to the first and the last moment of a month, and to those
// beside it.
func atBounds(facts []*event.CompletionRecorded, m statement.Month) {
	for i, at := range []time.Time{m.From(), m.From().Add(-time.Millisecond), m.To(), m.To().Add(-time.Millisecond)} {
		moveTo(facts[i], at)
	}
}

// The sum of the lines is the total, and both are what SQL and the facts say:
// to the nano-dollar, with the bounds of the month.
func TestStatementIsOfTheFacts(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db, conn := open(t, url), connect(t, url)
	for seed := range uint64(4) {
		m := monthOf(t, now.AddDate(0, -2*int(seed), 0))
		facts := billed(60+seed, 1500)
		spread(facts, m)
		atBounds(facts, m)
		eventtest.Number(fmt.Sprintf("journal-%d", seed), 1, facts...)
		if _, err := db.Persist(t.Context(), facts); err != nil {
			t.Fatal(err)
		}
		if seed%2 == 0 {
			merge(t, db)
		}
		for _, project := range []string{event.DefaultProject, "another"} {
			s := statementOf(t, db, project, m)
			want := map[string]statement.Counted{}
			for _, f := range facts {
				if f.Project == project && !f.At.Before(m.From()) && f.At.Before(m.To()) {
					of := want[partOf(f)]
					countFact(&of, f)
					want[partOf(f)] = of
				}
			}
			var lines, total statement.Counted
			for _, p := range s.Parts {
				if p.Counted != want[p.Part] {
					t.Errorf("%s, %s, %s: %+v, want %+v", project, m, p.Part, p.Counted, want[p.Part])
				}
			}
			for _, l := range s.Lines {
				lines.PaidNanos += l.PaidNanos
				lines.BaselineNanos += l.BaselineNanos
				lines.Requests += l.Requests
			}
			err := conn.QueryRow(t.Context(), `SELECT count(*), sum(cost_nanos)::bigint, sum(baseline_cost_nanos)::bigint FROM completions
				WHERE project = $1 AND to_char(at AT TIME ZONE 'UTC', 'YYYY-MM') = $2`, project, m.String()).
				Scan(&total.Requests, &total.PaidNanos, &total.BaselineNanos)
			if err != nil || lines != total || s.Totals.PaidNanos != total.PaidNanos || s.Totals.Requests != total.Requests || s.Proof.Rollups != s.Totals.Sums {
				t.Errorf("%s, %s: lines add up to %+v, SQL says %+v, totals %+v, rollups %+v (%v)", project, m, lines, total, s.Totals, s.Proof.Rollups, err)
			}
			if m := want[statement.PartRouted]; s.ModelledNanos != m.BaselineNanos-m.PaidNanos {
				t.Errorf("modelled are %d", s.ModelledNanos)
			}
		}
	}
}

func partOf(f *event.CompletionRecorded) string {
	switch {
	case f.Strategy == event.StrategyShadow:
		return statement.PartShadow
	case f.Strategy == event.StrategyJudge:
		return statement.PartJudge
	case f.Strategy == "model":
		return statement.PartNamed
	case f.Holdout:
		return statement.PartHoldout
	}
	return statement.PartRouted
}

func countFact(c *statement.Counted, f *event.CompletionRecorded) {
	c.Requests++
	if f.Failed() {
		c.Errors++
	}
	if f.Unpriced {
		c.Unpriced++
	}
	if f.UserID != "" {
		c.UserRequests++
	}
	c.TokensIn += f.TokensIn
	c.TokensOut += f.TokensOut
	c.PaidNanos += f.CostNanos
	c.BaselineNanos += f.BaselineCostNanos
}

// A month is final when everything in it is stored, counted and kept; whatever
// is not makes it provisional.
func TestStatementIsFinalWhenWhole(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db, conn := open(t, url), connect(t, url)
	m := monthOf(t, now.AddDate(0, -1, 0))
	facts := billed(70, 900)
	spread(facts, m)
	eventtest.Number("journal", 1, facts...)
	if _, err := db.Persist(t.Context(), facts[:899]); err != nil {
		t.Fatal(err)
	}
	later := m.To().Add(40 * 24 * time.Hour)
	alive := event.Heartbeat{Journal: facts[0].Journal, At: later.Add(-time.Second), RecordedUntil: later.Add(-2 * time.Second), Seqs: map[string]int64{"completions/0": 900}}
	gone := alive
	gone.At, gone.RecordedUntil = later.Add(-time.Hour), later.Add(-time.Hour)
	expect := func(what, state string, beats ...event.Heartbeat) statement.Statement {
		t.Helper()
		s := statementOf(t, db, event.DefaultProject, m, beats...)
		if s.State != state {
			t.Errorf("%s, and it is %s: %q, %+v", what, s.State, s.Reasons, s.Proof)
		}
		return s
	}
	if s := expect("one is not counted, one not stored", statement.Provisional, alive); s.Proof.Waiting != 1 {
		t.Errorf("%d are waited for", s.Proof.Waiting)
	}
	count(t, db)
	if _, err := conn.Exec(t.Context(), `UPDATE counted SET until = $1`, later); err != nil {
		t.Fatal(err)
	}
	expect("one is announced and not stored", statement.Provisional, alive)
	if s := expect("its journal is gone", statement.Provisional, gone); s.Proof.Missing != 1 {
		t.Errorf("%d are missing", s.Proof.Missing)
	}
	if _, err := db.Persist(t.Context(), facts[899:]); err != nil {
		t.Fatal(err)
	}
	expect("all is stored, said by one that lives", statement.Final, alive)
	expect("all is stored, said by one that is gone", statement.Final, gone)
	open := gone
	open.OpenIntents = 1
	expect("a request was never settled", statement.Provisional, open)
	slow := alive
	slow.RecordedUntil = m.To().Add(-time.Second)
	expect("a journal still holds a request of the month", statement.Provisional, slow)
	if _, err := conn.Exec(t.Context(), `UPDATE completions SET cost_nanos = cost_nanos + 1 WHERE id = $1`, facts[1].ID); err != nil {
		t.Fatal(err)
	}
	other := facts[1].Project
	if s := statementOf(t, db, other, m, alive); s.State != statement.Provisional {
		t.Errorf("a row was changed by a nano-dollar, and it is %s", s.State)
	}
	if _, err := conn.Exec(t.Context(), `UPDATE completions SET cost_nanos = cost_nanos - 1 WHERE id = $1`, facts[1].ID); err != nil {
		t.Fatal(err)
	}
	buried := billed(71, 1)
	buried[0].Journal, buried[0].Seq = facts[0].Journal, 901
	if err := db.Discard(t.Context(), buried[0]); err != nil {
		t.Fatal(err)
	}
	expect("one is in the dead letters", statement.Provisional, alive)
	if s := statementOf(t, db, "nobody's", m, alive); len(s.Lines) != 0 || s.Totals != (statement.Counted{}) || slices.Contains(s.Reasons, "") {
		t.Errorf("%+v", s)
	}
}

// The comparison of a month is of its days only.
func TestStatementComparesTheMonth(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db := open(t, url)
	m := monthOf(t, now.AddDate(0, -2, 0))
	facts := billed(80, 1200)
	spread(facts, m)
	before, after := billed(81, 300), billed(82, 300)
	eventtest.Number("journal", 1, slices.Concat(facts, before, after)...)
	for i, f := range before {
		moveTo(f, m.From().Add(-time.Duration(i+1)*time.Hour))
	}
	for i, f := range after {
		moveTo(f, m.To().Add(time.Duration(i)*time.Hour))
		f.UserID = "late " + f.UserID // who was not there before
	}
	if _, err := db.Persist(t.Context(), facts); err != nil {
		t.Fatal(err)
	}
	count(t, db)
	alone := statementOf(t, db, event.DefaultProject, m)
	if _, err := db.Persist(t.Context(), slices.Concat(before, after)); err != nil {
		t.Fatal(err)
	}
	count(t, db)
	s := statementOf(t, db, event.DefaultProject, m)
	if s.Proven.RoutedUsers != alone.Proven.RoutedUsers || s.Proven.HoldoutUsers != alone.Proven.HoldoutUsers || s.Proven.HoldoutUsers == 0 || s.Totals != alone.Totals {
		t.Errorf("with the months beside it %+v, alone %+v", s.Proven, alone.Proven)
	}
}

// moveTo has a fact arrive at another time.
func moveTo(f *event.CompletionRecorded, at time.Time) {
	at = at.UTC().Truncate(time.Millisecond)
	binary.BigEndian.PutUint64(f.ID[:], uint64(at.UnixMilli())<<16|uint64(binary.BigEndian.Uint16(f.ID[6:])))
	f.At = at
}

// spread has facts arrive all over a month.
func spread(facts []*event.CompletionRecorded, m statement.Month) {
	r := rand.New(rand.NewPCG(uint64(len(facts)), 6))
	for _, f := range facts {
		moveTo(f, m.From().Add(time.Duration(r.Int64N(int64(m.To().Sub(m.From()))))))
	}
}
