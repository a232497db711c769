package postgres_test

import (
	"testing"
	"time"

	"github.com/busuhq/busu/internal/rollup"
)

// What an earlier release has merged is in hours and days, too, once a worker
// has merged it again; its own workers stop merging, and history is whole all
// along.
func TestMinutesOfEarlierReleasesGetHours(t *testing.T) {
	t.Parallel()
	url := migratedUpTo(t, 6)
	conn := connect(t, url)
	for table, from := range map[string]int{"rollups_merged": 1, "rollups_new": 4001} {
		_, err := conn.Exec(t.Context(), `
			INSERT INTO `+table+` (project, partition, minute, kind, name, requests, errors, cost_nanos, baseline_cost_nanos,
				tokens_in, tokens_out, latency, ttft, overhead)
			SELECT 'default', i % 2, timestamptz '2026-11-23 12:00Z' - i * interval '1 minute', 'all', '', 1, 0, i, 2 * i, 1, 1, '\x0101', '', ''
			FROM generate_series($1::int, $1::int + 3999) i`, from)
		if err != nil {
			t.Fatal(err)
		}
	}
	db := open(t, url)
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	check := func(when string) {
		t.Helper()
		for _, step := range rollup.Steps() {
			span := rollup.Span{Length: min(2000*step, rollup.LongestSpan), Step: step}
			h, err := db.History(t.Context(), "default", span, now)
			want := min(8000, int64(now.Truncate(time.Hour).Sub(h.From)/time.Minute)) // one a minute, up to 12:00
			if err != nil || h.TotalRequests != want || int64(h.CostUSD) != want*(want+1)/2 {
				t.Errorf("%s, in steps of %s: %d requests, want %d; %v", when, step, h.TotalRequests, want, err)
			}
		}
	}
	check("nothing is merged")
	if _, err := db.MergeRollups(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("all is merged")
	checkLevels(t, url)
	if _, err := conn.Exec(t.Context(), `SELECT FROM rollups_merged`); err == nil {
		t.Error("workers of an earlier release would go on merging, into minutes only")
	}
}
