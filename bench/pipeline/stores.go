package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/localstack"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/redisdb"
)

// stores are one Redis and one PostgreSQL, as safe as in production, with
// busu's own way to them and the plain clients.
type stores struct {
	dir         string
	stack       *localstack.Stack
	appendFsync string

	redis    *redisdb.DB
	postgres *postgres.DB
	rdb      *redis.Client
	pool     *pgxpool.Pool
}

const poolSize = 24 // room for a peer's sixteen handlers and what it does besides

func startStores(ctx context.Context, o Options) (_ *stores, err error) {
	redisdb.Quiet()
	dir, err := os.MkdirTemp("", "busu-bench-")
	if err != nil {
		return nil, err
	}
	s := &stores{dir: dir, appendFsync: o.AppendFsync}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop(context.WithoutCancel(ctx)))
		}
	}()
	tools, err := localstack.CacheDir()
	if err != nil {
		return nil, err
	}
	// PostgreSQL may run as somebody else, who has to pass.
	if err := os.Chmod(dir, 0o711); err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(o.Progress, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s.stack, err = localstack.Start(ctx, localstack.Options{Dir: dir, Tools: tools, Postgres: true, Redis: true, Log: log})
	if err != nil {
		return nil, err
	}
	if s.stack.RedisInProcess {
		return nil, errors.New("no redis-server: an in-process Redis says nothing about Redis")
	}
	return s, s.connect(ctx)
}

func (s *stores) connect(ctx context.Context) (err error) {
	if s.redis, err = redisdb.Open(s.stack.RedisURL); err != nil {
		return err
	}
	if s.postgres, err = postgres.Open(ctx, postgres.Options{URL: s.stack.DatabaseURL, Name: "busu worker"}); err != nil {
		return err
	}
	options, err := redis.ParseURL(s.stack.RedisURL)
	if err != nil {
		return err
	}
	options.PoolSize = 2 * poolSize
	s.rdb = redis.NewClient(options)
	config, err := pgxpool.ParseConfig(s.stack.DatabaseURL)
	if err != nil {
		return err
	}
	config.MaxConns = poolSize
	config.ConnConfig.RuntimeParams["timezone"] = "UTC"
	if s.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return err
	}
	if _, err := s.postgres.Migrate(ctx); err != nil {
		return err
	}
	if err := s.checkDurability(ctx); err != nil {
		return err
	}
	if err := s.fillLog(ctx); err != nil {
		return err
	}
	return s.migrateRiver(ctx)
}

// checkDurability refuses figures that were bought with safety.
func (s *stores) checkDurability(ctx context.Context) error {
	for _, setting := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
		var value string
		if err := s.pool.QueryRow(ctx, "SHOW "+setting).Scan(&value); err != nil {
			return err
		}
		if value != "on" {
			return fmt.Errorf("PostgreSQL runs with %s %s: its figures would not count", setting, value)
		}
	}
	return nil
}

// logSegments is far more of PostgreSQL's log, 16 MB each, than a scenario
// writes between two checkpoints.
const logSegments = 32

// fillLog lets PostgreSQL have the files of its log, which it uses again and
// again. One that has just been made has none, and has to fill each with zeros
// when it needs it: a server that has run for a while does not.
func (s *stores) fillLog(ctx context.Context) error {
	for _, sql := range []string{"ALTER SYSTEM SET min_wal_size = '1GB'", "SELECT pg_reload_conf()"} {
		if _, err := s.pool.Exec(ctx, sql); err != nil {
			return err
		}
	}
	for range logSegments {
		if _, err := s.pool.Exec(ctx, "SELECT pg_logical_emit_message(false, 'bench', ''), pg_switch_wal()"); err != nil {
			return err
		}
	}
	_, err := s.pool.Exec(ctx, "CHECKPOINT")
	return err
}

// clean empties both stores and makes their files small, so that no scenario
// pays for the one before.
func (s *stores) clean(ctx context.Context) error {
	pipe := s.rdb.Pipeline()
	pipe.FlushAll(ctx)
	pipe.ConfigSet(ctx, "appendfsync", s.appendFsync)
	if _, err := pipe.Exec(ctx); err != nil {
		return err
	}
	if err := s.rewriteAOF(ctx); err != nil {
		return err
	}
	now := time.Now()
	if err := s.postgres.EnsureDays(ctx, now.AddDate(0, 0, -1), 3); err != nil {
		return err
	}
	if _, err := s.pool.Exec(ctx, "TRUNCATE completions, rollups_minutes, rollups_five_minutes, rollups_hours, rollups_days, rollups_new, journal_marks, river_job"); err != nil {
		return err
	}
	_, err := s.pool.Exec(ctx, "CHECKPOINT")
	return err
}

func (s *stores) rewriteAOF(ctx context.Context) error {
	// One may be under way by itself.
	if err := s.rdb.BgRewriteAOF(ctx).Err(); err != nil && !strings.Contains(err.Error(), "in progress") {
		return err
	}
	for {
		info, err := s.rdb.InfoMap(ctx, "persistence").Result()
		if err != nil {
			return err
		}
		p := info["Persistence"]
		if p["aof_rewrite_in_progress"] == "0" && p["aof_rewrite_scheduled"] == "0" {
			return nil
		}
		if err := sleep(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
}

// stop ends the servers and removes their files.
func (s *stores) stop(ctx context.Context) error {
	var err error
	if s.pool != nil {
		s.pool.Close()
	}
	if s.postgres != nil {
		s.postgres.Close()
	}
	if s.redis != nil {
		err = s.redis.Close()
	}
	if s.rdb != nil {
		err = errors.Join(err, s.rdb.Close())
	}
	if s.stack != nil {
		err = errors.Join(err, s.stack.Stop(ctx))
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// count is how many rows are stored.
func (s *stores) count(ctx context.Context) (int, error) {
	rows, err := s.pool.Query(ctx, "SELECT count(*) FROM completions")
	if err != nil {
		return 0, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowTo[int])
}

// expect fails unless want rows are stored, each once.
func (s *stores) expect(ctx context.Context, want int) error {
	got, err := s.count(ctx)
	if err == nil && got != want {
		err = fmt.Errorf("%d rows are stored of %d", got, want)
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// await polls until done says so.
func await(ctx context.Context, every time.Duration, done func() bool) error {
	for !done() {
		if err := sleep(ctx, every); err != nil {
			return err
		}
	}
	return nil
}
