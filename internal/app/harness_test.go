package app_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/storetest"
)

// The end-to-end tests start the real binaries, built once per run.
var binaries string

func TestMain(m *testing.M) {
	redisdb.Quiet()
	dir, err := os.MkdirTemp("", "busu-e2e-")
	if err == nil {
		binaries = dir
		err = os.Chmod(dir, 0o755) // for the tests that run as nobody
	}
	if err == nil {
		build := exec.Command("go", "build", "-o", dir+"/", "../../cmd/...")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		build.Stderr = os.Stderr
		err = build.Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cannot build the binaries:", err)
		os.Exit(1)
	}
	defer os.RemoveAll(dir)
	storetest.Main(m)
}

// quick is a configuration whose models answer at once.
const quick = `
providers: [{name: simulated, kind: simulated, speed: 0}]
models:
  - {id: small, provider: simulated, upstream: small, tier: simple, input_usd_per_mtok: 0.15, output_usd_per_mtok: 0.60}
  - {id: medium, provider: simulated, upstream: medium, tier: moderate, input_usd_per_mtok: 0.80, output_usd_per_mtok: 4.00}
  - {id: large, provider: simulated, upstream: large, tier: complex, input_usd_per_mtok: 3.00, output_usd_per_mtok: 15.00}
`

// slow is one whose models take as long as real ones, twentyfold.
var slow = strings.Replace(quick, "speed: 0", "speed: 0.05", 1)

// process is one of the binaries, running.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	base   string // of its HTTP interface
	ended  chan error
	stdout output
	stderr output
}

// output collects what a process writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// stateDir is a directory for a process's state that anybody can reach.
func stateDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "busu-state-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // stores of a process that was killed end a moment after it, and write until then
		err := os.RemoveAll(dir)
		for deadline := time.Now().Add(10 * time.Second); err != nil && time.Now().Before(deadline); err = os.RemoveAll(dir) {
			time.Sleep(10 * time.Millisecond)
		}
		if err != nil {
			t.Error(err)
		}
	})
	return dir
}

// configFile writes a configuration that anybody can read.
func configFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(stateDir(t), "busu.yaml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// program is one of the binaries, or, by its path, another.
func program(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(binaries, name)
}

// launch starts a binary without waiting for it. The environment holds
// nothing of the test's own but what programs need to find each other.
func launch(t *testing.T, as *syscall.Credential, env []string, name string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(program(name), args...), ended: make(chan error, 1)}
	p.cmd.Dir = "/"
	p.cmd.Env = append(env, "PATH="+os.Getenv("PATH"), "HOME="+os.Getenv("HOME"), "XDG_CACHE_HOME="+os.Getenv("XDG_CACHE_HOME"))
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: as}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.cmd.Wait() }()
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Process.Kill()
		}
		if t.Failed() {
			t.Logf("%s said:\n%s%s", name, p.stdout.String(), p.stderr.String())
		}
	})
	return p
}

// start starts a binary on a free port and waits until it is ready.
func start(t *testing.T, as *syscall.Credential, env []string, name string, args ...string) *process {
	t.Helper()
	addr := freeAddr(t)
	p := launch(t, as, append(env, "BUSU_ADDR="+addr, "BUSU_LOG_FORMAT=json"), name, args...)
	p.base = "http://" + addr
	p.until("it is ready", func() bool { return p.status("/readyz") == http.StatusOK })
	return p
}

// until polls until a condition holds, and fails the test when the process
// ends before or it takes too long.
func (p *process) until(what string, holds func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-p.ended:
			p.t.Fatalf("it ended before %s: %v\n%s", what, err, p.stderr.String())
		default:
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("in a minute it did not come to pass that %s", what)
		}
	}
}

// end waits for the process and returns its exit code.
func (p *process) end() int {
	p.t.Helper()
	select {
	case err := <-p.ended:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			p.t.Fatal(err)
		}
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(30 * time.Second):
		p.t.Fatal("it does not end")
		return -1
	}
}

// stop interrupts the process, checks that it ended well, and returns how long
// that took.
func (p *process) stop() time.Duration {
	p.t.Helper()
	began := time.Now()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		p.t.Fatal(err)
	}
	if code := p.end(); code != 0 {
		p.t.Errorf("it ended with %d", code)
	}
	took := time.Since(began)
	p.noErrors()
	return took
}

// noErrors checks that nothing was logged at level error.
func (p *process) noErrors() {
	p.t.Helper()
	lines := bufio.NewScanner(strings.NewReader(p.stderr.String()))
	for lines.Scan() {
		var line struct{ Level, Msg string }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			p.t.Errorf("a line of the log is not JSON: %s", lines.Text())
		}
		if line.Level == "ERROR" {
			p.t.Errorf("the log has an error: %s", lines.Text())
		}
	}
}

func (p *process) status(path string) int {
	r, err := http.Get(p.base + path)
	if err != nil {
		return 0
	}
	defer r.Body.Close()
	return r.StatusCode
}

// get reads a JSON answer.
func (p *process) get(path string, into any) {
	p.t.Helper()
	r, err := http.Get(p.base + path)
	if err != nil {
		p.t.Fatal(err)
	}
	p.decode(r, http.StatusOK, into)
}

// post sends JSON and reads the answer.
func (p *process) post(path, body string, status int, into any) {
	p.t.Helper()
	r, err := http.Post(p.base+path, "application/json", strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	p.decode(r, status, into)
}

func (p *process) decode(r *http.Response, status int, into any) {
	p.t.Helper()
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	if r.StatusCode != status {
		p.t.Fatalf("%s: status %d, not %d: %s", r.Request.URL, r.StatusCode, status, body)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(body, into); err != nil {
		p.t.Fatalf("%s: %v: %s", r.Request.URL, err, body)
	}
}

// processesOf lists the processes whose command line names dir.
func processesOf(t *testing.T, dir string) []string {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range lines {
		if line, err := os.ReadFile(file); err == nil && bytes.Contains(line, []byte(dir)) {
			found = append(found, string(bytes.ReplaceAll(line, []byte{0}, []byte{' '})))
		}
	}
	return found
}

// gone waits until no process names dir any more.
func gone(ctx context.Context, t *testing.T, dir string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for left := processesOf(t, dir); len(left) > 0; left = processesOf(t, dir) {
		select {
		case <-ctx.Done():
			t.Fatalf("processes are left behind: %q", left)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
