package localstack

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestDataSurvivesStopAndStart(t *testing.T) {
	t.Parallel()
	o := Options{Dir: filepath.Join(openDir(t), "state"), Postgres: true, Redis: true}
	began := time.Now()
	first := start(t, o)
	t.Logf("fresh start: %v", time.Since(began))
	put(t, first.DatabaseURL, first.RedisURL)

	began = time.Now()
	stop(t, first)
	stopped := time.Since(began)
	t.Logf("stop: %v", stopped)
	if stopped > time.Second {
		t.Errorf("stopping took %v", stopped)
	}
	if err := gone(o.Dir); err != nil {
		t.Error(err)
	}

	began = time.Now()
	second := start(t, o)
	t.Logf("warm start: %v", time.Since(began))
	if err := marked(t.Context(), second.DatabaseURL, second.RedisURL); err != nil {
		t.Error(err)
	}
}

func TestEnvHoldsTheAddresses(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	s := start(t, Options{Dir: dir, Postgres: true, Redis: true, Ephemeral: true})
	out, err := exec.Command("sh", "-c", `. "$0" && exec sh -c 'printf "%s %s" "$DATABASE_URL" "$REDIS_URL"'`, filepath.Join(dir, "env")).Output()
	if want := s.DatabaseURL + " " + s.RedisURL; err != nil || string(out) != want {
		t.Errorf("got %q, %v; want %q", out, err, want)
	}
}

func TestServersAskForThePassword(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Dir: openDir(t), Postgres: true, Redis: true, Ephemeral: true})
	for _, password := range []string{"", "wrong"} {
		if connect(t.Context(), postgresURL(s.port(t, s.DatabaseURL), password, pgName), "SELECT 1") == nil {
			t.Errorf("PostgreSQL lets %q in", password)
		}
		if askRedis(address(s.port(t, s.RedisURL)), password)(t.Context()) == nil {
			t.Errorf("Redis lets %q in", password)
		}
	}
}

func (s *Stack) port(t *testing.T, url string) int {
	t.Helper()
	_, rest, _ := strings.Cut(url, "127.0.0.1:")
	v, err := parseVersion(rest)
	if err != nil {
		t.Fatal(err)
	}
	return v.major
}

func TestSecondStartIsRefused(t *testing.T) {
	t.Parallel()
	o := Options{Dir: openDir(t)}
	s := start(t, o)
	_, err := Start(t.Context(), o)
	if err == nil {
		t.Fatal("two stacks in one directory")
	}
	if pid := lockHolder(t, o.Dir); pid != os.Getpid() {
		t.Errorf("the lock names process %d, not this one", pid)
	}
	for _, want := range []string{"in use by process ", "kill ", "BUSU_STATE_DIR", o.Dir} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %v", err)
	}
	stop(t, s)
	start(t, o)
}

func TestDirectoriesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "missing", "state"): "its parent does not exist; create " + filepath.Join(dir, "missing"),
		file:                                   "it is not a directory",
		filepath.Join(file, "state"):           "not a directory",
		"/proc/state":                          "cannot be",
	} {
		_, err := Start(t.Context(), Options{Dir: path, Redis: true})
		if err == nil {
			t.Fatalf("%s can be used", path)
		}
		if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "BUSU_STATE_DIR") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestTakenPortIsLeftAlone(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	preferred := taken.Addr().(*net.TCPAddr).Port
	port, err := choosePort(preferred)
	if err != nil || port == preferred || port == 0 {
		t.Errorf("port %d, %v", port, err)
	}
}

func TestCrashedServersAreStartedAgain(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Dir: openDir(t), Postgres: true, Redis: true})
	put(t, s.DatabaseURL, s.RedisURL)
	for _, server := range []*Server{s.Postgres, s.Redis, s.Redis} {
		before := server.Pid()
		if err := server.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() error {
			if server.Pid() == before {
				return errors.New(server.Name + " is not started again")
			}
			return marked(t.Context(), s.DatabaseURL, s.RedisURL)
		})
	}
}

func TestHangingServersAreStopped(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	s := start(t, Options{Dir: dir, Postgres: true, Redis: true})
	for _, server := range []*Server{s.Postgres, s.Redis} {
		if err := server.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	stop(t, s)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("stopping took %v", took)
	}
	eventually(t, func() error { return gone(dir) })
}

func TestStopIsQuickWhileConnectionsWork(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Dir: openDir(t), Postgres: true})
	conn := mustConnect(t, s.DatabaseURL)
	ended := make(chan error, 1)
	go func() {
		_, err := conn.Exec(context.WithoutCancel(t.Context()), "SELECT pg_sleep(60)")
		ended <- err
	}()
	eventually(t, func() error {
		return connect(t.Context(), s.DatabaseURL, "SELECT 1 / count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
	})
	began := time.Now()
	stop(t, s)
	if took := time.Since(began); took > time.Second {
		t.Errorf("stopping took %v", took)
	}
	if err := <-ended; err == nil {
		t.Error("the query ended as if nothing had happened")
	}
}

func TestCancelledStartLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	for _, after := range []time.Duration{0, 50 * time.Millisecond, 300 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		s, err := Start(ctx, Options{Dir: dir, Tools: testTools(t), Postgres: true, Redis: true, Ephemeral: true})
		cancel()
		if err == nil {
			stop(t, s)
		} else if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %v: %v", after, err)
		}
		eventually(t, func() error { return gone(dir) })
	}
	start(t, Options{Dir: dir, Postgres: true, Redis: true})
}

func TestFailedStartQuotesTheLog(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	o := Options{Dir: dir, Postgres: true}
	stop(t, start(t, o))
	controls, err := filepath.Glob(filepath.Join(dir, "pg*/global/pg_control"))
	if err != nil || len(controls) != 1 {
		t.Fatalf("%v, %v", controls, err)
	}
	if err := os.Remove(controls[0]); err != nil {
		t.Fatal(err)
	}
	o.Tools = testTools(t)
	if _, err = Start(t.Context(), o); err == nil {
		t.Fatal("it started without pg_control")
	}
	for _, want := range []string{"postgres did not start", "pg_control", "postgres.log"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

func TestStartWithoutStoresOnlyLocks(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Dir: openDir(t)})
	if s.DatabaseURL != "" || s.RedisURL != "" || s.Postgres != nil || s.Redis != nil {
		t.Errorf("%+v", s)
	}
}
