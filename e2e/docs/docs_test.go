package docs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const patience = 5 * time.Minute // for one document

// documents are those whose blocks are run: all that have any, the first ones in
// a copy of the checkout, the others in an empty folder.
var (
	atCheckout = []string{"*.md", "examples/*.md"}
	elsewhere  = []string{"docs/*.md", "docs/*/*.md"}
)

const least = 18 // documents that have blocks

func TestDocuments(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin+"/", "./cmd/...")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	found := 0
	for _, pattern := range slices.Concat(atCheckout, elsewhere) {
		files, err := filepath.Glob("../../" + pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no document (%v)", pattern, err)
		}
		for _, file := range files {
			blocks, err := blocksOf(read(t, file))
			if err != nil {
				t.Errorf("%s: %v", file, err)
			}
			if len(blocks) == 0 {
				continue
			}
			found++
			name := strings.TrimPrefix(strings.TrimPrefix(file, "../../"), "docs/")
			t.Run(name, func(t *testing.T) { runDocument(t, file, blocks, bin, slices.Contains(atCheckout, pattern)) })
		}
	}
	if found < least {
		t.Errorf("only %d documents have commands", found)
	}
}

func runDocument(t *testing.T, file string, blocks []block, bin string, checkout bool) {
	d := open(t, file, bin)
	if checkout {
		d.checkOut(t)
	}
	ran, left := 0, 0
	for _, b := range blocks {
		if b.alone {
			d.end(t)
		}
		switch {
		case b.norun != "":
			t.Logf("line %d is not run: %s", b.line, b.norun)
			left++
			continue
		case b.terminal:
			d.beside(t, b)
		default:
			d.run(t, b)
		}
		ran++
	}
	t.Logf("%d blocks run, %d not", ran, left)
}

// reader is somebody who types what a document says.
type reader struct {
	dir, file string
	env       []string
	addresses addresses
	shell     io.Writer
	answers   *bufio.Reader // of the shell: a line when a block has ended well
	terminals []*terminal
}

// terminal is one in which something runs on.
type terminal struct {
	cmd   *exec.Cmd
	ended chan error
}

func open(t *testing.T, file, bin string) *reader {
	t.Helper()
	dir, err := os.MkdirTemp("", "busu-docs-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL runs as another user where we are root
		t.Fatal(err)
	}
	d := &reader{dir: dir, file: filepath.Base(file), addresses: addresses{free: freeAddr, of: map[string]string{}}}
	addr, err := d.addresses.in("127.0.0.1:8000")
	if err != nil {
		t.Fatal(err)
	}
	d.env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "BUSU_ADDR="+addr,
		"DATABASE_URL=", "REDIS_URL=", "BUSU_CONFIG=", "BUSU_ADMIN_KEY=", "BUSU_STATE_DIR=")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	shell := exec.CommandContext(ctx, "bash", "-euo", "pipefail")
	shell.Dir, shell.Env = d.dir, d.env
	in, err := shell.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := shell.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	d.shell, d.answers = in, bufio.NewReader(out)
	t.Cleanup(func() {
		cancel()
		_ = shell.Wait() // it has been killed
		d.end(t)
	})
	return d
}

// checkOut gives the reader the files of the repository.
func (d *reader) checkOut(t *testing.T) {
	t.Helper()
	copied := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", `git ls-files -z | xargs -0 cp --parents -t "$1"`, "copy", d.dir)
	copied.Dir = "../.."
	if out, err := copied.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// run types a block, and holds what it prints against the document.
func (d *reader) run(t *testing.T, b block) {
	t.Helper()
	block, out := d.path("block"), d.path("out")
	if err := os.WriteFile(block, []byte(d.typed(t, b.text)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(d.shell, ". %s >%s 2>&1 </dev/null\necho\n", block, out); err != nil {
		t.Fatal(err)
	}
	_, failed := d.answers.ReadString('\n') // the shell ends when a command fails
	text, err := os.ReadFile(out)
	if failed != nil || err != nil {
		t.Fatalf("%s:%d failed, or took more than %v:\n%s\nit prints\n%s\n%v%s", d.file, b.line, patience, b.text, text, err, d.logs())
	}
	if missing := printed(d.typed(t, b.prints), string(text)); missing != "" {
		t.Fatalf("%s:%d prints\n%s\nwhere %q is missing%s", d.file, b.line, text, missing, d.logs())
	}
}

// beside begins what runs in a terminal of its own, and returns when busu is
// ready at the address that it is told, or by default.
func (d *reader) beside(t *testing.T, b block) {
	t.Helper()
	text := d.typed(t, b.text)
	log, err := os.Create(d.path(fmt.Sprintf("terminal-%d.log", b.line)))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	run := &terminal{cmd: exec.Command("bash", "-euc", text), ended: make(chan error, 1)}
	run.cmd.Dir, run.cmd.Env, run.cmd.Stdout, run.cmd.Stderr = d.dir, d.env, log, log
	run.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := run.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { run.ended <- run.cmd.Wait() }()
	d.terminals = append(d.terminals, run)
	addr := d.addresses.of["127.0.0.1:8000"]
	if _, told, is := strings.Cut(text, "BUSU_ADDR="); is {
		addr = strings.Fields(told)[0]
	}
	if err := ready(t.Context(), addr, run.ended); err != nil {
		t.Fatalf("%s:%d: %v%s", d.file, b.line, err, d.logs())
	}
}

func ready(ctx context.Context, addr string, ended chan error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		r, err := http.Get("http://" + addr + "/readyz")
		if err == nil {
			_ = r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case err := <-ended:
			ended <- err
			return fmt.Errorf("it ended: %w", err)
		case <-ctx.Done():
			return errors.New("it was not ready in time")
		case <-time.After(50 * time.Millisecond): // between two looks
		}
	}
}

// end ends what runs in terminals, the last first, as Ctrl-C would.
func (d *reader) end(t *testing.T) {
	for _, run := range slices.Backward(d.terminals) {
		if err := syscall.Kill(-run.cmd.Process.Pid, syscall.SIGINT); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Error(err)
		}
		if err := <-run.ended; err != nil && !run.interrupted(err) {
			t.Errorf("%v: %v%s", run.cmd.Args, err, d.logs())
		}
	}
	d.terminals = nil
}

// interrupted reports whether it was make, which waits for what it runs, and then
// ends as Ctrl-C ends programs.
func (r *terminal) interrupted(err error) bool {
	ended, is := errors.AsType[*exec.ExitError](err)
	if !is || !strings.HasPrefix(r.cmd.Args[len(r.cmd.Args)-1], "make ") {
		return false
	}
	status, is := ended.Sys().(syscall.WaitStatus)
	return is && (status.Signaled() && status.Signal() == syscall.SIGINT || status.ExitStatus() == 128+int(syscall.SIGINT))
}

func (d *reader) path(name string) string { return filepath.Join(d.dir, "."+d.file+"."+name) }

func (d *reader) typed(t *testing.T, text string) string {
	t.Helper()
	text, err := d.addresses.in(text)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// logs gives the end of what terminals show.
func (d *reader) logs() string {
	var all strings.Builder
	names, _ := filepath.Glob(d.path("terminal-*"))
	for _, name := range names {
		text, _ := os.ReadFile(name)
		fmt.Fprintf(&all, "\n%s:\n%s", name, text[max(0, len(text)-2000):])
	}
	return all.String()
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
