package app_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/rollup"
	"github.com/busuhq/busu/internal/storetest"
)

// poison is an entry that cannot be processed.
type poison struct {
	name, field, body string
	reason            string // a part of it
}

// poisons are all the ways in which an entry can be wrong.
func poisons(t *testing.T) []poison {
	r, now := rand.New(rand.NewPCG(6, 6)), time.Now()
	seq := int64(0)
	fact := func(at time.Time, change func(*event.CompletionRecorded)) string {
		f := eventtest.Completion(r, at)
		seq++
		eventtest.Number("strange", seq, f)
		if change != nil {
			change(f)
		}
		body, err := event.Encode(f)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	large := fact(now, func(f *event.CompletionRecorded) { f.Reason = strings.Repeat("very long ", 500_000) })
	return []poison{
		{"5 MB of nothing", "event", strings.Repeat("x", 5<<20), "invalid character"},
		{"a fact of 5 MB that was cut off", "event", large[:len(large)-1], "unexpected end"},
		{"a fact of 5 MB with a NUL", "event", strings.Replace(large, "very long", `\u0000`, 1), "NUL"},
		{"an unknown version", "event", strings.Replace(fact(now, nil), `"v":1`, `"v":9`, 1), "version 9 is not known"},
		{"an unknown type", "event", strings.Replace(fact(now, nil), `completion.recorded`, `completion.forgotten`, 1), "completion.forgotten"},
		{"without the field", "other", fact(now, nil), "unexpected end"},
		{"nothing at all", "event", "", "unexpected end"},
		{"an id that is no UUIDv7", "event", fact(now, func(f *event.CompletionRecorded) { f.ID = uuid.New() }), "not a UUIDv7"},
		{"a time that is not the id's", "event", fact(now, func(f *event.CompletionRecorded) { f.At = f.At.AddDate(-3, 0, 0) }), "not the time in the id"},
		{"from years ago", "event", fact(now.AddDate(-3, 0, 0), nil), "more than a year"},
		{"from the years to come", "event", fact(now.AddDate(9, 0, 0), nil), "more than a year"},
		{"from another age", "event", fact(time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC), nil), "out of range"},
		{"another partition's", "event", fact(now, func(f *event.CompletionRecorded) { f.Partition = 5 }), "partition 5 on partition 0"},
		{"a negative cost", "event", fact(now, func(f *event.CompletionRecorded) { f.CostNanos = -1 }), "cost_nanos"},
	}
}

// Whatever comes over the stream, what cannot be processed ends in the dead
// letters, whole and with the reason, and holds up and distorts nothing else.
func TestPoisonEndsInTheDeadLetters(t *testing.T) {
	t.Parallel()
	database, server := storetest.Postgres(t), storetest.Redis(t)
	env := []string{"DATABASE_URL=" + database, "REDIS_URL=" + server, "BUSU_CONFIG=" + configFile(t, quick)}
	with := func() []string { return append(env[:len(env):len(env)], "BUSU_STATE_DIR="+stateDir(t)) }
	worker, _, api := start(t, nil, with(), "worker"), start(t, nil, with(), "aggregator"), start(t, nil, with(), "api")
	options, err := redis.ParseURL(server)
	if err != nil {
		t.Fatal(err)
	}
	plain := redis.NewClient(options)
	t.Cleanup(func() { _ = plain.Close() })

	api.ask(20)
	all := poisons(t)
	entries := map[string]poison{} // by id
	for _, p := range all {
		id, err := plain.XAdd(t.Context(), &redis.XAddArgs{Stream: "busu:completions:{0}", Values: []any{p.field, p.body}}).Result()
		if err != nil {
			t.Fatal(err)
		}
		entries[id] = p
	}
	api.ask(10)
	conn := connect(t, database)
	api.agree(conn, 30)
	api.until("the live metrics show the dead letters", func() bool {
		var live rollup.Snapshot
		api.get("/metrics/live", &live)
		return live.Pipeline.DeadLetters == int64(len(all)) && live.Pipeline.Pending == 0
	})
	if n := worker.metric(`busu_worker_buried_total{stream="completions"}`); n != float64(len(all)) {
		t.Errorf("the worker says that it buried %g of %d", n, len(all))
	}
	deadLetters(t, with(), entries)

	// What still cannot be processed comes back.
	if said := busu(t, with(), "dead", "replay", "--all"); said != fmt.Sprintf("%d replayed\n", len(all)) {
		t.Errorf("busu dead replay says %q", said)
	}
	worker.until("all are buried again", func() bool {
		return worker.metric(`busu_worker_buried_total{stream="completions"}`) == 2*float64(len(all))
	})
	api.ask(5)
	api.agree(conn, 35)
	if status := api.status("/readyz"); status != http.StatusOK {
		t.Errorf("/readyz answers %d", status)
	}
}

// deadLetters holds what busu dead says against the entries.
func deadLetters(t *testing.T, env []string, entries map[string]poison) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(busu(t, env, "dead", "list")), "\n")[1:]
	if len(lines) != len(entries) {
		t.Errorf("busu dead list has %d lines for %d dead letters", len(lines), len(entries))
	}
	for _, line := range lines {
		columns := strings.Fields(line) // ID, STREAM, ENTRY, BYTES, REASON
		if len(line) > 1000 || len(columns) < 5 {
			t.Fatalf("busu dead list says %.1000q", line)
		}
		p, ok := entries[columns[2]]
		if !ok || columns[1] != "busu:completions:{0}" || !strings.Contains(line, p.reason) {
			t.Errorf("%s: busu dead list says %q, without %q", p.name, line, p.reason)
		}
		delete(entries, columns[2])
		whole := p.body + "\n"
		if p.field != "event" {
			whole = "\n"
		}
		if shown := busu(t, env, "dead", "show", columns[0]); shown != whole || columns[3] != fmt.Sprint(len(whole)-1) {
			t.Errorf("%s: busu dead show gives %d bytes, %.60q…, of %d", p.name, len(shown), shown, len(whole))
		}
	}
	for id, p := range entries {
		t.Errorf("%s (%s) is not among the dead letters", p.name, id)
	}
}

// busu runs one of the operator's commands and gives what it prints.
func busu(t *testing.T, env []string, args ...string) string {
	t.Helper()
	p := launch(t, nil, env, "busu", args...)
	if code := p.end(); code != 0 {
		t.Fatalf("busu %s ends with %d: %s", strings.Join(args, " "), code, p.stderr.String())
	}
	return p.stdout.String()
}
