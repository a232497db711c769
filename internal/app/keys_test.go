package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/storetest"
)

const adminKey = "an-admin-key-of-enough-characters"

// tell sends a request with a key and gives its answer.
func (p *process) tell(key, method, path, body string, headers ...string) (status int, h http.Header, text string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, p.base+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	all, err := io.ReadAll(answer.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(all)
}

// made makes a key at a process.
func (p *process) made(project string) (made access.Made) {
	p.t.Helper()
	status, _, text := p.tell(adminKey, http.MethodPost, "/keys", `{"name": "test", "role": "admin", "project": "`+project+`"}`)
	if err := json.Unmarshal([]byte(text), &made); err != nil || status != http.StatusCreated {
		p.t.Fatalf("%d %s (%v)", status, text, err)
	}
	return made
}

// TestKeysInTwoProcesses: keys work at once in both, tenants see nothing of each
// other, what is revoked is so within a second, and while PostgreSQL is away
// known keys go on and nothing else is called wrong.
func TestKeysInTwoProcesses(t *testing.T) {
	t.Parallel()
	database, redisURL := storetest.PostgresServer(t), storetest.Redis(t)
	env := []string{"DATABASE_URL=" + database.URL, "REDIS_URL=" + redisURL, "BUSU_ADMIN_KEY=" + adminKey,
		"BUSU_CONFIG=" + configFile(t, quick+"routing: {strategy: complexity, holdout: 0}\n")}
	with := func() []string { return append(slices.Clip(env), "BUSU_STATE_DIR="+stateDir(t)) }
	api, other, worker := start(t, nil, with(), "api"), start(t, nil, with(), "api"), start(t, nil, with(), "worker")

	byCommand := strings.TrimSpace(busu(t, with(), "keys", "create", "--name", "by command", "--role", "read", "--project", "acme"))
	for _, p := range []*process{api, other} {
		if status, _, text := p.tell(byCommand, http.MethodGet, "/requests", ""); status != http.StatusOK {
			t.Errorf("a key that was just made: %d %s", status, text)
		}
	}
	if list := busu(t, with(), "keys", "list"); !strings.Contains(list, byCommand[:13]) || strings.Contains(list, byCommand) {
		t.Errorf("busu keys list says\n%s", list)
	}
	acme, globex := api.made("acme"), api.made("globex")
	strangers(t, api, other, storetest.RedisClient(t, redisURL), acme.Secret, globex.Secret)

	if status, _, text := api.tell(adminKey, http.MethodDelete, "/keys/"+acme.ID, ""); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	revoked := time.Now()
	other.until("it is revoked there, too", func() bool {
		status, _, _ := other.tell(acme.Secret, http.MethodGet, "/v1/models", "")
		return status == http.StatusUnauthorized
	})
	if took := time.Since(revoked); took > 2*time.Second { // a second, on a machine that has time
		t.Errorf("it took %s", took)
	}
	database.Kill(t)
	late := launchAPI(t, with())
	for _, p := range []*process{api, other, late} {
		for _, c := range []struct {
			who, key string
			status   int
		}{
			{"the admin", adminKey, http.StatusOK}, {"nobody", "", http.StatusUnauthorized},
			{"an unknown key", access.NewSecret().Reveal(), http.StatusServiceUnavailable}, {"a known one", globex.Secret, http.StatusOK},
		} {
			if p == late && c.key == globex.Secret {
				c.status = http.StatusServiceUnavailable
			}
			status, h, text := p.tell(c.key, http.MethodPost, "/complete", `{"prompt": "Hello"}`)
			if status != c.status || status == http.StatusServiceUnavailable && h.Get("Retry-After") == "" {
				t.Errorf("without PostgreSQL, %s gets %d %s", c.who, status, text)
			}
		}
	}
	for _, p := range []*process{api, other, late, worker} {
		p.stop()
		if said := p.stdout.String() + p.stderr.String(); strings.Contains(said, acme.Secret[13:]) || strings.Contains(said, globex.Secret[13:]) {
			t.Error("a secret is in the log")
		}
	}
}

// launchAPI starts an API whose stores may be away.
func launchAPI(t *testing.T, env []string) *process {
	t.Helper()
	addr := freeAddr(t)
	p := launch(t, nil, append(env, "BUSU_ADDR="+addr, "BUSU_LOG_FORMAT=json"), "api")
	p.base = "http://" + addr
	p.until("it lives", func() bool { return p.status("/healthz") == http.StatusOK })
	return p
}

// strangers holds two tenants against each other, who ask the same.
func strangers(t *testing.T, api, other *process, inRedis redis.UniversalClient, one, two string) {
	t.Helper()
	const ask = `{"prompt": "What do both ask?", "user_id": "ada"}`
	ids, shapes := map[string]string{}, map[string]string{}
	for n, key := range []string{one, two} {
		for i, p := range []*process{api, api, other} {
			if p == other { // finds what has come to Redis
				api.until("the answer is kept", func() bool {
					kept, err := inRedis.Keys(t.Context(), "busu:cache:answer:*").Result()
					return err == nil && len(kept) > n
				})
			}
			status, h, text := p.tell(key, http.MethodPost, "/complete", ask, "Idempotency-Key: the same"+string(rune('a'+i)))
			if status != http.StatusOK || h.Get("Idempotent-Replayed") != "" || i == 0 && h.Get("X-Busu-Cache") != "miss" || i > 0 && h.Get("X-Busu-Cache") == "miss" {
				t.Errorf("%d: %d %s %v", i, status, text, h)
			}
			if i == 0 {
				ids[key], shapes[key] = h.Get("X-Request-Id"), shapeOf(t, h, text)
			}
		}
	}
	if shapes[one] != shapes[two] {
		t.Errorf("an answer tells that another tenant asked before:\n%s\n%s", shapes[one], shapes[two])
	}
	status, _, text := api.tell(one, http.MethodPost, "/experiments/start", `{"name": "theirs", "control_strategy": "complexity", "test": {"model": "large"}, "sample_size": 100}`)
	var started struct{ ID string }
	if err := json.Unmarshal([]byte(text), &started); err != nil || status != http.StatusCreated {
		t.Fatalf("%d %s", status, text)
	}
	api.until("the request is on record", func() bool {
		status, _, _ := api.tell(one, http.MethodGet, "/requests/"+ids[one], "")
		return status == http.StatusOK
	})
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/requests/" + ids[one], "", 404},
		{"GET", "/experiments/" + started.ID, "", 404},
		{"GET", "/experiments/" + started.ID + "/results", "", 404},
		{"POST", "/experiments/" + started.ID + "/stop", "", 404},
		{"GET", "/requests?project=acme", "", 403},
		{"GET", "/system", "", 403},
	} {
		if status, _, text := api.tell(two, c.method, c.path, c.body); status != c.status {
			t.Errorf("another tenant's %s %s is %d %s", c.method, c.path, status, text)
		}
	}
	other.until("the experiment is known to be none of theirs", func() bool {
		status, _, _ := other.tell(two, http.MethodPost, "/complete", `{"prompt": "a", "user_id": "u", "experiment_id": "`+started.ID+`"}`)
		return status == http.StatusUnprocessableEntity
	})
	for path, hidden := range map[string]string{"/requests": ids[one], "/experiments": started.ID, "/keys": "acme", "/audit": "acme"} {
		if status, _, text := api.tell(two, http.MethodGet, path, ""); status != http.StatusOK || strings.Contains(text, hidden) {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	if status, _, text := api.tell(two, http.MethodDelete, "/users/ada", ""); status != http.StatusOK || !strings.Contains(text, `"memory":1`) {
		t.Errorf("%d %s", status, text)
	}
	if _, h, _ := api.tell(one, http.MethodPost, "/complete", ask); h.Get("X-Busu-Cache") == "miss" {
		t.Error("a user of the same name in another project was forgotten, too")
	}
}

// shapeOf is what of an answer a stranger could read something off: all but what
// differs from request to request.
func shapeOf(t *testing.T, h http.Header, text string) string {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		t.Fatal(err)
	}
	delete(members, "request_id")
	delete(members, "latency_ms")
	body, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	var headers bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if name != "X-Request-Id" && name != "Date" && name != "Content-Length" {
			headers.WriteString(name + ": " + strings.Join(h[name], ",") + "\n")
		}
	}
	return headers.String() + string(body)
}
