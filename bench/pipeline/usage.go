package pipeline

import (
	"context"
	"strings"
	"time"

	"github.com/busuhq/busu/bench/measure"
)

// meter measures a stretch of time and the processor time that it took.
type meter struct {
	stores *stores
	began  time.Time
	before usage
}

// usage is processor time by who used it.
type usage struct{ client, redis, postgres time.Duration }

func (s *stores) start() *meter {
	m := &meter{stores: s, before: s.usage()}
	m.began = time.Now()
	return m
}

// figures are those of n events since start.
func (m *meter) figures(n int) figures {
	took := time.Since(m.began)
	u := m.stores.usage()
	each := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) / float64(n) }
	return figures{
		perSecond:   float64(n) / took.Seconds(),
		clientCPU:   each(u.client - m.before.client),
		redisCPU:    each(u.redis - m.before.redis),
		postgresCPU: each(u.postgres - m.before.postgres),
	}
}

func (s *stores) usage() usage {
	children := measure.Children()
	return usage{client: measure.OwnUsage(),
		redis:    measure.FamilyUsage(s.stack.Redis.Pid(), children),
		postgres: measure.FamilyUsage(s.stack.Postgres.Pid(), children)}
}

// askRedis asks Redis for one field of INFO.
func (s *stores) askRedis(ctx context.Context, section, field string) (string, error) {
	info, err := s.rdb.InfoMap(ctx, strings.ToLower(section)).Result()
	return info[section][field], err
}

// describe notes the stores' versions.
func (s *stores) describe(ctx context.Context, m *measure.Machine) (err error) {
	if m.Redis, err = s.askRedis(ctx, "Server", "redis_version"); err != nil {
		return err
	}
	return s.pool.QueryRow(ctx, "SHOW server_version").Scan(&m.Postgres)
}
