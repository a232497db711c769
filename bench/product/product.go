// Package product runs the product's own binaries, for benchmarks that measure
// them from outside.
package product

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/busuhq/busu/internal/localstack"
)

const (
	startWithin = 2 * time.Minute // the first start makes a database
	stopWithin  = 30 * time.Second
	lookEvery   = 2 * time.Millisecond // fine enough for how long a start takes
)

// Process is one of them that runs.
type Process struct {
	Base  string // URL
	cmd   *exec.Cmd
	log   string
	ended chan struct{}
}

// Root is the folder of the product's source.
func Root(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/busuhq/busu").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Up builds busu in a directory, and starts busu up with more of an environment.
func Up(ctx context.Context, dir string, env ...string) (*Process, error) {
	if err := Build(ctx, dir, false, "busu"); err != nil {
		return nil, err
	}
	addr, err := localstack.FreeAddr()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(dir, "busu"), "up")
	cmd.Env = append(os.Environ(), append(env, "BUSU_ADDR="+addr.String(), "BUSU_STATE_DIR="+filepath.Join(dir, "state"))...)
	return Start(ctx, cmd, "http://"+addr.String(), filepath.Join(dir, "busu.log"))
}

// Start starts a command that serves at a base URL, and waits until it is ready.
// What it says goes into a file. When it fails nothing runs.
func Start(ctx context.Context, cmd *exec.Cmd, base, log string) (*Process, error) {
	file, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	p := &Process{Base: base, cmd: cmd, log: log, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = file, file
	started := make(chan error)
	go func() { // a thread of its own: the kernel ends the process with the thread that started it
		runtime.LockOSThread()
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in its log
		}
		close(p.ended)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	if err := p.ready(ctx); err != nil {
		_ = p.Stop() // what kept it from being ready says more
		return nil, err
	}
	return p, nil
}

func (p *Process) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	for {
		if r, err := http.Get(p.Base + "/readyz"); err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w", p.Name(), ctx.Err())
		case <-p.ended:
			said, _ := p.Said()
			return fmt.Errorf("%s has ended: %.2000s", p.Name(), said)
		case <-time.After(lookEvery):
		}
	}
}

// Name is that of its command.
func (p *Process) Name() string { return filepath.Base(p.cmd.Path) }

// Said is what it has written.
func (p *Process) Said() ([]byte, error) { return os.ReadFile(p.log) }

// PID is its number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends it a signal.
func (p *Process) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// Stop ends it. One that has ended stays so.
func (p *Process) Stop() error {
	_ = p.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		return nil
	case <-time.After(stopWithin):
		_ = p.cmd.Process.Kill()
		<-p.ended
		return fmt.Errorf("%s did not stop within %s", p.Name(), stopWithin)
	}
}
