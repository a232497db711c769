package performance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/bench/product"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/localstack"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/redisdb"
)

// rig is busu with its stores, new in every round. Its API runs all the time;
// the worker and the aggregator, which on one machine would only take the cores
// that the API is measured on, from everything on.
type rig struct {
	round int
	dir   string
	stack *localstack.Stack
	redis *redis.Client
	pool  *pgxpool.Pool
	api   *product.Process
	also  []*product.Process // worker and aggregator
	known time.Time          // when the API knows all that is in the caches

	key, open  string // with limits and a budget, for two models; of the admin
	experiment string
	startedMS  float64 // from the start of the API to its being ready

	redisVersion, postgresVersion string
}

// ready starts the round's rig, once.
func (b *bench) ready(ctx context.Context) (_ *rig, err error) {
	if b.rig != nil {
		return b.rig, nil
	}
	r := &rig{round: b.round}
	b.rig = r // whatever of it runs has to be ended
	if r.dir, err = os.MkdirTemp(b.dir, "rig-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.endRig())
		}
	}()
	if err := os.Chmod(r.dir, 0o711); err != nil { // PostgreSQL may run as somebody else, who has to pass
		return nil, err
	}
	if err := r.startStores(ctx, b.options.Progress); err != nil {
		return nil, err
	}
	yaml := b.busuYAML()
	if b.rewrite != nil {
		yaml = b.rewrite(yaml)
	}
	if err := os.WriteFile(r.config(), []byte(yaml), 0o600); err != nil {
		return nil, err
	}
	began := time.Now()
	if r.api, err = b.startBusu(ctx, r, "api"); err != nil {
		return nil, err
	}
	r.startedMS = milliseconds(time.Since(began))
	r.known = time.Now().Add(cacheTTL)
	return r, r.introduce(ctx)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func (b *bench) endRig() (err error) {
	r := b.rig
	if r == nil {
		return nil
	}
	b.rig = nil
	for _, p := range append(r.also, r.api) {
		if p != nil {
			err = errors.Join(err, p.Stop())
		}
	}
	if r.redis != nil {
		err = errors.Join(err, r.redis.Close())
	}
	if r.pool != nil {
		r.pool.Close()
	}
	if r.stack != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		err = errors.Join(err, r.stack.Stop(ctx))
	}
	return errors.Join(err, os.RemoveAll(r.dir))
}

func (r *rig) config() string { return filepath.Join(r.dir, "busu.yaml") }

// startStores starts servers that write to the disk as those of production do,
// and stay down when a scenario stops them.
func (r *rig) startStores(ctx context.Context, progress interface{ Write([]byte) (int, error) }) error {
	redisdb.Quiet()
	tools, err := localstack.CacheDir()
	if err != nil {
		return err
	}
	dir := filepath.Join(r.dir, "stores")
	if err := os.Mkdir(dir, 0o711); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(progress, &slog.HandlerOptions{Level: slog.LevelWarn}))
	r.stack, err = localstack.Start(ctx, localstack.Options{Dir: dir, Tools: tools, Postgres: true, Redis: true, Ephemeral: true, Durable: true, Log: log})
	if err != nil {
		return err
	}
	if r.stack.RedisInProcess {
		return errors.New("no redis-server: an in-process Redis says nothing about Redis")
	}
	o, err := redis.ParseURL(r.stack.RedisURL)
	if err != nil {
		return err
	}
	r.redis = redis.NewClient(o)
	if r.pool, err = pgxpool.New(ctx, r.stack.DatabaseURL); err != nil {
		return err
	}
	return r.prepareStores(ctx)
}

// prepareStores makes the tables, which is the worker's work.
func (r *rig) prepareStores(ctx context.Context) error {
	db, err := postgres.Open(ctx, postgres.Options{URL: r.stack.DatabaseURL, Name: "busu bench"})
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.Migrate(ctx); err != nil {
		return err
	}
	info, err := r.redis.InfoMap(ctx, "server").Result()
	if err != nil {
		return err
	}
	r.redisVersion = info["Server"]["redis_version"]
	return r.pool.QueryRow(ctx, "SHOW server_version").Scan(&r.postgresVersion)
}

// startBusu starts one of busu's processes on the rig's stores. More variables
// go before those of the rig.
func (b *bench) startBusu(ctx context.Context, r *rig, command string, more ...string) (*product.Process, error) {
	addr, err := localstack.FreeAddr()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(b.dir, command))
	name := fmt.Sprintf("%s-%d", command, addr.Port())
	cmd.Env = append(os.Environ(), "BUSU_ADDR="+addr.String(), "BUSU_CONFIG="+r.config(), "BUSU_STATE_DIR="+filepath.Join(r.dir, name),
		"BUSU_ADMIN_KEY="+adminKey, "DATABASE_URL="+r.stack.DatabaseURL, "REDIS_URL="+r.stack.RedisURL,
		product.ProfileTo+"="+filepath.Join(r.dir, name+".pprof"))
	cmd.Env = append(cmd.Env, more...)
	return product.Start(ctx, cmd, "http://"+addr.String(), filepath.Join(r.dir, name+".log"))
}

// waitKnown waits until the API no longer asks Redis for what cannot be there:
// until then it is as one that has just begun.
func (b *bench) waitKnown(ctx context.Context, r *rig) error {
	if b.options.Quick {
		return nil
	}
	return pause(ctx, time.Until(r.known))
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// everything has the worker and the aggregator run, and waits until they have
// caught up.
func (b *bench) everything(ctx context.Context) (*rig, error) {
	r, err := b.ready(ctx)
	if err != nil || len(r.also) > 0 {
		return r, err
	}
	for _, command := range []string{"worker", "aggregator"} {
		p, err := b.startBusu(ctx, r, command)
		if err != nil {
			return nil, err
		}
		r.also = append(r.also, p)
	}
	return r, r.caughtUp(ctx)
}

const (
	group       = "persist"
	catchUpLook = 20 * time.Millisecond
)

// behind is how many facts the worker has not stored.
func (r *rig) behind(ctx context.Context) (int64, error) {
	stream := redisdb.StreamKey(event.Lane{Stream: event.Completions})
	groups, err := r.redis.XInfoGroups(ctx, stream).Result()
	if err != nil && !strings.Contains(err.Error(), "no such key") {
		return 0, err
	}
	for _, g := range groups {
		if g.Name == group {
			return g.Lag + g.Pending, nil
		}
	}
	return r.redis.XLen(ctx, stream).Result()
}

func (r *rig) caughtUp(ctx context.Context) error {
	for {
		behind, err := r.behind(ctx)
		if err != nil {
			return err
		}
		if behind == 0 {
			return nil
		}
		if err := pause(ctx, catchUpLook); err != nil {
			return fmt.Errorf("the worker is %d facts behind: %w", behind, err)
		}
	}
}

// startForgetful starts a second API with as little memory for answers as there
// may be.
func (b *bench) startForgetful(ctx context.Context, r *rig) (*product.Process, error) {
	file := filepath.Join(r.dir, "forgetful.yaml")
	text := strings.Replace(b.busuYAML(), "cache: {ttl: 30s}", "cache: {ttl: 30s, memory_bytes: 1MiB}", 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return b.startBusu(ctx, r, "api", "BUSU_CONFIG="+file)
}
