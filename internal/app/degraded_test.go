package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/rollup"
	"github.com/busuhq/busu/internal/storetest"
)

// rig is the three processes on servers of their own.
type rig struct {
	database, redis         *storetest.Server
	api, worker, aggregator *process
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{database: storetest.PostgresServer(t), redis: storetest.RedisServer(t)}
	r.api, r.worker, r.aggregator = r.begin(t, "api"), r.begin(t, "worker"), r.begin(t, "aggregator")
	for _, p := range r.all() {
		p.until("it is ready", func() bool { return p.status("/readyz") == http.StatusOK })
	}
	return r
}

// begin starts a process, whatever is away.
func (r *rig) begin(t *testing.T, name string) *process {
	t.Helper()
	addr := freeAddr(t)
	p := launch(t, nil, []string{"DATABASE_URL=" + r.database.URL, "REDIS_URL=" + r.redis.URL, "BUSU_STATE_DIR=" + stateDir(t),
		"BUSU_CONFIG=" + configFile(t, quick), "BUSU_ADDR=" + addr, "BUSU_LOG_FORMAT=json"}, name)
	p.base = "http://" + addr
	p.until("it lives", func() bool { return p.status("/healthz") == http.StatusOK })
	return p
}

func (r *rig) all() []*process { return []*process{r.api, r.worker, r.aggregator} }

func (r *rig) stop() {
	for _, p := range r.all() {
		p.stop()
	}
}

// outage is a way for stores to be away.
type outage struct {
	name            string
	redis, postgres bool
	begin, end      func(*storetest.Server, *testing.T)
}

func outages() []outage {
	kill := func(s *storetest.Server, t *testing.T) { s.Kill(t) }
	restart := func(s *storetest.Server, t *testing.T) { s.Restart(t) }
	stop := func(s *storetest.Server, t *testing.T) { s.Stop(t) }
	cont := func(s *storetest.Server, t *testing.T) { s.Cont(t) }
	return []outage{
		{"redis down", true, false, kill, restart}, {"redis hangs", true, false, stop, cont},
		{"postgres down", false, true, kill, restart}, {"postgres hangs", false, true, stop, cont},
		{"both down", true, true, kill, restart}, {"both hang", true, true, stop, cont},
	}
}

// each does something to the stores that are away.
func (r *rig) each(t *testing.T, o outage, do func(*storetest.Server, *testing.T)) {
	t.Helper()
	if o.redis {
		do(r.redis, t)
	}
	if o.postgres {
		do(r.database, t)
	}
}

func (o outage) away() (stores []string) {
	if o.postgres {
		stores = append(stores, "postgres")
	}
	if o.redis {
		stores = append(stores, "redis")
	}
	return stores
}

// feed reads the live feed all the time, as the page does.
type feed struct {
	mu     sync.Mutex
	last   rollup.Snapshot
	at     time.Time
	frames int
	pause  time.Duration // the longest between two
	err    error
}

