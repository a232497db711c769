package postgres_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/rollup"
	"github.com/busuhq/busu/internal/storetest"
)

// History is what the facts add up to: merged or not, half of it so, from
// several partitions, and while it is merged.
func TestHistoryIsOfTheFacts(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db := open(t, url)
	var facts []*event.CompletionRecorded
	for i, within := range []time.Duration{100 * 24 * time.Hour, 24 * time.Hour, time.Hour} {
		facts = append(facts, completions(uint64(20+i), 600, within)...)
	}
	for i, f := range facts {
		if eventtest.Number("journal", int64(i+1), f); i%2 == 0 {
			f.Partition = 1
		}
		if i%5 == 0 {
			f.Project = "another"
		}
	}
	persist := func(facts []*event.CompletionRecorded) {
		t.Helper()
		if _, err := db.Persist(t.Context(), facts); err != nil {
			t.Fatal(err)
		}
	}
	persist(facts[:900])
	checkHistories(t, db, "nothing is merged", facts[:900])
	if _, err := db.MergeRollups(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkHistories(t, db, "all is merged", facts[:900])
	if err := keepFives(t, db, 8*24*time.Hour); err != nil {
		t.Fatal(err)
	}
	checkHistories(t, db, "five minutes are filled in", facts[:900])
	persist(facts[900:])
	checkHistories(t, db, "half is merged", facts)
	merging := mergeMeanwhile(t, url, fivesMoved)
	checkHistories(t, db, "it is being merged", facts)
	merging()
	checkHistories(t, db, "all is merged again", facts)
	checkLevels(t, url)
}

func checkHistories(t *testing.T, db *postgres.DB, when string, facts []*event.CompletionRecorded) {
	t.Helper()
	for _, project := range []string{event.DefaultProject, "another"} {
		for _, span := range []rollup.Span{
			{Length: time.Hour, Step: time.Minute, By: rollup.KindModel, Top: 2},
			{Length: 24 * time.Hour, Step: 5 * time.Minute, By: rollup.KindError, Top: 5},
			weekInFives,
			{Length: 7 * 24 * time.Hour, Step: time.Hour},
			{Length: 90 * 24 * time.Hour, Step: 24 * time.Hour, By: rollup.KindCache, Top: 5},
		} {
			got, err := db.History(t.Context(), project, span, now)
			if err != nil {
				t.Fatal(err)
			}
			want, err := rollup.NewHistory(span, piecesOf(project, facts, span.Step), rollup.SourcePostgres, now)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s, %s, %+v:\n got %+v\nwant %+v (%v)", when, project, span, got.Sums, want.Sums, err)
			}
		}
	}
}

func piecesOf(project string, facts []*event.CompletionRecorded, step time.Duration) []rollup.Piece {
	var pieces []rollup.Piece
	for slot, c := range rollup.Sum(facts, step) {
		if slot.Project == project {
			pieces = append(pieces, rollup.Piece{Start: slot.Start, Dim: slot.Dim, Cell: *c,
				Latency: c.Latency.AppendPacked(nil), TTFT: c.TTFT.AppendPacked(nil), Overhead: c.Overhead.AppendPacked(nil)})
		}
	}
	return pieces
}

// checkLevels holds five minutes, hours and days against minutes, when all is
// merged.
func checkLevels(t *testing.T, url string) {
	t.Helper()
	conn := connect(t, url)
	if _, _, different := keptFives(t, conn); different != 0 {
		t.Errorf("%d five minutes are not the sums of their minutes", different)
	}
	for table, start := range map[string]string{"rollups_hours": "hour", "rollups_days": "day"} {
		sums := `project, kind, name, sum(requests), sum(errors), sum(cost_nanos), sum(baseline_cost_nanos), sum(tokens_in), sum(tokens_out)`
		var different, rows int
		err := conn.QueryRow(t.Context(), fmt.Sprintf(`
			WITH a AS (SELECT date_trunc('%[2]s', minute, 'UTC') AS at, %[3]s FROM rollups_minutes GROUP BY 1, 2, 3, 4),
			     b AS (SELECT %[2]s AS at, %[3]s FROM %[1]s GROUP BY 1, 2, 3, 4)
			SELECT (SELECT count(*) FROM ((TABLE a EXCEPT TABLE b) UNION ALL (TABLE b EXCEPT TABLE a)) d), (SELECT count(*) FROM b)`,
			table, start, sums)).Scan(&different, &rows)
		if err != nil || different != 0 || rows == 0 {
			t.Errorf("%s: %d of %d rows are not the sums of their minutes: %v", table, different, rows, err)
		}
	}
}
