package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/httpapi"
	"github.com/busuhq/busu/internal/journal"
	"github.com/busuhq/busu/internal/learning"
	"github.com/busuhq/busu/internal/storetest"
	"github.com/busuhq/busu/internal/telemetry"
)

// tenants are the secrets of keys, by project and id.
type tenants map[string]access.Secret

func newTenants() tenants {
	all := tenants{}
	for _, name := range tenantNames {
		all[name] = access.NewSecret()
	}
	return all
}

// keys know the tenants.
func (all tenants) keys() *access.Keys {
	keys := access.NewKeys("the admin key")
	for name, secret := range all {
		project, id, _ := strings.Cut(name, "/")
		keys.Add(access.Key{ID: id + " of " + project, Project: project, Role: access.RoleComplete, Secrets: []access.Stored{{Hash: secret.Hash()}}}, time.Now())
	}
	return keys
}

// shop is an API with parts as Run starts them, for tenants.
type shop struct {
	t       testing.TB
	base    string
	reuse   *gateway.Reuse
	tenants tenants
}

func newShop(t testing.TB, tenants tenants, vendor, scope, database, redis string) *shop {
	t.Helper()
	file := filepath.Join(t.TempDir(), "busu.yaml")
	text := fmt.Sprintf(`
routing: {strategy: complexity, holdout: 0}
providers: [{name: acme, kind: openai, base_url: "%s/v1", retries: 0}]
models: [{id: gpt, provider: acme, tier: simple, input_usd_per_mtok: 1, output_usd_per_mtok: 10}]
cache: {scope: %s}
`, vendor, scope)
	environment := map[string]string{"DATABASE_URL": database, "REDIS_URL": redis, "BUSU_STATE_DIR": t.TempDir(), "BUSU_CONFIG": file}
	lookup := func(name string) (string, bool) { value, ok := environment[name]; return value, ok }
	cfg, err := config.Load(config.API, lookup, func(string) ([]byte, error) { return []byte(text), nil }, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	life := newLifecycle(log)
	t.Cleanup(func() {
		if err := life.close(); err != nil {
			t.Error(err)
		}
	})
	stores, err := openStores(context.WithoutCancel(t.Context()), cfg, log, life)
	j, failed := journal.OpenFree(filepath.Join(cfg.StateDir, "journal"), JournalOptions(cfg, log))
	providers, wrong := newProviders(cfg, nil)
	prior, lost := learning.Shipped()
	if err := errors.Join(err, failed, wrong, lost); err != nil {
		t.Fatal(err)
	}
	life.onClose("journal", func(context.Context) error { return j.Close() })
	health := httpapi.NewHealth(telemetry.NewRegistry("api"), log)
	g := newGateway(cfg, providers, gateway.NewPublished(prior, startPrices(cfg, prior)), telemetry.NewLedger(health.Registry(), j))
	schema := newMigration(stores.postgres, log)
	life.start("migration", schema.Run)
	select {
	case <-schema.done: // what is kept has its table
	case <-time.After(time.Minute):
		t.Fatal("in a minute there was no schema")
	}
	g.Reuse = startCache(cfg, newCache(cfg, stores.redis, 0, stores, schema, log), health, life)
	api := &httpapi.API{Gateway: g, Names: namesOf(g), Keys: tenants.keys(), Health: health, Log: log}
	server := httptest.NewServer(api.Handler())
	t.Cleanup(server.Close)
	return &shop{t: t, base: server.URL, reuse: g.Reuse, tenants: tenants}
}

// ask asks what all ask, as a tenant: the answer, and where it comes from.
func (s *shop) ask(tenant, text string, stream bool) (answer, from string) {
	q, err := http.NewRequest(http.MethodPost, s.base+"/complete", strings.NewReader(fmt.Sprintf(`{"prompt": %q, "stream": %t}`, text, stream)))
	if err != nil {
		s.t.Error(err)
		return "", ""
	}
	q.Header.Set("Authorization", "Bearer "+s.tenants[tenant].Reveal())
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		s.t.Error(err)
		return "", ""
	}
	defer r.Body.Close()
	all, err := io.ReadAll(r.Body)
	_, rest, ok := strings.Cut(string(all), `"response":"`)
	answer, _, _ = strings.Cut(rest, `"`)
	if err != nil || r.StatusCode != http.StatusOK || !ok {
		s.t.Errorf("%d %s (%v)", r.StatusCode, all, err)
	}
	return answer, r.Header.Get("X-Busu-Cache")
}

// kept waits until n answers are kept beyond memory, and reports whether they are:
// a level that was late, on a busy machine, is done without for a while.
func (s *shop) kept(n int64) bool {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		levels := s.reuse.Cache.Stats().Levels
		if levels[0].Kept >= n && levels[1].Kept >= n {
			return true
		}
		if levels[0].Dropped+levels[1].Dropped > 0 {
			return false
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("in a minute these were kept: %+v", levels)
		}
	}
}

