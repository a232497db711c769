package chaos

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/busuhq/busu/internal/localstack"
)

// process is one of busu's processes over all its lives.
type process struct {
	name   string
	binary string
	env    []string
	log    string // all lives write to it
	spawn  *spawner
	found  *violations

	mu   sync.Mutex // starts and faults come one at a time
	life atomic.Pointer[life]
}

// life is the time from a start to an end.
type life struct {
	cmd  *exec.Cmd
	addr string
	done chan struct{}
	ours atomic.Bool // its end, when it comes, is our doing

	killed atomic.Bool // and not by asking it to stop
}

// url is where it listens.
func (l *life) url() string {
	if l == nil {
		return ""
	}
	return "http://" + l.addr
}

func (p *process) Name() string { return p.name }

// start begins a life on a port of its own: while a process was dead, its old
// one may have gone to somebody else.
func (p *process) start(context.Context) error {
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(p.log, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	l := &life{cmd: exec.Command(p.binary), addr: addr, done: make(chan struct{})}
	l.cmd.Env = append(p.env[:len(p.env):len(p.env)], "BUSU_ADDR="+addr)
	l.cmd.Stdout, l.cmd.Stderr = out, out
	if err := p.spawn.start(l.cmd); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	p.life.Store(l)
	go p.attend(l)
	return nil
}

// attend waits for the end. One that we did not bring about is a violation,
// and another life begins.
func (p *process) attend(l *life) {
	_ = l.cmd.Wait() // how it ended is in ProcessState
	close(l.done)
	if l.ours.Load() {
		return
	}
	p.found.add("%s ended by itself: %s", p.name, l.cmd.ProcessState)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.life.Load() != l {
		return
	}
	time.Sleep(200 * time.Millisecond) // one that cannot start must not keep us busy
	if err := p.start(context.Background()); err != nil {
		p.found.add("%s", err)
	}
}

// kill ends it as a crash would.
func (p *process) kill() {
	l := p.life.Load()
	if l == nil {
		return
	}
	l.ours.Store(true)
	l.killed.Store(true)
	_ = l.cmd.Process.Kill() // it may be dead
	<-l.done
}

func (p *process) signal(sig syscall.Signal) error {
	if l := p.life.Load(); l != nil {
		return l.cmd.Process.Signal(sig)
	}
	return nil
}

// stopWithin is above the 5 s that each part of a process may take to stop.
const stopWithin = 20 * time.Second

// stop asks it to end, and expects that it does so well: once it listens, which
// is after it has learned what to do with a signal.
func (p *process) stop(ctx context.Context) error {
	l := p.life.Load()
	alive, cancel := context.WithTimeout(ctx, stopWithin)
	defer cancel()
	if err := until(alive, func() bool { return p.answers(alive, "/healthz") }); err != nil {
		return fmt.Errorf("%s is not alive: %w", p.name, err)
	}
	l.ours.Store(true)
	if err := l.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	select {
	case <-l.done:
	case <-time.After(stopWithin):
		_ = l.cmd.Process.Kill()
		<-l.done
		p.found.add("%s did not stop within %s of SIGTERM", p.name, stopWithin)
		return nil
	}
	if code := l.cmd.ProcessState.ExitCode(); code != 0 {
		p.found.add("%s stopped with exit code %d", p.name, code)
	}
	return nil
}

func (p *process) lock()   { p.mu.Lock() }
func (p *process) unlock() { p.mu.Unlock() }

// url is where it listens now.
func (p *process) url() string { return p.life.Load().url() }

func (p *process) ready(ctx context.Context) bool { return p.answers(ctx, "/readyz") }

// answers reports whether a path is well.
func (p *process) answers(ctx context.Context, path string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url()+path, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func freeAddr() (string, error) {
	addr, err := localstack.FreeAddr()
	return addr.String(), err
}
