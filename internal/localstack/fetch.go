package localstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// fetchTimeout bounds one fetch: long enough for a slow line, short enough
// for someone who waits before a terminal.
const fetchTimeout = 3 * time.Minute

// fetch fills tools/name by unpack, which is given an empty directory. Half
// a fetch is never seen: the directory gets its name when it is complete.
// Several processes may fetch into the same tools: what another one has
// fetched after since will do.
func fetch(ctx context.Context, tools, name string, since time.Time, unpack func(ctx context.Context, dir string) error) error {
	if err := os.MkdirAll(tools, 0o755); err != nil {
		return err
	}
	lock, err := waitLock(ctx, filepath.Join(tools, "lock"))
	if err != nil {
		return err
	}
	defer lock.Close()
	final := filepath.Join(tools, name)
	if info, err := os.Stat(final); err == nil && info.ModTime().After(since) {
		return nil
	}
	staging := final + ".new"
	if err := errors.Join(os.RemoveAll(staging), os.Mkdir(staging, 0o755)); err != nil {
		return err
	}
	defer os.RemoveAll(staging)
	ctx, cancel := context.WithTimeoutCause(ctx, fetchTimeout, fmt.Errorf("fetching took longer than %v", fetchTimeout))
	defer cancel()
	if err := unpack(ctx, staging); err != nil {
		return err
	}
	now := time.Now()
	return errors.Join(os.Chtimes(staging, now, now), os.RemoveAll(final), os.Rename(staging, final))
}

// waitLock waits until no other process holds path.
func waitLock(ctx context.Context, path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			f.Close()
			return nil, err
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// fetchedRedis is what fetchRedis left in tools.
func fetchedRedis(tools string) []program {
	root := filepath.Join(tools, "redis")
	return []program{{path: filepath.Join(root, "usr/bin/redis-server"), libs: libraryPath(root)}}
}

// fetchRedis gets redis-server from the distribution's packages.
func fetchRedis(ctx context.Context, tools string) ([]program, error) {
	err := fetch(ctx, tools, "redis", time.Now(), func(ctx context.Context, dir string) error {
		return unpackDebian(ctx, dir, "redis-server")
	})
	return fetchedRedis(tools), err
}

// fetchRedisOnce does not try again for a while after a failure: `busu up` has
// a stand-in, and without a network every start would wait for nothing.
func fetchRedisOnce(ctx context.Context, o Options) ([]program, error) {
	const pause = 10 * time.Minute
	failure := filepath.Join(o.Tools, "redis.failed")
	if info, err := os.Stat(failure); err == nil && !o.Ephemeral && time.Since(info.ModTime()) < pause {
		return nil, fmt.Errorf("fetching it failed less than %v ago; remove %s to try again at once", pause, failure)
	}
	o.Log.Info("fetching redis-server from the distribution's packages (about 2 MB, once)", "into", o.Tools)
	found, err := fetchRedis(ctx, o.Tools)
	if err != nil && ctx.Err() == nil {
		_ = os.WriteFile(failure, []byte(err.Error()+"\n"), 0o644) // at worst it is tried again
	}
	return found, err
}

// fetchedPostgres is what the two fetches of PostgreSQL left in tools.
func fetchedPostgres(tools string) []program {
	root := filepath.Join(tools, "postgres")
	var found []program
	for _, path := range newestFirst(filepath.Join(root, "usr/lib/postgresql/*/bin/postgres")) {
		found = append(found, program{path: path, libs: libraryPath(root)})
	}
	return append(found, npmPostgres(tools))
}

func npmPostgres(tools string) program {
	native := filepath.Join(tools, "postgres-npm", "native")
	return program{path: filepath.Join(native, "bin/postgres"), libs: filepath.Join(native, "lib")}
}

// postgresFetches are the ways to get PostgreSQL, the distribution's own
// packages first: they are maintained.
func postgresFetches() []func(context.Context, string) ([]program, error) {
	return []func(context.Context, string) ([]program, error){fetchDebianPostgres, fetchNpmPostgres}
}

func fetchDebianPostgres(ctx context.Context, tools string) ([]program, error) {
	err := fetch(ctx, tools, "postgres", time.Now(), func(ctx context.Context, dir string) error {
		return unpackDebian(ctx, dir, "postgresql")
	})
	return fetchedPostgres(tools), err
}

func fetchNpmPostgres(ctx context.Context, tools string) ([]program, error) {
	err := fetch(ctx, tools, "postgres-npm", time.Now(), unpackNpmPostgres)
	return []program{npmPostgres(tools)}, err
}

// libraryPath lists the library folders of unpacked packages.
func libraryPath(root string) string {
	var dirs []string
	for _, pattern := range []string{"usr/lib/*-linux-gnu*", "lib/*-linux-gnu*", "usr/lib"} {
		found, _ := filepath.Glob(filepath.Join(root, pattern))
		dirs = append(dirs, found...)
	}
	return strings.Join(dirs, ":")
}

// runTool runs a package manager's command; its output is in the error only.
// A cancelled ctx ends its helpers too.
func runTool(ctx context.Context, name string, args ...string) error {
	path, err := exec.LookPath(name)
	if err != nil {
		return fmt.Errorf("%s is not on this machine", name)
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return fmt.Errorf("%s %s: %w: %s", name, args[0], err, complaint(string(out)))
}

// complaint picks the line that says what went wrong from what a package
// manager printed: the first that is marked as an error.
func complaint(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	for _, line := range lines {
		if strings.HasPrefix(line, "E: ") || strings.HasPrefix(line, "npm error ") {
			return line
		}
	}
	return lines[len(lines)-1]
}
