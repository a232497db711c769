package answers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/busuhq/busu/internal/localstack"
)

// gateway is a process of busu's.
type gateway struct {
	caller
	cmd     *exec.Cmd
	ended   chan struct{}
	log     string
	dir     string
	profile string // where a profile goes; "" where none is wanted

	database, redis string // its stores
}

// settings of a run of the gateway, as lines of busu.yaml.
type settings struct {
	providers, models string
	cache             string
}

// config is a busu.yaml with everything on that there is, and a provider that
// bears whatever is asked of it.
func (s settings) config(u *upstream) string {
	return fmt.Sprintf(`providers:
  - {name: bench, kind: openai, base_url: "http://%s%s", max_concurrency: 4096}
%smodels:
  - {id: small, provider: bench, tier: simple, input_usd_per_mtok: 0.15, output_usd_per_mtok: 0.6}
  - {id: large, provider: bench, tier: complex, input_usd_per_mtok: 2.5, output_usd_per_mtok: 10}
%srouting: {strategy: complexity, baseline_model: large}
%s`, u.addr, answering, s.providers, s.models, s.cache)
}

const (
	startWithin = 2 * time.Minute // the first start makes a database
	stopWithin  = 30 * time.Second
)

// startUp starts busu up on stores of its own.
func (b *bench) startUp(ctx context.Context, u *upstream, s settings) (*gateway, error) {
	return b.start(ctx, u, s, nil, "busu", "up")
}

// startBeside starts an API beside a gateway, on the same stores.
func (b *bench) startBeside(ctx context.Context, u *upstream, s settings, g *gateway) (*gateway, error) {
	return b.start(ctx, u, s, []string{"DATABASE_URL=" + g.database, "REDIS_URL=" + g.redis}, "api")
}

func (b *bench) start(ctx context.Context, u *upstream, s settings, env []string, command ...string) (_ *gateway, err error) {
	dir, err := os.MkdirTemp(b.dir, "state-")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o711); err != nil { // PostgreSQL may run as somebody else, who has to pass
		return nil, err
	}
	file := filepath.Join(dir, "busu.yaml")
	if err := os.WriteFile(file, []byte(s.config(u)), 0o600); err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	g := &gateway{caller: caller{addr: addr}, ended: make(chan struct{}), log: filepath.Join(dir, "log"), dir: dir}
	env = append(env, "BUSU_ADDR="+addr, "BUSU_CONFIG="+file, "BUSU_STATE_DIR="+filepath.Join(dir, "state"), "BUSU_ADMIN_KEY="+benchKey)
	if b.options.Profiles != "" {
		g.profile = filepath.Join(dir, "profile")
		env = append(env, profileTo+"="+g.profile)
	}
	g.cmd = exec.Command(filepath.Join(b.dir, command[0]), command[1:]...)
	g.cmd.Env = append(os.Environ(), env...)
	if err := g.run(ctx); err != nil {
		return nil, errors.Join(err, g.stop())
	}
	return g, nil
}

// run starts the process and waits until it is ready.
func (g *gateway) run(ctx context.Context) error {
	log, err := os.Create(g.log)
	if err != nil {
		return err
	}
	defer log.Close()
	g.cmd.Stdout, g.cmd.Stderr = log, log
	started := make(chan error)
	go func() { // a thread of its own: the kernel ends the process with the thread that started it
		runtime.LockOSThread()
		g.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
		err := g.cmd.Start()
		started <- err
		if err == nil {
			_ = g.cmd.Wait() // how it ended is in its log
		}
		close(g.ended)
	}()
	if err := <-started; err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	for g.status("/readyz") != http.StatusOK {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w", filepath.Base(g.cmd.Path), ctx.Err())
		case <-g.ended:
			said, _ := os.ReadFile(g.log)
			return fmt.Errorf("%s has ended: %.2000s", filepath.Base(g.cmd.Path), said)
		case <-time.After(20 * time.Millisecond):
		}
	}
	said, err := os.ReadFile(g.log)
	g.database, g.redis = string(databaseURL.Find(said)), string(redisURL.Find(said))
	return err
}

// What the welcome says of the stores.
var (
	databaseURL = regexp.MustCompile(`postgres://[^"\s]+`)
	redisURL    = regexp.MustCompile(`redis://[^"\s]+`)
)

func (g *gateway) status(path string) (status int) {
	_ = g.send(request("GET", path, ""), func(r *http.Response) error { status = r.StatusCode; return nil })
	return status
}

// complaint is the end of the log, for words.
func (g *gateway) complaint() error {
	said, err := os.ReadFile(g.log)
	if err != nil {
		return err
	}
	const most = 1000
	return fmt.Errorf("its log ends with: %s", said[max(0, len(said)-most):])
}

// stop ends the process and removes its files.
func (g *gateway) stop() error {
	g.close()
	if g.cmd.Process == nil {
		return os.RemoveAll(g.dir)
	}
	_ = g.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-g.ended:
	case <-time.After(stopWithin):
		_ = g.cmd.Process.Kill()
		<-g.ended
		return fmt.Errorf("%s did not stop within %s", filepath.Base(g.cmd.Path), stopWithin)
	}
	return os.RemoveAll(g.dir)
}

func (g *gateway) pid() int { return g.cmd.Process.Pid }

// metric reads one value of /metrics, labels and all.
func (g *gateway) metric(name string) (value float64, err error) {
	err = g.send(request("GET", "/metrics", ""), func(r *http.Response) error {
		body, err := good(r)
		if err != nil {
			return err
		}
		lines := bufio.NewScanner(strings.NewReader(string(body)))
		for lines.Scan() {
			if text, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
				value, err = strconv.ParseFloat(text, 64)
				return err
			}
		}
		return fmt.Errorf("there is no metric %s", name)
	})
	return value, err
}

func freeAddr() (string, error) {
	addr, err := localstack.FreeAddr()
	return addr.String(), err
}
