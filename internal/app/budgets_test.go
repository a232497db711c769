package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/storetest"
)

// fleet is some APIs and a worker on servers of their own.
type fleet struct {
	t               *testing.T
	database, redis *storetest.Server
	config          string
	dirs            []string
	apis            []atomic.Pointer[process]
	key             string
}

func newFleet(t *testing.T, apis int, config string) *fleet {
	t.Helper()
	f := &fleet{t: t, database: storetest.PostgresServer(t), redis: storetest.RedisServer(t), config: configFile(t, config), apis: make([]atomic.Pointer[process], apis)}
	f.begin("worker", stateDir(t))
	for i := range apis {
		f.dirs = append(f.dirs, stateDir(t))
		f.apis[i].Store(f.begin("api", f.dirs[i]))
	}
	return f
}

func (f *fleet) begin(name, dir string) *process {
	f.t.Helper()
	return start(f.t, nil, []string{"DATABASE_URL=" + f.database.URL, "REDIS_URL=" + f.redis.URL, "BUSU_STATE_DIR=" + dir, "BUSU_CONFIG=" + f.config}, name)
}

// ask sends one request that costs something, and gives the status, 0 where
// nobody answers, and how long to wait until the next.
func (f *fleet) ask(api int, prompt string) (status int, after time.Duration) {
	body := fmt.Sprintf(`{"prompt": %q, "model": "large", "max_tokens": 60, "cache": "bypass"}`, prompt)
	r, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, f.apis[api].Load().base+"/complete", strings.NewReader(body))
	if err != nil {
		f.t.Error(err)
		return 0, 0
	}
	if f.key != "" {
		r.Header.Set("Authorization", "Bearer "+f.key)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, time.Second
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	seconds, _ := time.ParseDuration(answer.Header.Get("Retry-After") + "s")
	return answer.StatusCode, seconds
}

// spent is what is stored of what requests have cost, in nano-dollars.
func (f *fleet) spent() (nanos, rows int64) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 10*time.Second)
	defer cancel()
	if err := connect(f.t, f.database.URL).QueryRow(ctx, `SELECT coalesce(sum(cost_nanos), 0)::bigint, count(*) FROM completions`).Scan(&nanos, &rows); err != nil {
		f.t.Fatal(err)
	}
	return nanos, rows
}

// drain asks until a budget says that it is exhausted until the period ends:
// what a process that was killed has held goes to others after budget.Forget at
// the latest, and most often far sooner. It may be enough for several requests,
// which take their time.
func (f *fleet) drain(api int) {
	f.t.Helper()
	for deadline := time.Now().Add(budget.Forget + time.Minute); ; {
		status, after := f.ask(api, "once more")
		if status == http.StatusTooManyRequests && after > time.Minute {
			return
		}
		now := time.Now()
		if status == http.StatusOK {
			if more := now.Add(time.Minute); more.After(deadline) {
				deadline = more
			}
			continue
		}
		if now.After(deadline) {
			f.t.Fatalf("what is left cannot be spent: the last answer is %d, after %s", status, after)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// worstLarge is what a request of a fleet may cost at the worst: 60 tokens out,
// and a few in.
const worstLarge = 60*15_000 + 60*3_000

// Of 500 requests at once against a budget that allows some 100, no more is
// spent than it allows, while Redis is killed, and one of the processes; and
// when all is well again, what is left can be spent.
func TestBudgetsHold(t *testing.T) {
	t.Parallel()
	const budget = 100 * 500_000 // nano-dollars; a request costs some 500,000
	// A request takes some seconds, so that faults find many under way.
	unhurried := strings.Replace(quick, "speed: 0", "speed: 0.25", 1)
	for _, c := range []struct {
		apis   int
		config string
		faults bool
	}{
		{apis: 1, config: unhurried + "limits: {projects: [{project: default, budget_usd: 0.05, budget_period: day}]}\n"},
		{apis: 3, config: unhurried, faults: true},
	} {
		t.Run(fmt.Sprint(c.apis), func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, c.apis, c.config)
			if c.faults {
				var made struct{ Key string }
				f.apis[0].Load().post("/keys", `{"name": "k", "role": "complete", "project": "default", "budget_usd": 0.05, "budget_period": "day"}`, http.StatusCreated, &made)
				f.key = made.Key
			}
			for status := 0; status != http.StatusOK; status, _ = f.ask(0, "first") { // a desk that is new waits for some seconds
				time.Sleep(50 * time.Millisecond)
			}
			var asked, answered atomic.Int64
			var all sync.WaitGroup
			for i := range 500 {
				all.Go(func() {
					for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
						asked.Add(1)
						status, after := f.ask(i%c.apis, fmt.Sprintf("Tell me about the number %d, and why it is not %d.", i, i+1))
						if status == http.StatusOK {
							answered.Add(1)
						}
						if status == http.StatusOK || after > time.Minute {
							return
						}
						time.Sleep(500 * time.Millisecond) // most of it is held for requests under way
					}
				})
			}
			if c.faults {
				for answered.Load() < 20 {
					time.Sleep(time.Millisecond)
				}
				f.redis.Kill(t)
				if err := f.apis[0].Load().cmd.Process.Signal(syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				<-f.apis[0].Load().ended
				f.redis.Restart(t)
				f.apis[0].Store(f.begin("api", f.dirs[0]))
			}
			all.Wait()
			t.Logf("%d requests, %d answered", asked.Load(), answered.Load())
			f.drain(c.apis - 1)
			f.settled(budget)
			if f.key != "" {
				f.shows(budget)
			}
		})
	}
}

// settled waits until all is stored, and holds it against the budget.
func (f *fleet) settled(budget int64) {
	f.t.Helper()
	before := int64(-1)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(2 * time.Second) {
		spent, rows := f.spent()
		if spent > budget {
			f.t.Fatalf("%d of %d nano-dollars are spent by %d requests", spent, budget, rows)
		}
		if spent == before && spent > budget-worstLarge {
			f.t.Logf("%d of %d nano-dollars are spent by %d requests", spent, budget, rows)
			return
		}
		if before = spent; time.Now().After(deadline) {
			f.t.Fatalf("%d of %d nano-dollars are spent by %d requests, and it says that is all", spent, budget, rows)
		}
	}
}

// shows reads how the key stands.
func (f *fleet) shows(budget int64) {
	f.t.Helper()
	var keys struct{ Keys []struct{ ID string } }
	f.apis[0].Load().get("/keys", &keys)
	var k struct {
		Budget struct {
			Limit     json.Number `json:"limit_usd"`
			Spent     float64     `json:"spent_usd"`
			Remaining float64     `json:"remaining_usd"`
			Resets    time.Time   `json:"resets_at"`
		} `json:"budget"`
	}
	f.apis[0].Load().get("/keys/"+keys.Keys[0].ID, &k)
	if spent, _ := f.spent(); k.Budget.Limit != "0.05" || int64(k.Budget.Spent*1e9+.5) < spent || k.Budget.Spent+k.Budget.Remaining > 0.0500001 || !k.Budget.Resets.After(time.Now()) {
		f.t.Errorf("%d of %d are spent, and the key shows %+v", spent, budget, k.Budget)
	}
}