// numbered is a vendor of which no two answers are the same.
func numbered(t testing.TB, wait func(nth int64)) *httptest.Server {
	var calls atomic.Int64
	v := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		n := calls.Add(1)
		wait(n)
		if strings.Contains(string(body), `"stream":true`) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, `data: {"choices": [{"index": 0, "delta": {"content": "answer %d"}, "finish_reason": "stop"}]}`+"\n\ndata: [DONE]\n\n", n)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"choices": [{"index": 0, "message": {"role": "assistant", "content": "answer %d"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 10, "completion_tokens": 5}}`, n)
	}))
	t.Cleanup(v.Close)
	return v
}

// tenantNames are of tenants that become one where somebody forgets to
// keep project and key apart.
var tenantNames = []string{"ann/1", "ann/2", "bob/1", "annb/1", "an/n1", "ann1/", "1/ann"}

// shares says whether tenants share answers in a scope.
func shares(scope, a, b string) bool {
	projectA, _, _ := strings.Cut(a, "/")
	projectB, _, _ := strings.Cut(b, "/")
	return a == b || scope == config.ScopeAll || scope == config.ScopeProject && projectA == projectB
}

// Complaint: one tenant is given another one's answer, from any level of the
// cache and in any process.
func TestComplaintAnswerOfAnotherTenant(t *testing.T) {
	t.Parallel()
	tenants := newTenants()
	for _, scope := range []string{config.ScopeKey, config.ScopeProject, config.ScopeAll} {
		t.Run(scope, func(t *testing.T) {
			t.Parallel()
			v := numbered(t, func(int64) {})
			const text = "What do all ask?"
			var database, redis string
			var owners map[string]string // by answer
			for range 5 {
				database, redis = storetest.Postgres(t), storetest.Redis(t)
				first := newShop(t, tenants, v.URL, scope, database, redis)
				if owners = first.open(scope, text); first.kept(int64(len(owners))) {
					break
				}
			}
			for _, level := range []string{"redis", "postgres"} {
				hits := 0
				for range 5 { // a level that is late, on a busy machine, is done without
					theirs := redis
					if level == "postgres" {
						theirs = storetest.Redis(t)
					}
					if hits = newShop(t, tenants, v.URL, scope, database, theirs).keepsApart(scope, level, text, owners); hits > 0 {
						break
					}
				}
				if hits == 0 {
					t.Errorf("no answer came from %s", level)
				}
			}
		})
	}
}

// open asks as every tenant, first of all, and gives whose the answers are.
func (s *shop) open(scope, text string) (owners map[string]string) {
	made := map[string]string{} // by who asked first
	for _, tenant := range tenantNames {
		answer, from := s.ask(tenant, text, false)
		if from == "miss" {
			made[tenant] = answer
		}
		for other, theirs := range made {
			if (theirs == answer) != shares(scope, tenant, other) {
				s.t.Errorf("%s got %q from %s, which was made for %s", tenant, answer, from, other)
			}
		}
	}
	owners = map[string]string{}
	for owner, answer := range made {
		owners[answer] = owner
	}
	return owners
}

// keepsApart asks as every tenant, and counts the answers from a level.
func (s *shop) keepsApart(scope, level, text string, owners map[string]string) (hits int) {
	for _, stream := range []bool{false, true} {
		for _, tenant := range tenantNames {
			answer, from := s.ask(tenant, text, stream)
			switch owner, known := owners[answer]; {
			case from == "miss":
				owners[answer] = tenant
			case !known || !shares(scope, tenant, owner):
				s.t.Errorf("%s got %q from %s, which was made for %q", tenant, answer, from, owner)
			case from == level:
				hits++
			}
		}
	}
	return hits
}

// Nor do tenants share a call that is under way.
func TestComplaintAnswerOfAnotherTenantUnderWay(t *testing.T) {
	t.Parallel()
	for _, stream := range []bool{false, true} {
		t.Run(fmt.Sprint("streamed ", stream), func(t *testing.T) {
			t.Parallel()
			all := make(chan struct{})
			v := numbered(t, func(nth int64) {
				if nth == int64(len(tenantNames)) {
					close(all) // each has a call of its own
				}
				select {
				case <-all:
				case <-time.After(20 * time.Second):
					t.Error("some tenants share a call")
				}
			})
			s := newShop(t, newTenants(), v.URL, config.ScopeKey, storetest.Postgres(t), storetest.Redis(t))
			var asking sync.WaitGroup
			var mu sync.Mutex
			got := map[string]string{}
			for _, tenant := range tenantNames {
				asking.Go(func() {
					answer, _ := s.ask(tenant, "What do all ask?", stream)
					mu.Lock()
					defer mu.Unlock()
					if other, taken := got[answer]; taken {
						t.Errorf("%s and %s got %q", tenant, other, answer)
					}
					got[answer] = tenant
				})
			}
			asking.Wait()
		})
	}
}
