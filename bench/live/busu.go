package live

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

	"github.com/busuhq/busu/bench/measure"
	"github.com/busuhq/busu/internal/localstack"
)

// process is busu up, on stores of its own.
type process struct {
	addr, base string
	cmd        *exec.Cmd
	ended      chan struct{}
}

// models are as many as a large installation has, all of them answering at once.
func models() string {
	var text strings.Builder
	text.WriteString("providers: [{name: simulated, kind: simulated, speed: 0}]\nmodels:\n")
	for i := range 12 {
		tier := []string{"simple", "moderate", "complex"}[i%3]
		fmt.Fprintf(&text, "  - {id: model-%02d, provider: simulated, upstream: %s, tier: %s, input_usd_per_mtok: %d.%d, output_usd_per_mtok: %d.%d}\n",
			i, []string{"small", "medium", "large"}[i%3], tier, i%3, i+1, i%3*4, i+1)
	}
	return text.String()
}

// start builds busu and waits until it is ready.
func start(ctx context.Context, dir string) (*process, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/busuhq/busu").Output()
	if err != nil {
		return nil, fmt.Errorf("find the module: %w", err)
	}
	binary, config := filepath.Join(dir, "busu"), filepath.Join(dir, "busu.yaml")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", binary, "./cmd/busu")
	build.Dir, build.Env = strings.TrimSpace(string(out)), append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build busu: %w\n%s", err, out)
	}
	if err := os.WriteFile(config, []byte(models()), 0o644); err != nil {
		return nil, err
	}
	addr, err := localstack.FreeAddr()
	if err != nil {
		return nil, err
	}
	p := &process{addr: addr.String(), base: "http://" + addr.String(), ended: make(chan struct{})}
	p.cmd = exec.Command(binary, "up")
	p.cmd.Env = append(os.Environ(), "BUSU_ADDR="+p.addr, "BUSU_CONFIG="+config, "BUSU_STATE_DIR="+filepath.Join(dir, "state"))
	return p, p.run(ctx, filepath.Join(dir, "busu.log"))
}

func (p *process) run(ctx context.Context, file string) error {
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
		if r, err := http.Get(p.base + "/readyz"); err == nil {
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

// usage is the processor time of busu and its stores.
func (p *process) usage() time.Duration {
	return measure.FamilyUsage(p.cmd.Process.Pid, measure.Children())
}

// memory is what busu itself takes.
func (p *process) memory() int64 { return measure.Resident(p.cmd.Process.Pid) }

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.ended:
	case <-time.After(30 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}
