package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/localstack"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/redisdb"
)

// stores are the two databases, writing to the disk as in production, and our
// own look into them.
type stores struct {
	stack    *localstack.Stack
	several  replicated // nil where Redis is one server, of stack
	redisURL string
	redis    *redisdb.DB
	raw      redis.UniversalClient // for what no process of ours does
	postgres *postgres.DB
}

func startStores(ctx context.Context, o Options, dir string) (*stores, error) {
	place := filepath.Join(dir, "stores")
	if err := os.Mkdir(place, 0o711); err != nil {
		return nil, err
	}
	tools, err := localstack.CacheDir()
	if err != nil {
		return nil, err
	}
	s := new(stores)
	if s.stack, err = localstack.Start(ctx, localstack.Options{Dir: place, Tools: tools, Postgres: true, Redis: !o.Replicated(),
		Ephemeral: true, Durable: true, AppendFsync: o.Fsync, Log: o.Log}); err != nil {
		return nil, err
	}
	if s.redisURL = s.stack.RedisURL; o.Replicated() {
		if s.several, s.redisURL, err = startReplicated(ctx, o); err != nil {
			return nil, errors.Join(err, s.close(ctx))
		}
	}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.close(ctx))
	}
	return s, nil
}

func (s *stores) open(ctx context.Context) (err error) {
	redisdb.Quiet()
	if s.several != nil {
		s.raw = s.several.Client()
	} else {
		raw, err := redis.ParseURL(s.redisURL)
		if err != nil {
			return err
		}
		s.raw = redis.NewClient(raw)
	}
	if s.redis, err = redisdb.Open(s.redisURL); err != nil {
		return err
	}
	s.postgres, err = postgres.Open(ctx, postgres.Options{URL: s.stack.DatabaseURL, Name: "busu chaos"})
	return err
}

func (s *stores) close(ctx context.Context) error {
	if s.postgres != nil {
		s.postgres.Close()
	}
	var errs []error
	if s.redis != nil {
		errs = append(errs, s.redis.Close())
	}
	if s.raw != nil {
		errs = append(errs, s.raw.Close())
	}
	if s.several != nil {
		errs = append(errs, s.several.Stop(ctx))
	}
	return errors.Join(append(errs, s.stack.Stop(ctx))...)
}

// store is one of the two as something that faults happen to.
type store struct {
	server *localstack.Server
	mu     sync.Mutex
	dead   atomic.Bool
}

func (s *store) Name() string { return s.server.Name }

func (s *store) kill() {
	s.dead.Store(true)
	_ = s.server.Signal(syscall.SIGKILL) // it may be dead
}

func (s *store) signal(sig syscall.Signal) error { return s.server.Signal(sig) }

func (s *store) stop(ctx context.Context) error {
	s.dead.Store(true)
	return s.server.Close(ctx)
}

// start tries again: a connection may have the port for a moment.
func (s *store) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var err error
	if until(ctx, func() bool { err = s.server.Start(ctx); return err == nil }) != nil {
		return fmt.Errorf("start %s: %w", s.server.Name, err)
	}
	s.dead.Store(false)
	return nil
}

func (s *store) lock()   { s.mu.Lock() }
func (s *store) unlock() { s.mu.Unlock() }
