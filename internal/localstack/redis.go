package localstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// startRedis starts a child process, or, for `busu up` on a machine without
// one, a stand-in in this process with the note that says so.
func (s *Stack) startRedis(ctx context.Context, o Options) (note string, err error) {
	dir := filepath.Join(o.Dir, "redis")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", dirError(o.Dir, err)
	}
	password := o.RedisPassword
	if password == "" {
		if password, err = secret(filepath.Join(dir, "password")); err != nil {
			return "", dirError(o.Dir, err)
		}
	}
	bin, err := redisProgram(ctx, o)
	if err == nil {
		return "", s.startRedisChild(ctx, o, bin, dir, password)
	}
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if o.Ephemeral {
		return "", fmt.Errorf("no redis-server for the tests (%s); install one (apt-get install redis-server, brew install redis), or set TEST_REDIS_URL", oneLine(err))
	}
	return s.startRedisInMemory(o, password, err)
}

// inMemoryNote is what a stand-in cannot promise.
const inMemoryNote = "Redis runs in memory, because no redis-server or valkey-server was found or could be fetched (%s): live metrics and cached answers end with this process; events stay in the journal. To keep them, install redis-server or set REDIS_URL."

func (s *Stack) startRedisInMemory(o Options, password string, reason error) (note string, err error) {
	o.Log.Warn("no redis-server; using one in memory", "reason", oneLine(reason))
	s.inMemory, err = startInMemoryRedis(password)
	if err != nil {
		return "", err
	}
	s.RedisInProcess, s.RedisURL = true, redisURL(s.inMemory.addr(), password)
	return fmt.Sprintf(inMemoryNote, oneLine(reason)), nil
}

// redisProgram finds or fetches a server that is new enough and runs.
func redisProgram(ctx context.Context, o Options) (program, error) {
	var reasons []error
	usable := func(candidates []program) (program, bool) {
		for _, p := range candidates {
			v, err := identity{}.tries(ctx, p, o.Dir)
			if err == nil && v.compare(oldestRedis) >= 0 {
				return p, true
			}
			if err == nil {
				err = fmt.Errorf("%s is version %v, and %v is needed", p.path, v, oldestRedis)
			}
			reasons = append(reasons, err)
		}
		return program{}, false
	}
	if p, ok := usable(findRedis(toolFolders(o)...)); ok {
		return p, nil
	}
	fetched, err := fetchRedisOnce(ctx, o)
	if err != nil {
		return program{}, errors.Join(append(reasons, err)...)
	}
	if p, ok := usable(fetched); ok {
		return p, nil
	}
	return program{}, errors.Join(reasons...)
}

func (s *Stack) startRedisChild(ctx context.Context, o Options, bin program, dir, password string) error {
	server := &Server{
		Name: "redis", LogPath: filepath.Join(o.Dir, "redis.log"),
		farewell: []syscall.Signal{syscall.SIGTERM}, launcher: s.launcher, log: o.Log,
		prepare: func(ctx context.Context) error {
			return endLeftovers(ctx, dir, "redis.pid", syscall.SIGTERM, redisNames()...)
		},
	}
	port, err := server.startOnPort(ctx, preferredPort(o, redisPort), func(port int) error {
		config := filepath.Join(dir, "redis.conf")
		server.command = func() *exec.Cmd { return redisCommand(o, bin, config, dir) }
		server.ask = askRedis(address(port), password)
		return os.WriteFile(config, []byte(redisConfig(o, port, password)), 0o600)
	})
	if err != nil {
		return err
	}
	if !o.Ephemeral {
		server.guard(context.WithoutCancel(ctx))
	}
	s.Redis, s.RedisURL = server, redisURL(address(port), password)
	return nil
}

func redisCommand(o Options, bin program, config, dir string) *exec.Cmd {
	cmd := exec.Command(bin.path, config)
	if o.RedisSentinel {
		cmd.Args = append(cmd.Args, "--sentinel")
	}
	cmd.Dir, cmd.Env, cmd.SysProcAttr = dir, bin.environ(), identity{}.attr()
	// What Redis has acknowledged is with the kernel: killing loses nothing,
	// and reaches a process that hangs.
	diesWithUs(cmd.SysProcAttr, syscall.SIGKILL)
	return cmd
}

// redisConfig is a file because a command line shows the password to all.
func redisConfig(o Options, port int, password string) string {
	lines := []string{
		"bind 127.0.0.1", fmt.Sprintf("port %d", port), "requirepass " + password,
		"dir .", "pidfile redis.pid", "daemonize no", `save ""`,
		"set-proc-title no", "maxmemory-policy noeviction",
	}
	if o.Ephemeral {
		lines = append(lines, "databases 10000")
	}
	if o.Ephemeral && !o.AppendOnly && !o.Durable {
		lines = append(lines, "appendonly no")
	} else {
		lines = append(lines, "appendonly yes", "appendfsync "+o.AppendFsync)
	}
	return strings.Join(append(lines, o.RedisSettings...), "\n") + "\n"
}

// redisURL names the user: redis-cli takes an empty name for one that there is
// not.
func redisURL(addr, password string) string {
	return fmt.Sprintf("redis://default:%s@%s/0", password, addr)
}

// askRedis asks for a PONG, which a server that still loads its file refuses.
// It speaks the protocol itself: a client library would retry and log.
func askRedis(addr, password string) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		defer conn.Close()
		deadline, _ := ctx.Deadline()
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(conn, "AUTH %s\r\nPING\r\n", password); err != nil {
			return err
		}
		const want = "+OK\r\n+PONG\r\n"
		got := make([]byte, len(want))
		if _, err := io.ReadFull(conn, got); err != nil {
			return err
		}
		if string(got) != want {
			return fmt.Errorf("it answers %q", got)
		}
		return nil
	}
}
