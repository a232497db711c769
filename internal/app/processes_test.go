package app_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/busuhq/busu/internal/rollup"
	"github.com/busuhq/busu/internal/storetest"
)

// The three processes on shared stores: the same loop, scaled out.
func TestThreeProcesses(t *testing.T) {
	t.Parallel()
	database := storetest.EmptyPostgres(t)
	redis := storetest.Redis(t)
	env := func() []string {
		return []string{"DATABASE_URL=" + database, "REDIS_URL=" + redis, "BUSU_STATE_DIR=" + stateDir(t), "BUSU_CONFIG=" + configFile(t, quick)}
	}
	worker := start(t, nil, env(), "worker")
	aggregator := start(t, nil, env(), "aggregator")
	api, other := start(t, nil, env(), "api"), start(t, nil, env(), "api")
	conn := connect(t, database)

	answers := append(api.ask(30), other.ask(30)...)
	api.followed(conn, answers[3])
	other.followed(conn, answers[33])
	api.agree(conn, 60)
	other.agree(conn, 60)
	if n := worker.metric(`busu_worker_persisted_total{stream="completions"}`); n != 60 {
		t.Errorf("the worker counts %g facts", n)
	}
	var live rollup.Snapshot
	other.until("the providers of both are shown, at rest", func() bool {
		other.get("/metrics/live", &live)
		return len(live.Providers) == 1 && live.Providers[0].Processes == 2 && live.Providers[0].InFlight == 0
	})
	if p := live.Providers[0]; p.Name != "simulated" || p.Breaker != rollup.BreakerClosed || p.Limit != 128 {
		t.Errorf("both together see the provider as %+v", p)
	}
	if n := api.metric(`busu_provider_limit{provider="simulated"}`); n != 64 {
		t.Errorf("one process lets %g calls through", n)
	}
	for _, p := range []*process{api, other, worker, aggregator} {
		p.stop()
	}
}

// connected opens a connection, and gives a function that has a request answered
// on it and reports whether the connection ends with that.
func (p *process) connected() func() (ends bool) {
	p.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.base, "http://"))
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { conn.Close() })
	answers := bufio.NewReader(conn)
	return func() bool {
		p.t.Helper()
		_, err := conn.Write([]byte("GET /healthz HTTP/1.1\r\nHost: busu\r\n\r\n"))
		if err != nil {
			p.t.Fatalf("a connection that waited was closed: %v", err)
		}
		r, err := http.ReadResponse(answers, nil)
		if err != nil {
			p.t.Fatalf("a request on a connection that waited was not answered: %v", err)
		}
		defer r.Body.Close()
		if _, err := io.Copy(io.Discard, r.Body); err != nil || r.StatusCode != http.StatusOK {
			p.t.Fatalf("%s, %v", r.Status, err)
		}
		return r.Close
	}
}

// A process that was told to stop says so to balancers, and answers whoever has
// not heard of it yet; a second signal ends it.
func TestStoppingProcessGoesOnAnswering(t *testing.T) {
	t.Parallel()
	env := []string{"BUSU_STATE_DIR=" + stateDir(t), "BUSU_CONFIG=" + configFile(t, quick), "BUSU_DRAIN=1h",
		"DATABASE_URL=" + storetest.Postgres(t), "REDIS_URL=" + storetest.Redis(t)}
	p := start(t, nil, env, "api")
	p.ask(1)
	idle := p.connected()
	idle()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.until("it is not ready", func() bool { return p.status("/readyz") == http.StatusServiceUnavailable })
	if !idle() {
		t.Error("a connection does not end with its answer")
	}
	r, err := http.Post(p.base+"/complete", "application/json", strings.NewReader(`{"prompt": "hello"}`))
	if err != nil {
		t.Fatal(err)
	}
	p.until("connections end with their answers", func() bool {
		r, err := http.Get(p.base + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		return r.Close && r.StatusCode == http.StatusOK
	})
	p.decode(r, http.StatusOK, nil)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := p.end(); code == 0 {
		t.Error("it ended as if it had waited")
	}
}

// With an admin key nobody gets in without it, and nothing is told before.
func TestAdminKey(t *testing.T) {
	t.Parallel()
	const key = "a-key-of-enough-characters"
	p := start(t, nil, []string{"BUSU_STATE_DIR=" + stateDir(t), "BUSU_CONFIG=" + configFile(t, quick), "BUSU_ADMIN_KEY=" + key}, "busu", "up")
	p.post("/complete", `{"prompt": 5}`, http.StatusUnauthorized, nil)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.base+"/complete", strings.NewReader(`{"prompt": "hello"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	answered, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	p.decode(answered, http.StatusOK, nil)
	p.stop()
	if said := p.stdout.String() + p.stderr.String(); strings.Contains(said, key) {
		t.Errorf("the key is shown: %s", said)
	}
}

// Who asks a worker that listens everywhere needs no admin key for it.
func TestHealthNeedsNoKey(t *testing.T) {
	t.Parallel()
	everywhere := strings.Replace(freeAddr(t), "127.0.0.1", "0.0.0.0", 1) // nobody listens there
	for _, env := range [][]string{{"BUSU_ADDR=" + everywhere}, {"BUSU_ADDR=" + everywhere, "DATABASE_URL=postgres://b@pg/b", "REDIS_URL=redis://r:6379"}} {
		p := launch(t, nil, env, "busu", "health")
		if code := p.end(); code != 1 || !strings.Contains(p.stderr.String(), "does it run?") {
			t.Errorf("exit code %d: %s", code, p.stderr.String())
		}
	}
}

// Wrong words on the command line are exit code 2, help is 0.
func TestUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		args []string
		code int
	}{
		{"busu", []string{"--help"}, 0}, {"busu", []string{"up", "--help"}, 0}, {"busu", []string{"demo", "--help"}, 0},
		{"busu", []string{"config", "print", "--help"}, 0}, {"busu", []string{"version"}, 0}, {"busu", []string{"config", "check"}, 0},
		{"busu", []string{"forget", "--help"}, 0}, {"busu", []string{"forget"}, 2}, {"busu", []string{"forget", "--user", ""}, 2},
		{"busu", []string{"forget", "--user", "ann"}, 1},
		{"busu", []string{"nonsense"}, 2}, {"busu", []string{"up", "now"}, 2}, {"busu", []string{"demo", "--requests", "0"}, 2},
		{"api", []string{"--help"}, 0}, {"worker", []string{"-x"}, 2}, {"aggregator", []string{"now"}, 2},
		{"api", nil, 1}, {"busu", []string{"migrate"}, 1}, {"busu", []string{"demo", "--url", "http://127.0.0.1:1"}, 1},
	} {
		p := launch(t, nil, []string{"BUSU_ADDR=" + freeAddr(t), "BUSU_STATE_DIR=" + stateDir(t)}, c.name, c.args...)
		if code := p.end(); code != c.code {
			t.Errorf("%s %s: exit code %d, not %d: %s", c.name, strings.Join(c.args, " "), code, c.code, p.stderr.String())
		}
		if asked := c.code == 0; asked && !strings.Contains(p.stdout.String()+p.stderr.String(), "Example") && strings.Contains(strings.Join(c.args, " "), "help") {
			t.Errorf("%s %s shows no example", c.name, strings.Join(c.args, " "))
		}
	}
}
