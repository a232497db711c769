package telemetry_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/system"
	"github.com/busuhq/busu/internal/telemetry"
)

// TestSystemIsExported as far as it is known: what is not is left out.
func TestSystemIsExported(t *testing.T) {
	t.Parallel()
	report := system.NewReport(time.Now(), system.Process{ID: "a", Role: "api"},
		&system.Redis{ClockMS: 1500, Streams: []system.Stream{{Stream: "completions", Partition: 1, Entries: 7, Unread: 3, Pending: 2, OldestMS: 2500, UncountedMS: 500}},
			DeadLetters: system.DeadLetters{Count: 4, OldestMS: 60_000}, Processes: []system.Process{{ID: "b", Role: "up"}, {ID: "c", Role: "worker"}},
			Leases: []system.Lease{{Name: "aggregator/1"}}},
		&system.Postgres{Days: system.Days{Ahead: 7, Strayed: true}, Schema: system.Schema{Version: 16},
			Leases: []system.Lease{{Name: "learner"}}, Guards: []system.Guard{{Project: "p", State: "tripped"}, {Project: "q", State: "armed"}}})
	report.Replica = &system.Replica{State: system.ReplicaUsed, LagMS: new(1500.0)}
	r := prometheus.NewPedanticRegistry()
	telemetry.ExportSystem(r, func() system.Report { return report })
	wantLines(t, r,
		`busu_stream_entries{partition="1",stream="completions"} 7`, `busu_stream_unread{partition="1",stream="completions"} 3`,
		`busu_stream_pending{partition="1",stream="completions"} 2`, `busu_stream_oldest_seconds{partition="1",stream="completions"} 2.5`,
		`busu_stream_uncounted_seconds{partition="1",stream="completions"} 0.5`, `busu_dead_letters 4`, `busu_dead_letters_oldest_seconds 60`,
		`busu_partition_days_ahead 7`, `busu_partition_strayed 1`, `busu_guard_tripped{project="p"} 1`, `busu_guard_tripped{project="q"} 0`,
		`busu_processes{role="api"} 2`, `busu_processes{role="worker"} 2`, `busu_processes{role="aggregator"} 1`,
		`busu_lease_held{name="publisher"} 0`, `busu_lease_held{name="aggregator/1"} 1`, `busu_lease_held{name="learner"} 1`,
		`busu_clock_ahead_seconds{store="redis"} 1.5`, `busu_schema_version 16`,
		`busu_postgres_replica_used 1`, `busu_postgres_replica_lag_seconds 1.5`)

	away := prometheus.NewPedanticRegistry()
	telemetry.ExportSystem(away, func() system.Report { return system.NewReport(time.Now(), system.Process{}, nil, nil) })
	if text := wantLines(t, away); strings.Contains(text, "busu_") {
		t.Errorf("without stores there is %s", text)
	}
}

// TestFailuresByKind, and what had failed before another model answered.
func TestFailuresByKind(t *testing.T) {
	t.Parallel()
	r := prometheus.NewPedanticRegistry()
	l := telemetry.NewLedger(r, fakeLedger{})
	timeout, left, second := completion(event.StatusError), completion(event.StatusCanceled), completion(event.StatusOK)
	timeout.ErrorKind, second.Fallbacks, second.TTFTUS = "timeout", []string{"tiny", "tiny"}, 125_000
	for _, c := range []*event.CompletionRecorded{timeout, left, second} {
		if err := l.Record(c); err != nil {
			t.Fatal(err)
		}
	}
	wantLines(t, r, `busu_errors_total{kind="timeout"} 1`, `busu_errors_total{kind="canceled"} 1`, `busu_fallbacks_total{model="tiny"} 2`,
		`busu_first_token_seconds_sum{model="small"} 0.125`, `busu_first_token_seconds_count{model="small"} 1`)
}
