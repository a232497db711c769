package postgres_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/experiment"
	"github.com/busuhq/busu/internal/postgres"
)

// recounted judges again, from requests and from totals, and comes to the same.
func recounted(t *testing.T, db *postgres.DB, id string, units int) {
	t.Helper()
	for _, totals := range []bool{false, true} {
		_, found, err := db.Recount(t.Context(), id, totals)
		if err != nil || len(found.Differences) != 0 || found.Units != units {
			t.Errorf("of totals %t: %+v, %v", totals, found, err)
		}
	}
}

// tampered changes one thing after the other that is stored, each of which is
// noticed, and changes it back.
func tampered(t *testing.T, db *postgres.DB, conn *pgx.Conn, e *experiment.Experiment) {
	t.Helper()
	const one = `(experiment_id, unit) = (SELECT experiment_id, unit FROM experiment_units WHERE counted ORDER BY matured_at, first_id LIMIT 1)`
	changes := map[string]string{ // what is changed → what differs
		`UPDATE experiment_results SET cost_nanos = cost_nanos + 1 WHERE ` + one:                                                                                               "totals",
		`UPDATE experiment_results SET complexity = complexity / 2 + 0.01 WHERE ` + one:                                                                                        "traits",
		`UPDATE experiment_results SET latency_us = latency_us * 2 + 100000 WHERE answered AND ` + one:                                                                         "totals",
		`DELETE FROM experiment_results WHERE ` + one:                                                                                                                          "requests",
		`UPDATE experiment_units SET totals = jsonb_set(totals, '{good}', '17') WHERE ` + one:                                                                                  "totals",
		`UPDATE experiment_units SET arm = CASE arm WHEN 'test' THEN 'control' ELSE 'test' END WHERE ` + one:                                                                   "arm",
		`UPDATE experiment_units SET counted = false WHERE ` + one:                                                                                                             "tallies",
		`UPDATE experiments SET progress = jsonb_set(progress::jsonb, '{looks,0,arms,0,diff}', '0.25')::json`:                                                                  "looks",
		`UPDATE experiments SET progress = jsonb_set(progress::jsonb, '{took,0}', '[5]')::json`:                                                                                "took",
		`UPDATE experiments SET progress = jsonb_set(progress::jsonb, '{parts,0,value}', '"other"')::json`:                                                                     "parts",
		`UPDATE experiments SET progress = jsonb_set(progress::jsonb, '{entered,0,by_arm,0}', '1000')::json`:                                                                   "entered",
		`UPDATE experiments SET progress = jsonb_set(progress::jsonb, '{strays}', '1000')::json`:                                                                               "strays",
		`UPDATE experiment_decisions SET decision = jsonb_set(decision::jsonb, '{outcome}', '"trade_off"')::json`:                                                              "outcome",
		`UPDATE experiment_decisions SET decision = jsonb_set(decision::jsonb, '{p_value}', '0.123')::json`:                                                                    "p_value",
		`DELETE FROM experiment_decisions`:                                                                                                                                     "outcome",
		`UPDATE experiments SET record = jsonb_set(record, '{alpha}', '0.1')`:                                                                                                  "alpha",
		`UPDATE feedback SET bad = NOT bad, quality = 1 - quality WHERE request_id IN (SELECT completion_id FROM experiment_results r WHERE r.experiment_id = '` + e.ID + `')`: "totals",
	}
	if e.CUPED {
		changes[`UPDATE completions SET origin_cost_nanos = origin_cost_nanos + 1 WHERE experiments IS NULL`] = "history"
	}
	run := func(sql string) {
		t.Helper()
		if tag, err := conn.Exec(t.Context(), sql); err != nil || tag.RowsAffected() == 0 && strings.HasPrefix(sql, "UPDATE") {
			t.Fatalf("%s: %s, %v", sql, tag, err)
		}
	}
	tables := []string{"experiments", "experiment_results", "experiment_units", "experiment_decisions", "feedback", "completions"}
	for _, table := range tables {
		run("CREATE TEMP TABLE kept_" + table + " AS SELECT * FROM " + table)
	}
	for change, what := range changes {
		run(change)
		_, found, err := db.Recount(t.Context(), e.ID, false)
		if noticed := slices.ContainsFunc(found.Differences, func(d experiment.Difference) bool { return d.What == what }); err != nil || !noticed {
			t.Errorf("%s: %+v, %v", change, found, err)
		}
		for _, table := range tables {
			run("TRUNCATE " + table)
			run("INSERT INTO " + table + " SELECT * FROM kept_" + table)
		}
	}
	recounted(t, db, e.ID, unitsOf(t, conn))
}

func unitsOf(t *testing.T, conn *pgx.Conn) (units int) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM experiment_units WHERE counted`).Scan(&units); err != nil {
		t.Fatal(err)
	}
	return units
}
