package app_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/idempotency"
	"github.com/busuhq/busu/internal/storetest"
)

// everyWay asks for each thing that Redis is good for: a kept answer, a lease
// on one, and an answer under an Idempotency-Key.
func (h *house) everyWay(n int, count *int) time.Duration {
	h.t.Helper()
	const clients = 4
	took := make([][]time.Duration, clients)
	var all sync.WaitGroup
	for c := range clients {
		all.Go(func() {
			for i := range n {
				text, headers := fmt.Sprint("question ", c, i, time.Now()), []string(nil)
				if i%2 == 1 {
					headers = []string{"Idempotency-Key", text}
				}
				began := time.Now()
				if r := h.send("/complete", question("/complete", "gpt", text, "ada", i%4 < 2), headers...); r.status != http.StatusOK || !strings.Contains(r.body, "All is well.") {
					h.t.Errorf("%d %s", r.status, r.body)
				}
				took[c] = append(took[c], time.Since(began))
			}
		})
	}
	all.Wait()
	*count += clients * n
	sorted := slices.Sorted(slices.Values(slices.Concat(took...)))
	return percentile(sorted, 99)
}

// Complaint: when Redis is down or hangs, requests hang.
func TestComplaintRedisOutageHangsRequests(t *testing.T) {
	t.Parallel()
	v := newVendor(t, map[string]script{"gpt": says("All is well.", few)})
	server := storetest.RedisServer(t)
	h := newHouseOn(t, v, storetest.Postgres(t), server.URL, cached("gpt")+"cache: {single_flight: cluster}\n")
	const each = 75
	asked := 0
	usual := h.everyWay(each, &asked)
	for _, o := range []struct {
		name       string
		begin, end func(testing.TB)
	}{{"hangs", server.Stop, server.Cont}, {"is down", server.Kill, server.Restart}} {
		o.begin(t)
		h.until("answers say that Redis is away", func() bool {
			asked++
			r := h.send("/complete", question("/complete", "gpt", fmt.Sprint(o.name, asked), "ada", false))
			return strings.Contains(r.body, `"degraded":["`) && strings.Contains(r.body, `"redis"`)
		})
		var took []time.Duration
		for range 3 { // machines are noisy: once is enough
			if took = append(took, h.everyWay(each, &asked)); took[len(took)-1] <= 10*usual {
				break
			}
		}
		if t.Logf("when Redis %s p99 is %s, before %s", o.name, took, usual); took[len(took)-1] > 10*usual {
			t.Errorf("when Redis %s p99 is %s, before it was %s", o.name, took, usual)
		}
		o.end(t)
		h.until("all is well again", func() bool { return h.status("/readyz") == http.StatusOK })
	}
	h.agree(h.conn, int64(asked))
}

// Complaint: when all connections are taken, valid keys are refused with 401.
func TestComplaintExhaustedPoolRefusesKeys(t *testing.T) {
	t.Parallel()
	v := newVendor(t, map[string]script{"gpt": says("All is well.", few)})
	database, store := storetest.PostgresServer(t), storetest.RedisServer(t)
	h := newHouseOn(t, v, database.URL, store.URL, cached("gpt"), "BUSU_ADMIN_KEY="+adminSecret)
	paths := []string{"/v1/models", "/routing/metrics?window=1h", "/metrics/live"}
	wrong := func() int {
		return h.send("/complete", question("/complete", "gpt", "Hello?", "eve", false), "Authorization", "Bearer "+adminSecret+"x").status
	}
	check := func(when string) {
		t.Helper()
		for i := range 25 {
			for _, auth := range [][]string{{"Authorization", "Bearer " + adminSecret}, {"x-api-key", adminSecret}} {
				r := h.send("/complete", question("/complete", "gpt", fmt.Sprint(when, i, auth[0]), "ada", false), auth...)
				if r.status != http.StatusOK {
					t.Fatalf("%s, a valid key is answered %d %s", when, r.status, r.body)
				}
			}
			if status := wrong(); status != http.StatusUnauthorized {
				t.Fatalf("%s, a wrong key is answered %d", when, status)
			}
		}
		for _, path := range paths {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.base+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+adminSecret)
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("%s, %s answers a valid key %d", when, path, answer.StatusCode)
			}
		}
	}
	h.until("keys have been read", func() bool { return wrong() == http.StatusUnauthorized })
	check("before")
	free := exhaust(t, database.URL, store.URL)
	check("with all connections taken")
	free()
	for _, o := range outages() {
		(&rig{database: database, redis: store}).each(t, o, o.begin)
		check(o.name)
		(&rig{database: database, redis: store}).each(t, o, o.end)
	}
}

