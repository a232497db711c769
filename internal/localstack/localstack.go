// Package localstack runs a private PostgreSQL and a private Redis as child
// processes, so that `busu up` and the tests need neither an installed server
// nor Docker nor root. It finds the programs on the machine or fetches them,
// keeps everything it writes beneath one directory, and leaves no process
// behind, not even when its own process is killed.
package localstack

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Options say what to run and where.
type Options struct {
	Dir      string // everything is kept beneath it; its parent must exist
	Postgres bool   // run one; false when DATABASE_URL names another
	Redis    bool   // run one; false when REDIS_URL names another

	// Ephemeral is for tests: fast rather than safe from a power failure, on
	// free ports, with room for many databases and connections, and a server
	// that dies stays dead until the test starts it again. Without
	// redis-server it fails, where `busu up` would go on in process.
	Ephemeral bool
	// AppendOnly lets an ephemeral Redis keep its data over Restart.
	AppendOnly bool
	// Durable makes ephemeral servers write to the disk as others do: for
	// tests of what a crash leaves behind.
	Durable bool
	// AppendFsync is Redis's appendfsync: always, everysec (the default) or no.
	AppendFsync string
	// PostgresOf is the URL of a PostgreSQL that the private one follows, as a
	// replica that can be promoted. Both are of one version.
	PostgresOf string
	// RedisSettings are further lines of Redis's configuration, which hold over
	// busu's own.
	RedisSettings []string
	// RedisSentinel makes it a Sentinel, which watches what RedisSettings name.
	RedisSentinel bool
	// RedisPassword is that of the private Redis; "" makes one, and keeps it.
	RedisPassword string
	// Tools is where fetched programs are kept; by default Dir/tools.
	Tools string

	Log *slog.Logger // progress and restarts; nil: silent
}

// Stack is what Start started. Stop ends it.
type Stack struct {
	DatabaseURL    string  // empty unless Options.Postgres
	RedisURL       string  // empty unless Options.Redis
	RedisInProcess bool    // Redis is a stand-in inside this process
	Postgres       *Server // nil unless a child process
	Redis          *Server // nil unless a child process

	// Notes are what the operator should know, in whole sentences.
	Notes []string

	lock     *os.File
	launcher *launcher
	inMemory *inMemoryRedis
	scrap    string // a directory of its own that an ephemeral PostgreSQL needed
}

// Start locks the directory, starts what is asked for, and returns when both
// servers answer. ctx bounds the start only: the stack lives until Stop.
// Errors are written for the operator and say what helps.
func Start(ctx context.Context, o Options) (*Stack, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, err
	}
	s := &Stack{lock: lock, launcher: newLauncher()}
	if err := s.start(ctx, o); err != nil {
		return nil, errors.Join(err, s.Stop(context.WithoutCancel(ctx)))
	}
	return s, nil
}

func (o Options) complete() (Options, error) {
	if o.Dir == "" {
		return o, errors.New("no state directory is named: set BUSU_STATE_DIR")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return o, err
	}
	o.Dir = dir
	if o.Tools == "" {
		o.Tools = filepath.Join(dir, "tools")
	}
	if o.AppendFsync == "" {
		o.AppendFsync = "everysec"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// start runs both servers at once: each spends its time waiting.
func (s *Stack) start(ctx context.Context, o Options) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var both sync.WaitGroup
	var pg, redis error
	if o.Postgres {
		both.Go(func() {
			if pg = s.startPostgres(ctx, o); pg != nil {
				cancel(pg)
			}
		})
	}
	var note string
	if o.Redis {
		both.Go(func() {
			if note, redis = s.startRedis(ctx, o); redis != nil {
				cancel(redis)
			}
		})
	}
	both.Wait()
	if note != "" {
		s.Notes = append(s.Notes, note)
	}
	// The first failure ended the other start: that one's error says nothing.
	if pg != nil || redis != nil {
		return context.Cause(ctx)
	}
	return s.writeEnv(o.Dir)
}

// Stop ends both servers, politely first and by force after about a second,
// and unlocks the directory. When ctx ends, force comes at once. The error
// tells of a server that would not end; a second Stop does nothing.
func (s *Stack) Stop(ctx context.Context) error {
	var all sync.WaitGroup
	var pg, redis error
	if s.Redis != nil {
		all.Go(func() { redis = s.Redis.Close(ctx) })
	}
	if s.Postgres != nil {
		all.Go(func() { pg = s.Postgres.Close(ctx) })
	}
	all.Wait()
	if s.inMemory != nil {
		s.inMemory.close()
	}
	s.launcher.close()
	return errors.Join(redis, pg, os.RemoveAll(s.scrap), unlock(s.lock))
}

// startTimeout bounds the wait for a server that lives but does not answer
// yet: it may be replaying its log after a crash.
const startTimeout = time.Minute
