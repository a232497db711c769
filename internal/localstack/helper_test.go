package localstack

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
)

// superviseVariable makes this test program a supervisor of the stack in the
// directory that it names: one that tests can kill.
const superviseVariable = "LOCALSTACK_TEST_SUPERVISE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(superviseVariable); dir != "" {
		os.Exit(supervise(dir))
	}
	os.Exit(m.Run())
}

// supervised is what a supervisor prints once its stack runs.
type supervised struct {
	DatabaseURL, RedisURL string
	Postgres, Redis       int // process ids
	Notes                 []string
}

// supervise runs a stack until its standard input ends.
func supervise(dir string) int {
	s, err := Start(context.Background(), Options{Dir: dir, Tools: os.Getenv("LOCALSTACK_TEST_TOOLS"), Postgres: true, Redis: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	out := supervised{s.DatabaseURL, s.RedisURL, s.Postgres.Pid(), 0, s.Notes}
	if !s.RedisInProcess {
		out.Redis = s.Redis.Pid()
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		return 1
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := s.Stop(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// supervisor starts one in a process of its own; wrap may change how.
func supervisor(t *testing.T, dir string, wrap func(*exec.Cmd)) (*exec.Cmd, io.Closer, supervised) {
	t.Helper()
	cmd := exec.Command(testProgram(t))
	cmd.Env = append(os.Environ(), superviseVariable+"="+dir, "LOCALSTACK_TEST_TOOLS="+testTools(t))
	cmd.Dir = "/"
	stderr := new(strings.Builder)
	cmd.Stderr = stderr
	if wrap != nil {
		wrap(cmd)
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); _ = cmd.Wait() })
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		stdin.Close()
		_ = cmd.Wait()
		t.Fatalf("the supervisor said %q: %v", stderr, err)
	}
	var s supervised
	if err := json.Unmarshal(line, &s); err != nil {
		t.Fatalf("the supervisor printed %q: %v", line, err)
	}
	return cmd, stdin, s
}

// testProgram is a copy of this test program where any user can run it.
func testProgram(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(openDir(t), "supervisor.test")
	// By another process: a file that this one writes cannot be executed while
	// any child it starts meanwhile still holds it open.
	if out, err := exec.Command("cp", self, path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// testTools is where these tests keep what they fetch.
func testTools(t *testing.T) string {
	t.Helper()
	dir, err := CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// openDir is a temporary directory whose parents every user can pass, which
// t.TempDir is not.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "localstack-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// start starts a stack as `busu up` does, and stops it with the test.
func start(t *testing.T, o Options) *Stack {
	t.Helper()
	o.Tools = testTools(t)
	o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t *testing.T, s *Stack) {
	t.Helper()
	if err := s.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

// put leaves a mark in both stores, and marked looks for it.
func put(t *testing.T, databaseURL, redisURL string) {
	t.Helper()
	if err := exchange(t.Context(), databaseURL, redisURL, "CREATE TABLE mark AS SELECT 42 AS i", func(ctx context.Context, r *redis.Client) error {
		return r.Set(ctx, "mark", "42", 0).Err()
	}); err != nil {
		t.Fatal(err)
	}
}

func marked(ctx context.Context, databaseURL, redisURL string) error {
	return exchange(ctx, databaseURL, redisURL, "SELECT 1 / (42 / i) FROM mark", func(ctx context.Context, r *redis.Client) error {
		if got, err := r.Get(ctx, "mark").Result(); got != "42" {
			return fmt.Errorf("redis has %q, %w", got, err)
		}
		return nil
	})
}

func exchange(ctx context.Context, databaseURL, redisURL, statement string, do func(context.Context, *redis.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	options, err := redis.ParseURL(redisURL)
	if err != nil {
		return err
	}
	options.MaxRetries = -1
	client := redis.NewClient(options)
	defer client.Close()
	return errors.Join(connect(ctx, databaseURL, statement), do(ctx, client))
}

// eventually polls until check is nil, for at most 20 seconds.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// gone is nil when none of the stores works beneath dir any more.
func gone(dir string) error {
	dirs, _ := filepath.Glob(filepath.Join(dir, "pg*"))
	for _, d := range append(dirs, filepath.Join(dir, "redis")) {
		if pids := leftovers(d, "postmaster.pid", "postgres", "redis-server", "valkey-server", "initdb"); len(pids) > 0 {
			return fmt.Errorf("process %d still works in %s", pids[0], d)
		}
	}
	return nil
}

func lockHolder(t *testing.T, dir string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func mustConnect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}
