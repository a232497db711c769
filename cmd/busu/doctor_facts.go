package main

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"math"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/busuhq/busu/internal/cgroup"
	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/doctor"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/system"
)

// storeWithin is how long a store may take to tell of itself.
const storeWithin = 3 * time.Second

// gather finds out all that is to be judged, from all at once.
func gather(ctx context.Context, cfg config.Config, probe bool) doctor.Facts {
	f := doctor.Facts{Configuration: configurationFacts(cfg), Host: hostFacts(cfg)}
	var all sync.WaitGroup
	all.Go(func() { f.Postgres, f.Rows = postgresFacts(ctx, cfg) })
	if cfg.Read.IsSet() {
		all.Go(func() { f.Replica = replicaFacts(ctx, cfg) })
	}
	all.Go(func() { f.Redis, f.Streams = redisFacts(ctx, cfg) })
	if own := cfg.RedisCache.Reveal(); own != "" && own != cfg.Redis.Reveal() {
		all.Go(func() { f.Cache = new(cacheFacts(ctx, own)) })
	}
	all.Go(func() { f.Providers = providerFacts(ctx, cfg, probe) })
	all.Wait()
	return f
}

func configurationFacts(cfg config.Config) doctor.Configuration {
	c := doctor.Configuration{File: cfg.File, Warnings: cfg.Warnings, Collector: cfg.OTLP.Endpoint}
	c.Listeners = append(c.Listeners, listenerOf("api", cfg.Addr, cfg.AdminKey.IsSet()))
	if cfg.TLS.On() {
		c.Certificate = &doctor.Certificate{Left: time.Until(cfg.TLS.Expires), Whole: cfg.TLS.Expires.Sub(cfg.TLS.Begins)}
	}
	if cfg.Admin != "" {
		c.Listeners = append(c.Listeners, listenerOf("admin", cfg.Admin, cfg.AdminKey.IsSet()))
	}
	return c
}

func listenerOf(name, addr string, keyed bool) doctor.Listener {
	host, _, _ := net.SplitHostPort(addr)
	ip, err := netip.ParseAddr(host)
	return doctor.Listener{Name: name, Addr: addr, Keyed: keyed, Loopback: strings.EqualFold(host, "localhost") || err == nil && ip.Unmap().IsLoopback()}
}

func hostFacts(cfg config.Config) doctor.Host {
	group := cgroup.Read(os.DirFS("/"))
	h := doctor.Host{StateDir: cfg.StateDir, JournalMost: cfg.Journal.MaxBytes, Processors: runtime.GOMAXPROCS(0), GroupCPUs: group.CPUs,
		GroupMemory: group.MemoryBytes, MemoryLimit: os.Getenv("GOMEMLIMIT")}
	if cfg.Cache.Enabled {
		h.KeptBytes = cfg.Cache.MemoryBytes
	}
	var files unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &files) == nil {
		h.Files = files.Cur // Go has raised it as far as it may be
	}
	if cfg.StateDir != "" {
		stateFacts(&h)
	}
	return h
}

// stateFacts looks at the state directory, or where it will be made.
func stateFacts(h *doctor.Host) {
	dir, err := filepath.Abs(h.StateDir)
	for err == nil {
		if _, err = os.Stat(dir); !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			break
		}
		dir, err = filepath.Dir(dir), nil
	}
	if err == nil {
		err = unix.Access(dir, unix.W_OK|unix.X_OK)
	}
	if err != nil {
		h.StateErr = err.Error()
		return
	}
	var room unix.Statfs_t
	if unix.Statfs(dir, &room) == nil {
		h.FreeBytes = int64(min(room.Bavail*uint64(room.Bsize), math.MaxInt64))
	}
	_ = filepath.WalkDir(filepath.Join(h.StateDir, "journal"), func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // what cannot be looked at counts as nothing
		}
		if info, err := d.Info(); err == nil {
			h.JournalBytes += info.Size()
		}
		return nil
	})
}

func postgresFacts(ctx context.Context, cfg config.Config) (doctor.Store, *system.Postgres) {
	ctx, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	s := doctor.Store{Name: "DATABASE_URL", Private: !cfg.Database.IsSet()}
	db, err := openPostgres(ctx, cfg)
	if err != nil {
		s.Err = cmp.Or(noneOwn(cfg, s), err.Error())
		return s, nil
	}
	defer db.Close()
	if s.Settings, err = db.Settings(ctx); err != nil {
		s.Err = err.Error()
		return s, nil
	}
	rows, err := db.State(ctx)
	if err != nil {
		return s, nil // the settings say whether it was ever migrated
	}
	return s, rows
}

// replicaFacts looks at the replica, as a process does once a second.
func replicaFacts(ctx context.Context, cfg config.Config) *system.Replica {
	ctx, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	away := &system.Replica{State: system.ReplicaAway}
	db, err := openPostgres(ctx, cfg)
	if err != nil {
		return away
	}
	defer db.Close()
	r, err := postgres.NewReader(ctx, db, postgres.ReaderOptions{URL: cfg.Read.Reveal(), MaxLag: cfg.ReadMaxLag, Name: "busu command"})
	if err != nil {
		return away
	}
	defer r.Close()
	if r.Look(ctx) != nil {
		return away
	}
	return r.Replica()
}

// noneOwn says that busu up never ran here, where that is what is missing.
func noneOwn(cfg config.Config, s doctor.Store) string {
	if _, err := os.Stat(filepath.Join(cfg.StateDir, "env")); s.Private && errors.Is(err, fs.ErrNotExist) {
		return "busu up has not run in " + cfg.StateDir
	}
	return ""
}

func redisFacts(ctx context.Context, cfg config.Config) (doctor.Store, *system.Redis) {
	ctx, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	s := doctor.Store{Name: "REDIS_URL", Private: !cfg.Redis.IsSet()}
	db, err := openRedis(cfg)
	if err != nil {
		s.Err = cmp.Or(noneOwn(cfg, s), err.Error())
		return s, nil
	}
	defer db.Close()
	if err = db.Check(ctx); err == nil {
		s.Settings, err = db.Settings(ctx)
	}
	if err != nil {
		s.Err = err.Error()
		return s, nil
	}
	streams, err := db.State(ctx, cfg.Streams.ReadPartitions)
	if err != nil {
		return s, nil // as in memory, where little can be asked
	}
	return s, streams
}

func cacheFacts(ctx context.Context, url string) doctor.Store {
	ctx, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	s := doctor.Store{Name: "REDIS_CACHE_URL"}
	db, err := redisdb.Open(url)
	if err != nil {
		s.Err = err.Error()
		return s
	}
	defer db.Close()
	if err = db.Check(ctx); err == nil {
		s.Settings, err = db.Settings(ctx)
	}
	if err != nil {
		s.Err = err.Error()
	}
	return s
}
