package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What all tests talk to.
var stack struct {
	busu, vendor string // base URLs
}

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	v := httptest.NewServer(newVendor())
	defer v.Close()
	stack.vendor = v.URL
	stop, err := startBusu(v.URL)
	if err != nil {
		return 1, err
	}
	document, err := readContract(stack.busu)
	if err != nil {
		return 1, errors.Join(err, stop())
	}
	between, err := newTee(strings.TrimPrefix(stack.busu, "http://"))
	if err != nil {
		return 1, errors.Join(err, stop())
	}
	stack.busu = "http://" + between.Addr().String()
	code = m.Run()
	return code, errors.Join(document.judge(between.end()), stop())
}

const configuration = `
providers:
  - {name: simulated, kind: simulated, speed: 0}
  - {name: vendor, kind: openai, base_url: "%[1]s/v1", retries: 0}
  - {name: claude, kind: anthropic, base_url: "%[1]s", api_key_env: CLAUDE_KEY, retries: 0}
models:
  - {id: small, provider: simulated, upstream: small, tier: simple, input_usd_per_mtok: 0.15, output_usd_per_mtok: 0.6}
  - {id: medium, provider: simulated, upstream: medium, tier: moderate, input_usd_per_mtok: 0.8, output_usd_per_mtok: 4}
  - {id: large, provider: simulated, upstream: large, tier: complex, input_usd_per_mtok: 3, output_usd_per_mtok: 15}
  - {id: embedding, provider: simulated, upstream: embedding, purpose: embedding, input_usd_per_mtok: 0.02, output_usd_per_mtok: 0}
  - {id: mirror, provider: vendor, upstream: mirror-upstream, tier: complex, input_usd_per_mtok: 90, output_usd_per_mtok: 90}
  - {id: refuses, provider: vendor, upstream: refuses, tier: complex, input_usd_per_mtok: 90, output_usd_per_mtok: 90}
  - {id: flaky, provider: vendor, upstream: flaky, tier: complex, input_usd_per_mtok: 90, output_usd_per_mtok: 90}
  - {id: breaks, provider: vendor, upstream: breaks, tier: complex, input_usd_per_mtok: 90, output_usd_per_mtok: 90}
  - {id: endless, provider: vendor, upstream: endless, tier: complex, input_usd_per_mtok: 90, output_usd_per_mtok: 90}
  - {id: claude-flaky, provider: claude, upstream: claude-flaky, tier: complex, input_usd_per_mtok: 90, output_usd_per_mtok: 90}
  - {id: claude-endless, provider: claude, upstream: claude-endless, tier: complex, input_usd_per_mtok: 90, output_usd_per_mtok: 90}
routing: {strategy: complexity, baseline_model: large} # what is learned may choose a model that misbehaves
`

// startBusu builds busu and runs it as a newcomer would, with stores of its
// own.
func startBusu(vendorURL string) (stop func() error, err error) {
	dir, err := os.MkdirTemp("", "busu-e2e-")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL runs as another user where we are root
		return nil, err
	}
	binary := filepath.Join(dir, "busu")
	build := exec.Command("go", "build", "-o", binary, "./cmd/busu")
	build.Dir, build.Stdout, build.Stderr = "..", os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("build busu: %w", err)
	}
	config := filepath.Join(dir, "busu.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, configuration, vendorURL), 0o600); err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "busu.log"))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(binary, "up")
	cmd.Env = append(os.Environ(), "BUSU_ADDR="+addr, "BUSU_CONFIG="+config, "BUSU_STATE_DIR="+filepath.Join(dir, "state"), "CLAUDE_KEY=unused-key",
		"DATABASE_URL=", "REDIS_URL=")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stack.busu = "http://" + addr
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if err := ready(ended); err != nil {
		text, _ := os.ReadFile(log.Name())
		_ = cmd.Process.Kill()
		return nil, fmt.Errorf("%w; its log:\n%s", err, text)
	}
	return func() error {
		err := errors.Join(cmd.Process.Signal(syscall.SIGTERM), <-ended, log.Close())
		return errors.Join(err, os.RemoveAll(dir))
	}, nil
}

// freeAddr is below the ports that the system gives out by itself, so that the
// address stays free until busu listens there.
func freeAddr() (string, error) {
	var err error
	for range 100 {
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(10_000))); err == nil {
			return l.Addr().String(), l.Close()
		}
	}
	return "", err
}

func ready(ended <-chan error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	for {
		r, err := http.Get(stack.busu + "/readyz")
		if err == nil {
			_ = r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case err := <-ended:
			return fmt.Errorf("busu ended before it was ready: %w", err)
		case <-ctx.Done():
			return errors.New("busu was not ready in time")
		case <-time.After(50 * time.Millisecond):
		}
	}
}
