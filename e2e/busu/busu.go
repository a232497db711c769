// Package busu runs busu as a newcomer would: the real binary, with stores of
// its own, in a directory of its own. Tests talk to it from outside, freeze its
// stores, kill it and start it again.
package busu

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const patience = 2 * time.Minute // for a start, which may fetch the stores

// Options say how busu runs.
type Options struct {
	Root   string   // of the repository
	Config string   // what busu.yaml says
	Env    []string // beyond that of this process
}

// Busu is one `busu up`. Its address stays over a restart.
type Busu struct {
	URL string

	dir   string
	addr  string
	env   []string
	log   *os.File
	cmd   *exec.Cmd
	ended chan error // of cmd
}

// Start builds busu, starts it and returns when it is ready.
func Start(ctx context.Context, o Options) (*Busu, error) {
	dir, err := os.MkdirTemp("", "busu-up-")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL runs as another user where we are root
		return nil, err
	}
	b := &Busu{dir: dir}
	if err := b.prepare(ctx, o); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := b.Restart(ctx); err != nil {
		return nil, errors.Join(err, b.log.Close(), os.RemoveAll(dir))
	}
	return b, nil
}

func (b *Busu) prepare(ctx context.Context, o Options) error {
	build := exec.CommandContext(ctx, "go", "build", "-o", b.path("busu"), "./cmd/busu")
	build.Dir, build.Stdout, build.Stderr = o.Root, os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build busu: %w", err)
	}
	if err := os.WriteFile(b.path("busu.yaml"), []byte(o.Config), 0o600); err != nil {
		return err
	}
	var err error
	if b.addr, err = freeAddr(); err != nil {
		return err
	}
	b.URL = "http://" + b.addr
	b.env = append(append(os.Environ(), "BUSU_ADDR="+b.addr, "BUSU_CONFIG="+b.path("busu.yaml"), "BUSU_STATE_DIR="+b.path("state"),
		"DATABASE_URL=", "REDIS_URL="), o.Env...)
	b.log, err = os.Create(b.path("busu.log"))
	return err
}

func (b *Busu) path(name string) string { return filepath.Join(b.dir, name) }

// Restart starts busu, which is not running, on the state that it left.
func (b *Busu) Restart(ctx context.Context) error {
	cmd, ended := exec.Command(b.path("busu"), "up"), make(chan error, 1)
	cmd.Env, cmd.Stdout, cmd.Stderr = b.env, b.log, b.log
	if err := cmd.Start(); err != nil {
		return err
	}
	b.cmd, b.ended = cmd, ended
	go func() { ended <- cmd.Wait() }()
	if err := b.Ready(ctx); err != nil {
		text, _ := os.ReadFile(b.log.Name())
		return errors.Join(fmt.Errorf("%w; its log:\n%s", err, text), b.Kill())
	}
	return nil
}

// Ready returns when busu and its stores can be used.
func (b *Busu) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		r, err := http.Get(b.URL + "/readyz")
		if err == nil {
			_ = r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case err := <-b.ended:
			b.ended <- err
			return fmt.Errorf("busu ended before it was ready: %w", err)
		case <-ctx.Done():
			return errors.New("busu was not ready in time")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Kill ends busu as a crash would. Its stores die with it; its state stays.
func (b *Busu) Kill() error {
	err := b.cmd.Process.Kill()
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	b.ended <- <-b.ended
	return err
}

// Stop ends busu politely and removes its state. The error quotes the log of
// one that had ended by itself.
func (b *Busu) Stop() error {
	err := b.cmd.Process.Signal(syscall.SIGTERM)
	if errors.Is(err, os.ErrProcessDone) {
		text, _ := os.ReadFile(b.log.Name())
		err = fmt.Errorf("busu had ended by itself; the end of its log:\n%s", text[max(0, len(text)-4000):])
	}
	err = errors.Join(err, <-b.ended, b.log.Close())
	return errors.Join(err, os.RemoveAll(b.dir))
}

// Run runs a command of busu beside it, such as demo, and gives what it prints.
func (b *Busu) Run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, b.path("busu"), args...)
	cmd.Env = b.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("busu %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), err
}

// Get gives the body of an answer.
func (b *Busu) Get(ctx context.Context, path string) ([]byte, error) {
	return b.ask(ctx, http.MethodGet, path, nil)
}

// Post sends a body as JSON and reads the answer into into, where that is not
// nil.
func (b *Busu) Post(ctx context.Context, path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	answer, err := b.ask(ctx, http.MethodPost, path, text)
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal(answer, into)
}

func (b *Busu) ask(ctx context.Context, method, path string, text []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, b.URL+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %s: %s", method, path, response.Status, body)
	}
	return body, err
}

// DatabaseURL is that of the PostgreSQL it runs.
func (b *Busu) DatabaseURL() (string, error) {
	text, err := os.ReadFile(b.path("state/env"))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if url, ok := strings.CutPrefix(strings.TrimSpace(line), "export DATABASE_URL="); ok {
			return strings.Trim(url, "'"), nil
		}
	}
	return "", errors.New("busu did not say where its PostgreSQL is")
}

// freeAddr is below the ports that the system gives out by itself, so that the
// address stays free until busu listens there, and while it is away.
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