func (p *process) watch() *feed {
	p.t.Helper()
	conn, _, err := websocket.Dial(p.t.Context(), strings.Replace(p.base, "http", "ws", 1)+"/metrics/live?interval=1s", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	f := &feed{at: time.Now()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			var s rollup.Snapshot
			err := wsjson.Read(context.WithoutCancel(p.t.Context()), conn, &s)
			f.mu.Lock()
			if f.err = err; err == nil {
				f.pause = max(f.pause, time.Since(f.at))
				f.last, f.at, f.frames = s, time.Now(), f.frames+1
			}
			f.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	p.t.Cleanup(func() { _ = conn.CloseNow(); <-done })
	return f
}

// now is the last snapshot, and what ended the feed if anything did.
func (f *feed) now() (rollup.Snapshot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last, f.err
}

// shows waits for a snapshot.
func (f *feed) shows(p *process, what string, right func(rollup.Snapshot) bool) {
	p.t.Helper()
	p.until("the feed shows "+what, func() bool {
		s, err := f.now()
		if err != nil {
			p.t.Fatalf("the feed ended before it showed %s: %v", what, err)
		}
		return right(s)
	})
}

// Whatever is away, requests are answered as fast as before and say so, the
// live feed goes on with what figures there are and says what they are, and
// when all are back, nothing is missing.
func TestDegraded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	live := r.api.watch()
	asked := len(r.api.ask(20))
	for _, o := range outages() {
		t.Run(o.name, func(t *testing.T) {
			asked += r.endure(t, o, live, asked)
		})
	}
	live.mu.Lock()
	if live.err != nil || live.pause > 10*time.Second {
		t.Errorf("the feed of %d snapshots paused for %s (%v)", live.frames, live.pause, live.err)
	}
	live.mu.Unlock()
	r.stop()
}

// endure goes through an outage, and gives how many requests were sent.
func (r *rig) endure(t *testing.T, o outage, live *feed, before int) (sent int) {
	api := r.api
	count := func(n int) { sent += n }
	usual := api.p99(count)
	r.each(t, o, o.begin)
	api.says(o.away(), count)
	r.fast(t, usual, count)
	total := func(s rollup.Snapshot) int64 {
		if s.Totals == nil {
			return -1
		}
		return s.Totals.TotalRequests
	}
	switch {
	case o.redis && o.postgres:
		live.shows(api, "old figures, marked so", func(s rollup.Snapshot) bool { return s.Stale && s.TotalRequests > 0 })
	case o.redis:
		live.shows(api, "figures of PostgreSQL", func(s rollup.Snapshot) bool {
			return s.Source == rollup.SourcePostgres && !s.Stale && s.Totals == nil && s.TotalRequests > 0
		})
	default:
		live.shows(api, "figures of Redis, which go on", func(s rollup.Snapshot) bool {
			return s.Source == rollup.SourceRedis && !s.Stale && total(s) == int64(before+sent)
		})
	}
	r.each(t, o, o.end)
	for _, p := range r.all() {
		p.until("it is ready again", func() bool { return p.status("/readyz") == http.StatusOK })
	}
	api.says(nil, count)
	api.agree(connect(t, r.database.URL), int64(before+sent))
	live.shows(api, "all again", func(s rollup.Snapshot) bool {
		return s.Source == rollup.SourceRedis && !s.Stale && total(s) == int64(before+sent)
	})
	return sent
}

// says waits until answers, /readyz and /metrics say that exactly these stores
// are away, and the page has words for them.
func (p *process) says(away []string, count func(int)) {
	p.t.Helper()
	p.until(fmt.Sprintf("answers say that %v are away", away), func() bool {
		var a struct{ Degraded []string }
		p.post("/complete", fresh("What is away?"), http.StatusOK, &a)
		count(1)
		return slices.Equal(storesIn(a.Degraded), away)
	})
	for _, store := range []string{"postgres", "redis"} {
		up, word := 1., "ok"
		if slices.Contains(away, store) {
			up, word = 0, "failing"
		}
		if got := p.metric(`busu_store_up{store="` + store + `"}`); got != up {
			p.t.Errorf("with %v away, %s is up: %g", away, store, got)
		}
		checks := p.checks()
		if checks[store] != word {
			p.t.Errorf("with %v away, /readyz says %v", away, checks)
		}
		for name := range checks {
			if !strings.Contains(p.text("/static/core/degraded.js"), `("`+name+`")`) { // away is not called so where pages are served
				p.t.Errorf("the page has no words for %s", name)
			}
		}
	}
}

// fresh is a prompt that nobody has asked before: no cache has its answer.
func fresh(prompt string) string {
	return fmt.Sprintf(`{"prompt": "%s (%s)", "user_id": "ada"}`, prompt, uuid.NewString())
}

// storesIn are the stores among what is degraded.
func storesIn(degraded []string) (stores []string) {
	for _, what := range degraded {
		if what == "postgres" || what == "redis" {
			stores = append(stores, what)
		}
	}
	return stores
}

func (p *process) text(path string) string {
	p.t.Helper()
	r, err := http.Get(p.base + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

func (p *process) checks() map[string]string {
	p.t.Helper()
	var ready struct{ Checks map[string]string }
	if err := json.Unmarshal([]byte(p.text("/readyz")), &ready); err != nil {
		p.t.Fatal(err)
	}
	return ready.Checks
}

// p99 is what the slowest but few of some hundred requests take.
func (p *process) p99(count func(int)) time.Duration {
	p.t.Helper()
	const clients, each = 4, 75
	took := make([]time.Duration, clients*each)
	var all sync.WaitGroup
	for c := range clients {
		all.Go(func() {
			for i := range each {
				began := time.Now()
				r, err := http.Post(p.base+"/complete", "application/json", strings.NewReader(fresh("How long?")))
				if err != nil {
					p.t.Error(err)
					return
				}
				if r.StatusCode != http.StatusOK {
					p.t.Errorf("status %d", r.StatusCode)
				}
				_, _ = io.Copy(io.Discard, r.Body)
				r.Body.Close()
				took[c*each+i] = time.Since(began)
			}
		})
	}
	all.Wait()
	count(len(took))
	slices.Sort(took)
	return took[len(took)*99/100]
}

// fast checks that nobody waits for a store. Machines are noisy: once in three
// times is enough.
func (r *rig) fast(t *testing.T, usual time.Duration, count func(int)) {
	t.Helper()
	var took []time.Duration
	for range 3 {
		took = append(took, r.api.p99(count))
		if took[len(took)-1] <= 10*usual {
			t.Logf("p99 is %s, before %s", took, usual)
			return
		}
	}
	t.Errorf("p99 is %s, before it was %s", took, usual)
}

// Processes start while a store is away or hangs: answers flow, and everything
// is stored and counted when it comes.
func TestProcessesStartWithoutStores(t *testing.T) {
	t.Parallel()
	r := &rig{database: storetest.PostgresServer(t), redis: storetest.RedisServer(t)}
	asked := 0
	for _, o := range outages() {
		t.Run(o.name, func(t *testing.T) {
			r.each(t, o, o.begin)
			r.api, r.worker, r.aggregator = r.begin(t, "api"), r.begin(t, "worker"), r.begin(t, "aggregator")
			asked += len(r.api.ask(25))
			for _, p := range r.all() {
				p.until("it knows what is away", func() bool {
					checks := p.checks()
					return (checks["redis"] == "failing") == o.redis && (checks["postgres"] == "failing") == o.postgres
				})
				if status := p.status("/readyz"); status != http.StatusServiceUnavailable {
					t.Errorf("without %v /readyz answers %d", o.away(), status)
				}
			}
			if status := r.api.status("/metrics/live"); o.redis && o.postgres && status != http.StatusServiceUnavailable {
				t.Errorf("without stores /metrics/live answers %d", status)
			}
			r.each(t, o, o.end)
			for _, p := range r.all() {
				p.until("it is ready", func() bool { return p.status("/readyz") == http.StatusOK })
			}
			asked += len(r.api.ask(10))
			r.api.agree(connect(t, r.database.URL), int64(asked))
			r.stop()
		})
	}
}