// exhaust cuts busu off from both stores and takes what connections they give.
func exhaust(t *testing.T, database, store string) (free func()) {
	t.Helper()
	options, err := redis.ParseURL(store)
	if err != nil {
		t.Fatal(err)
	}
	options.PoolSize = 1
	mine := redis.NewClient(options)
	conn := connect(t, database)
	ctx := context.WithoutCancel(t.Context())
	if err := mine.ConfigSet(ctx, "maxclients", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if err := mine.Do(ctx, "CLIENT", "KILL", "SKIPME", "yes").Err(); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{`ALTER DATABASE busu_test CONNECTION LIMIT 1`, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()`} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		if err := mine.ConfigSet(ctx, "maxclients", "10000").Err(); err != nil {
			t.Error(err)
		}
		if _, err := conn.Exec(ctx, `ALTER DATABASE busu_test CONNECTION LIMIT -1`); err != nil {
			t.Error(err)
		}
		_ = mine.Close()
	}
}

// Complaint: after a crash a request under its Idempotency-Key is refused for a
// day, or paid twice while the first is still at it.
func TestComplaintIdempotencyKeyOfACrash(t *testing.T) {
	t.Parallel()
	v := newVendor(t, map[string]script{"gpt": first(1, begins(3, breaking, few, hangs), says("A good answer.", few))})
	database, store := storetest.Postgres(t), storetest.Redis(t)
	crashes, other := newHouseOn(t, v, database, store, cached("gpt")), newHouseOn(t, v, database, store, cached("gpt"))
	const path = "/v1/chat/completions"
	body, key := question(path, "gpt", "Hello?", "ada", true), []string{"Idempotency-Key", "the-key"}
	r, err := crashes.open(t.Context(), path, body, key...)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	readUntil(t, "answer ")(r)
	if r := other.send(path, body, key...); r.status != http.StatusConflict {
		t.Errorf("while the first is at it, a repetition is answered %d %s", r.status, r.body)
	}
	if err := crashes.cmd.Process.Signal(os.Kill); err != nil {
		t.Fatal(err)
	}
	crashes.end()
	died := time.Now()
	var again reply
	other.until("the key is free again", func() bool {
		again = other.send(path, body, key...)
		return again.status != http.StatusConflict
	})
	if took := time.Since(died); took > idempotency.Lease+5*time.Second {
		t.Errorf("the key was held for %s after the crash", took)
	}
	if again.status != http.StatusOK || !strings.Contains(again.body, "good ") || !strings.HasSuffix(again.body, "data: [DONE]\n\n") || again.header.Get("Idempotent-Replayed") != "" {
		t.Errorf("the repetition is answered %d %v %s", again.status, again.header, again.body)
	}
	kept := other.send(path, body, key...)
	if kept.body != again.body || kept.header.Get("Idempotent-Replayed") != "true" || kept.header.Get("X-Request-Id") != again.header.Get("X-Request-Id") {
		t.Errorf("the third time it is answered %d %v %s", kept.status, kept.header, kept.body)
	}
	if n := len(v.got("gpt")); n != 2 {
		t.Errorf("the vendor was asked %d times", n)
	}
	if got := other.row("ada"); got.Status != "ok" || got.Cost != 1000*few.in+10000*few.out {
		t.Errorf("recorded %+v", got)
	}
}
