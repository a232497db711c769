package localstack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// How long a server has to end after each signal of its farewell, together
// well under a second. What follows the polite one loses no data: PostgreSQL
// and Redis both recover from their logs.
const (
	politeGrace = 600 * time.Millisecond
	forcedGrace = 150 * time.Millisecond
	killGrace   = 2 * time.Second // only a stuck disk makes SIGKILL wait
)

// Server is one child process, and what it takes to start it again.
type Server struct {
	Name    string // "postgres" or "redis"
	LogPath string // what it printed

	command  func() *exec.Cmd            // a fresh one for every start
	prepare  func(context.Context) error // ends what a killed predecessor left
	ask      func(context.Context) error // nil once the server serves
	farewell []syscall.Signal            // politest first; SIGKILL is implied
	launcher *launcher
	log      *slog.Logger

	mu       sync.Mutex
	proc     *process
	guardEnd context.CancelFunc // ends guard; nil without one
	guarded  chan struct{}      // closed when guard has ended
}

// process is one life of a server.
type process struct {
	cmd     *exec.Cmd
	started time.Time
	done    chan struct{} // closed when it has ended
}

// Start starts the server and waits until it serves. When it cannot, the
// error quotes the end of its log.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil && s.proc.running() {
		return fmt.Errorf("%s is already running", s.Name)
	}
	if err := s.prepare(ctx); err != nil {
		return err
	}
	out, err := openLog(s.LogPath)
	if err != nil {
		return err
	}
	defer out.Close()
	from := fileSize(out)
	p, err := s.launch(out)
	if err != nil {
		return err
	}
	s.proc = p
	if err := s.await(ctx, p); err != nil {
		p.signal(syscall.SIGKILL)
		<-p.done
		return fmt.Errorf("%s did not start: %w%s", s.Name, err, tail(s.LogPath, from))
	}
	return nil
}

// startOnPort starts the server on the preferred port, or on another when it
// is taken: also when that happens between choosing it and using it.
func (s *Server) startOnPort(ctx context.Context, preferred int, configure func(port int) error) (int, error) {
	// A predecessor may still hold the preferred one.
	if err := s.prepare(ctx); err != nil {
		return 0, err
	}
	for try := 1; ; try++ {
		port, err := choosePort(preferred)
		if err != nil {
			return 0, err
		}
		if err := configure(port); err != nil {
			return 0, err
		}
		err = s.Start(ctx)
		if err == nil || try == 3 || ctx.Err() != nil || !portTaken(port) {
			return port, err
		}
		preferred = 0
	}
}

func (s *Server) launch(out *os.File) (*process, error) {
	cmd := s.command()
	cmd.Stdout, cmd.Stderr = out, out
	if err := s.launcher.start(cmd); err != nil {
		return nil, fmt.Errorf("%s did not start: %w", s.Name, err)
	}
	p := &process{cmd: cmd, started: time.Now(), done: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended is in ProcessState
		close(p.done)
	}()
	return p, nil
}

// await returns when the server answers, ends, or has had its time.
func (s *Server) await(ctx context.Context, p *process) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, errors.New("it does not answer"))
	defer cancel()
	for {
		if s.ask(ctx) == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("it ended with %v", p.cmd.ProcessState)
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (s *Server) process() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc
}

// Close ends the server for good: politely first, then by force.
func (s *Server) Close(ctx context.Context) error {
	if s.guardEnd != nil {
		s.guardEnd()
		<-s.guarded
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return nil
	}
	grace := politeGrace
	for _, sig := range s.farewell {
		if s.proc.endsAfter(ctx, sig, grace) {
			return nil
		}
		s.log.Warn(s.Name+" is slow to end", "signal", sig.String(), "grace", grace)
		grace = forcedGrace
	}
	if s.proc.endsAfter(context.WithoutCancel(ctx), syscall.SIGKILL, killGrace) {
		return nil
	}
	pid := s.proc.pid()
	return fmt.Errorf("%s (process %d) does not end; look at it with: ps -p %d", s.Name, pid, pid)
}

// Pid is the process id of the running or last child.
func (s *Server) Pid() int { return s.process().pid() }

// Signal sends sig to the server and every process it has started: with
// SIGSTOP the whole server hangs, with SIGKILL it dies as in a crash.
func (s *Server) Signal(sig syscall.Signal) error {
	p := s.process()
	if !p.running() {
		return fmt.Errorf("%s is not running", s.Name)
	}
	p.signal(sig)
	if sig == syscall.SIGKILL {
		<-p.done
	}
	return nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// signal reaches the parent first: a parent that saw its children die first
// would start recovering from their crash.
func (p *process) signal(sig syscall.Signal) {
	family := append([]int{p.pid()}, children(p.pid())...)
	for _, pid := range family {
		_ = syscall.Kill(pid, sig) // one that has just ended needs no signal
	}
}

// endsAfter signals the server's first process and reports whether it ends
// in time. SIGKILL reaches all of them.
func (p *process) endsAfter(ctx context.Context, sig syscall.Signal, grace time.Duration) bool {
	if !p.running() {
		return true
	}
	if sig == syscall.SIGKILL {
		p.signal(sig)
	} else {
		_ = syscall.Kill(p.pid(), sig)
	}
	select {
	case <-p.done:
		return true
	case <-ctx.Done():
		return false
	case <-time.After(grace):
		return false
	}
}

// runOnce runs a program to its end.
func (s *Server) runOnce(ctx context.Context) error {
	out, err := openLog(s.LogPath)
	if err != nil {
		return err
	}
	defer out.Close()
	from := fileSize(out)
	p, err := s.launch(out)
	if err != nil {
		return err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		p.signal(syscall.SIGKILL)
		<-p.done
		return context.Cause(ctx)
	}
	if !p.cmd.ProcessState.Success() {
		return fmt.Errorf("%s failed with %v%s", s.Name, p.cmd.ProcessState, tail(s.LogPath, from))
	}
	return nil
}
