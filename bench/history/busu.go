package history

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

// Process is busu on a database.
type Process struct {
	Base  string // URL
	cmd   *exec.Cmd
	ended chan struct{}
}

// Start builds busu in a directory and waits until it is ready.
func Start(ctx context.Context, dir, databaseURL string) (*Process, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/busuhq/busu").Output()
	if err != nil {
		return nil, fmt.Errorf("find the module: %w", err)
	}
	binary := filepath.Join(dir, "busu")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", binary, "./cmd/busu")
	build.Dir, build.Env = strings.TrimSpace(string(out)), append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build busu: %w\n%s", err, out)
	}
	addr, err := localstack.FreeAddr()
	if err != nil {
		return nil, err
	}
	p := &Process{Base: "http://" + addr.String(), ended: make(chan struct{})}
	p.cmd = exec.Command(binary, "up")
	p.cmd.Env = append(os.Environ(), "BUSU_ADDR="+addr.String(), "DATABASE_URL="+databaseURL, "BUSU_STATE_DIR="+filepath.Join(dir, "state"))
	return p, p.run(ctx, filepath.Join(dir, "busu.log"))
}

func (p *Process) run(ctx context.Context, file string) error {
	log, err := os.Create(file)
	if err != nil {
		return err
	}
	defer log.Close()
	p.cmd.Stdout, p.cmd.Stderr = log, log
	started := make(chan error)
	go func() { // a thread of its own: the kernel ends the process with the thread that started it
		runtime.LockOSThread()
		p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // how it ended is in its log
		}
		close(p.ended)
	}()
	if err := <-started; err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
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
			return fmt.Errorf("busu is not ready: %w", ctx.Err())
		case <-p.ended:
			said, _ := os.ReadFile(file)
			return fmt.Errorf("busu has ended: %.2000s", said)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Stop ends it.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.ended:
	case <-time.After(30 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}
