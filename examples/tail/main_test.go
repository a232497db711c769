package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/storetest"
)

const stream = "busu:completions:{0}"

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "redis-cli" {
		os.Exit(redisCLI(os.Args[1:]))
	}
	storetest.Main(m)
}

// redisCLI stands in for the program of that name, which is not on every
// machine: it prints the parts of an answer, a line each, as that does where
// its output is no terminal.
func redisCLI(args []string) int { // -u URL command…
	o, err := redis.ParseURL(args[1])
	if err != nil {
		return 2
	}
	rdb := redis.NewClient(o)
	defer rdb.Close()
	command := make([]any, len(args)-2)
	for i, a := range args[2:] {
		command[i] = a
	}
	answer, err := rdb.Do(context.Background(), command...).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	printParts(answer)
	return 0
}

func printParts(answer any) {
	switch answer := answer.(type) {
	case []any:
		for _, part := range answer {
			printParts(part)
		}
	case map[any]any:
		for name, part := range answer {
			printParts(name)
			printParts(part)
		}
	case nil:
		fmt.Println()
	default:
		fmt.Println(answer)
	}
}

type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// reading is a program that reads.
type reading struct {
	out, notes buffer
	stop       func()
}

func start(t *testing.T, args ...string) *reading {
	t.Helper()
	r := new(reading)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, args, &r.out, &r.notes) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

// until waits until the facts are these, by journal and number, and every one
// of the notes was made.
func (r *reading) until(t *testing.T, facts string, notes ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		var got []string
		for line := range strings.Lines(r.out.String()) {
			var j string
			var n int
			if _, err := fmt.Sscanf(line, `{"journal":%q,"seq":%d}`, &j, &n); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			got = append(got, fmt.Sprint(j, n))
		}
		noted := true
		for _, note := range notes {
			noted = noted && strings.Contains(r.notes.String(), note)
		}
		if strings.Join(got, " ") == facts && noted {
			return
		}
		if len(got) > len(strings.Fields(facts)) {
			t.Fatalf("facts %v, want %s", got, facts)
		}
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond): // between two looks
		}
	}
	t.Fatalf("facts %s, notes %s", r.out.String(), r.notes.String())
}

func connect(t *testing.T) (url string, rdb *redis.Client) {
	t.Helper()
	url = storetest.Redis(t)
	o, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	rdb = redis.NewClient(o)
	t.Cleanup(func() { rdb.Close() })
	return url, rdb
}

// add appends facts such as "a1", number 1 of journal a, and gives the id of
// the last.
func add(t *testing.T, rdb *redis.Client, facts string) (id string) {
	t.Helper()
	for f := range strings.FieldsSeq(facts) {
		var err error
		body := fmt.Sprintf(`{"journal":%q,"seq":%s}`, f[:1], f[1:])
		if id, err = rdb.XAdd(t.Context(), &redis.XAddArgs{Stream: stream, Values: []any{"event", body}}).Result(); err != nil {
			t.Fatal(err)
		}
	}
	return id
}

func TestByPosition(t *testing.T) {
	t.Parallel()
	url, rdb := connect(t)
	args := []string{"-url", url, "-count", "2", "-position", filepath.Join(t.TempDir(), "position.json")}
	add(t, rdb, "a1 a2 b7")
	r := start(t, args...)
	r.until(t, "a1 a2 b7")
	add(t, rdb, "a3")
	r.until(t, "a1 a2 b7 a3")
	r.stop()
	add(t, rdb, "a4 b8 a4 a6")
	again := start(t, args...)
	again.until(t, "a4 b8 a6", "repeat:", "hole: numbers 5 to 5 of journal a")
	again.stop()

	trimmed := add(t, rdb, "a7 a8")
	if err := errors.Join(rdb.XTrimMaxLen(t.Context(), stream, 0).Err(), rdb.Set(t.Context(), stream+":trimmed", trimmed, 0).Err()); err != nil {
		t.Fatal(err)
	}
	add(t, rdb, "a9")
	late := start(t, args...)
	late.until(t, "a9", "gap:", "hole: numbers 7 to 8 of journal a")
}

func TestInGroup(t *testing.T) {
	t.Parallel()
	url, rdb := connect(t)
	add(t, rdb, "a1 a2")
	if err := rdb.XGroupCreate(t.Context(), stream, "mine", "0").Err(); err != nil {
		t.Fatal(err)
	}
	// What was given to us before a crash, and not acknowledged, comes first.
	if err := rdb.XReadGroup(t.Context(), &redis.XReadGroupArgs{Group: "mine", Consumer: "me", Streams: []string{stream, ">"}}).Err(); err != nil {
		t.Fatal(err)
	}
	add(t, rdb, "a3")
	r := start(t, "-url", url, "-group", "mine", "-name", "me")
	r.until(t, "a1 a2 a3")
	if err := rdb.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	add(t, rdb, "a4")
	r.until(t, "a1 a2 a3 a4", "reading again")
	r.stop()
	if p, err := rdb.XPending(t.Context(), stream, "mine").Result(); err != nil || p.Count != 0 {
		t.Errorf("pending: %+v, %v", p, err)
	}
}

func TestDocumentHasTheScript(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("tail.sh")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/tailing.md")
	if err != nil || !bytes.Contains(page, script) {
		t.Errorf("docs/tailing.md does not have the script as it is (%v)", err)
	}
}

func TestShell(t *testing.T) {
	t.Parallel()
	url, rdb := connect(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, "redis-cli")); err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs("tail.sh")
	if err != nil {
		t.Fatal(err)
	}
	r := new(reading)
	begin := func() (stop func()) {
		c := exec.CommandContext(t.Context(), script)
		c.Dir, c.Stdout, c.Stderr = dir, &r.out, &r.notes
		c.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "REDIS_URL="+url)
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		return sync.OnceFunc(func() {
			_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) // and what it has started
			_ = c.Wait()
		})
	}
	stop := begin()
	t.Cleanup(stop)
	r.until(t, "")
	add(t, rdb, "a1 a2")
	r.until(t, "a1 a2")
	last := add(t, rdb, "a3 a4")
	r.until(t, "a1 a2 a3 a4")
	for at := ""; strings.TrimSpace(at) != last; { // killed before, it would repeat a fact
		text, err := os.ReadFile(filepath.Join(dir, "tail.position"))
		if err != nil {
			t.Fatal(err)
		}
		at = string(text)
	}
	stop()
	trimmed := add(t, rdb, "a5")
	if err := errors.Join(rdb.XTrimMaxLen(t.Context(), stream, 0).Err(), rdb.Set(t.Context(), stream+":trimmed", trimmed, 0).Err()); err != nil {
		t.Fatal(err)
	}
	add(t, rdb, "a6")
	t.Cleanup(begin())
	r.until(t, "a1 a2 a3 a4 a6", "gap: everything behind "+last+" up to "+trimmed)
}
