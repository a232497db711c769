package performance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/bench/product"
)

// Stand is busu with everything on, its stores and an upstream, for who measures
// it in another way than by scenarios.
type Stand struct {
	bench *bench
	rig   *rig
	mixed mix
}

// LedgerAnswers is how long PostgreSQL keeps answers in a stand; a day by
// default.
const LedgerAnswers = 5 * time.Minute

// lasting makes a configuration last for hours: models at a tenth of their
// prices, which do not use up the largest budget that there is, and answers that
// PostgreSQL keeps for a while that ends.
func lasting() *strings.Replacer {
	return strings.NewReplacer("cache: {ttl: 30s}", fmt.Sprintf("cache: {ttl: 30s, postgres_ttl: %s}", LedgerAnswers),
		"usd_per_mtok: 0.15, output_usd_per_mtok: 0.6}", "usd_per_mtok: 0.015, output_usd_per_mtok: 0.06}",
		"usd_per_mtok: 1, output_usd_per_mtok: 4}", "usd_per_mtok: 0.1, output_usd_per_mtok: 0.4}",
		"usd_per_mtok: 2.5, output_usd_per_mtok: 10}", "usd_per_mtok: 0.25, output_usd_per_mtok: 1}")
}

// OpenStand builds and starts it. Its configuration is that of the scenarios,
// made to last, with more of it behind.
func OpenStand(ctx context.Context, more string, progress io.Writer) (_ *Stand, err error) {
	b := &bench{options: Options{Progress: progress}, times: Options{}.times(), servers: map[string]*product.Process{},
		rewrite: func(yaml string) string { return lasting().Replace(yaml) + more }}
	s := &Stand{bench: b}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if b.dir, err = os.MkdirTemp("", "busu-stand-"); err != nil {
		return nil, err
	}
	if err := os.Chmod(b.dir, 0o711); err != nil { // PostgreSQL may run as somebody else, who has to pass
		return nil, err
	}
	fmt.Fprintln(progress, "building busu")
	if err := product.Build(ctx, b.dir, false, "api", "worker", "aggregator", "busu"); err != nil {
		return nil, err
	}
	if err := b.startMock(ctx); err != nil {
		return nil, err
	}
	if s.rig, err = b.everything(ctx); err != nil {
		return nil, err
	}
	s.mixed = s.rig.mix(b.fresh(), b.fresh())
	return s, nil
}

// Close ends all of it and removes what it has written.
func (s *Stand) Close() error {
	err := s.bench.close()
	if s.bench.dir == "" {
		return err
	}
	return errors.Join(err, os.RemoveAll(s.bench.dir))
}

// Addr is where the API listens.
func (s *Stand) Addr() string { return addrOf(s.rig.api) }

// Processes are busu's, by their command.
func (s *Stand) Processes() map[string]*product.Process {
	all := map[string]*product.Process{}
	for _, p := range append(s.rig.also, s.rig.api) {
		all[p.Name()] = p
	}
	return all
}

// Redis is its store of streams, caches and live metrics.
func (s *Stand) Redis() *redis.Client { return s.rig.redis }

// Postgres is its ledger.
func (s *Stand) Postgres() *pgxpool.Pool { return s.rig.pool }

// Versions of Redis and PostgreSQL.
func (s *Stand) Versions() (redis, postgres string) {
	return s.rig.redisVersion, s.rig.postgresVersion
}

// Dir is where state, stores and logs are.
func (s *Stand) Dir() string { return s.rig.dir }

// Command is busu's own, on the stand's stores.
func (s *Stand) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bench.dir, "busu"), args...)
	cmd.Env = append(os.Environ(), "BUSU_CONFIG="+s.rig.config(), "BUSU_STATE_DIR="+filepath.Join(s.rig.dir, "busu"),
		"BUSU_ADMIN_KEY="+adminKey, "DATABASE_URL="+s.rig.stack.DatabaseURL, "REDIS_URL="+s.rig.stack.RedisURL)
	return cmd
}

// Behind is how many facts the worker has not stored.
func (s *Stand) Behind(ctx context.Context) (int64, error) { return s.rig.behind(ctx) }

// Request writes the i-th request of the mix that Mix describes.
func (s *Stand) Request(into []byte, i int) []byte { return s.mixed.request(into, i) }

// mix is requests of several kinds in turn.
type mix struct{ routed, experiment, stream, again recipe }

// questions that the mix asks again and again.
const questions = 200

// Mix says of what requests are mixed.
const Mix = "of ten requests five are routed, two are so within an experiment, one is routed and streamed, and two are of 200 questions again and again, " +
	"which memory answers but for the one in 30 s that renews it; each has a key with limits and budgets, and one of 800,000 users"

// mixUsers are so many that none asks twice in a minute: that would be a verdict
// on the first answer.
const mixUsers = 1_000_000

func (r *rig) mix(from, again int) mix {
	stream := r.everythingOn()
	stream.stream = true
	return mix{routed: r.everythingOn().recipe(from, 0).among(mixUsers), experiment: r.inExperiment().recipe(from, 0).among(mixUsers),
		stream: stream.recipe(from, 0).among(mixUsers), again: r.everythingOn().recipe(again, questions)}
}

func (m mix) request(into []byte, i int) []byte {
	switch i % 10 {
	case 2, 7:
		return m.again.request(into, i/5)
	case 4, 9:
		return m.experiment.request(into, i)
	case 5:
		return m.stream.request(into, i)
	default:
		return m.routed.request(into, i)
	}
}
