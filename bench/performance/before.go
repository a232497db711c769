package performance

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/bench/load"
	"github.com/busuhq/busu/bench/measure"
)

// Names of scenarios: what the design calls before, and after.
const (
	metricsBefore  = "before: metrics query, SQL over the requests"
	metricsAfter   = "after: GET /routing/metrics"
	cacheBefore    = "before: 10 callers, upstream of 200 ms, cache off"
	cacheAfter     = "after: 10 callers, upstream of 200 ms, cache on"
	connectBefore  = "before: a connection for each query"
	connectAfter   = "after: connections of a pool"
	apacheName     = "ab -n 1000 -c 10 on /metrics/live"
	readyName      = "start of the API, stores up"
	queries        = 200
	fewCallers     = 10
	someQuestions  = 50
	liveRequests   = 1000
	milli          = 1000 // µs
	recentRequests = "SELECT strategy, count(*), sum(cost_nanos), percentile_cont(ARRAY[.5, .95, .99]) WITHIN GROUP (ORDER BY latency_us) " +
		"FROM completions WHERE project = 'default' AND at > now() - interval '1 hour' GROUP BY strategy"
)

// Figures of before and after.
const (
	postgresMS = "postgres_ms"
	redisMS    = "redis_ms"
	medianMS   = "median_ms"
	p95MS      = "p95_ms"
	hitRate    = "hit_rate_pct"
	readyMS    = "ready_ms"
	storedRows = "rows"
)

func (b *bench) beforeAndAfter() []scenario {
	of := func(name string, run func(context.Context, *rig) (measure.Figures, error)) scenario {
		return scenario{name, func(ctx context.Context) (measure.Figures, error) {
			r, err := b.everything(ctx)
			if err != nil {
				return nil, err
			}
			return run(ctx, r)
		}}
	}
	return []scenario{
		of(readyName, b.restarts),
		of(metricsBefore, metricsBySQL), of(metricsAfter, metricsByAPI),
		of(cacheBefore, func(ctx context.Context, r *rig) (measure.Figures, error) {
			return b.tenCallers(ctx, r, "X-Busu-Cache: bypass")
		}),
		of(cacheAfter, func(ctx context.Context, r *rig) (measure.Figures, error) {
			return b.tenCallers(ctx, r, "X-Busu-Cache: default")
		}),
		of(connectBefore, eachConnects), of(connectAfter, pooled),
		of(apacheName, b.apache),
	}
}

// timed does something often, and says how long its middle one and the slowest
// of twenty took.
func timed(ctx context.Context, work func(context.Context) error) (measure.Figures, error) {
	var h measure.Histogram
	for range queries {
		began := time.Now()
		if err := work(ctx); err != nil {
			return nil, err
		}
		h.Add(time.Since(began))
	}
	return measure.Figures{medianMS: h.Percentile(.5) / milli, p95MS: h.Percentile(.95) / milli}, nil
}

// metricsBySQL is what a dashboard asks that has nothing but the requests.
func metricsBySQL(ctx context.Context, r *rig) (measure.Figures, error) {
	var n int
	if err := r.pool.QueryRow(ctx, "SELECT count(*) FROM completions").Scan(&n); err != nil {
		return nil, err
	}
	var h measure.Histogram
	for range 5 { // each reads all of them
		began := time.Now()
		rows, err := r.pool.Query(ctx, recentRequests)
		if err != nil {
			return nil, err
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			return nil, err
		}
		h.Add(time.Since(began))
	}
	return measure.Figures{medianMS: h.Percentile(.5) / milli, p95MS: h.Percentile(.95) / milli, storedRows: float64(n)}, nil
}

func metricsByAPI(ctx context.Context, r *rig) (measure.Figures, error) {
	return timed(ctx, func(ctx context.Context) error { return r.get(ctx, "/routing/metrics?window=1h", nil) })
}

// tenCallers ask a few questions again and again.
func (b *bench) tenCallers(ctx context.Context, r *rig, header string) (measure.Figures, error) {
	a := ask{model: slowModel, key: r.open, user: true, headers: []string{header}}
	o, err := load.Closed(ctx, load.Load{Addr: r.target().addr, Connections: fewCallers, Warm: max(b.times.warm, time.Second+slowLatency), For: b.times.closed,
		Request: a.recipe(b.fresh(), someQuestions).request})
	f := measure.Figures{perSecond: 0}
	if err := errors.Join(err, o.Sound()); err != nil {
		return nil, err
	}
	f[perSecond], f[medianMS], f[p95MS] = o.PerSecond(), o.Took.Percentile(.5)/milli, o.Took.Percentile(.95)/milli
	return f, nil
}

// eachConnects is a program that opens a connection for each question.
func eachConnects(ctx context.Context, r *rig) (measure.Figures, error) {
	return bothStores(ctx, func(ctx context.Context) error {
		conn, err := pgx.Connect(ctx, r.stack.DatabaseURL)
		if err != nil {
			return err
		}
		_, err = conn.Exec(ctx, "SELECT 1")
		return errors.Join(err, conn.Close(ctx))
	}, func(ctx context.Context) error {
		o, err := redis.ParseURL(r.stack.RedisURL)
		if err != nil {
			return err
		}
		one := redis.NewClient(o)
		return errors.Join(one.Ping(ctx).Err(), one.Close())
	})
}

func pooled(ctx context.Context, r *rig) (measure.Figures, error) {
	return bothStores(ctx, func(ctx context.Context) error { _, err := r.pool.Exec(ctx, "SELECT 1"); return err },
		func(ctx context.Context) error { return r.redis.Ping(ctx).Err() })
}

func bothStores(ctx context.Context, postgres, redis func(context.Context) error) (measure.Figures, error) {
	p, err := timed(ctx, postgres)
	if err != nil {
		return nil, err
	}
	q, err := timed(ctx, redis)
	return measure.Figures{postgresMS: p[medianMS], redisMS: q[medianMS]}, err
}

// apache asks as ab does, with ab where there is one, and looks how many of the
// keys that Redis was asked for since it began were there.
func (b *bench) apache(ctx context.Context, r *rig) (measure.Figures, error) {
	f, err := b.askLive(ctx, r)
	if err != nil {
		return nil, err
	}
	info, err := r.redis.InfoMap(ctx, "stats").Result()
	if err != nil {
		return nil, err
	}
	hits, _ := strconv.ParseFloat(info["Stats"]["keyspace_hits"], 64)
	misses, _ := strconv.ParseFloat(info["Stats"]["keyspace_misses"], 64)
	f[hitRate] = 100 * hits / max(hits+misses, 1)
	return f, nil
}

// What ab says.
var (
	abRate   = regexp.MustCompile(`Requests per second:\s+([0-9.]+)`)
	abP95    = regexp.MustCompile(`(?m)^\s+95%\s+(\d+)`)
	abMedian = regexp.MustCompile(`(?m)^\s+50%\s+(\d+)`)
)

func (b *bench) askLive(ctx context.Context, r *rig) (measure.Figures, error) {
	ab, err := exec.LookPath("ab")
	if err != nil {
		o, err := load.Open(ctx, load.Load{Addr: r.target().addr, Connections: fewCallers, Rate: liveRequests, For: time.Second, Request: liveRequest})
		return measure.Figures{perSecond: o.PerSecond(), medianMS: o.Took.Percentile(.5) / milli, p95MS: o.Took.Percentile(.95) / milli}, errors.Join(err, o.Sound())
	}
	out, err := exec.CommandContext(ctx, ab, "-q", "-n", strconv.Itoa(liveRequests), "-c", strconv.Itoa(fewCallers), "-H", "Authorization: Bearer "+adminKey,
		r.api.Base+"/metrics/live").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%.500s", ab, err, out)
	}
	f := measure.Figures{}
	for name, pattern := range map[string]*regexp.Regexp{perSecond: abRate, medianMS: abMedian, p95MS: abP95} {
		m := pattern.FindSubmatch(out)
		if m == nil {
			return nil, fmt.Errorf("%s does not say what it is asked for: %.500s", ab, out)
		}
		if f[name], err = strconv.ParseFloat(string(m[1]), 64); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func liveRequest(into []byte, _ int) []byte {
	return fmt.Appendf(into[:0], "GET /metrics/live HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n\r\n", adminKey)
}

// restarts starts an API beside the one that serves.
func (b *bench) restarts(ctx context.Context, r *rig) (measure.Figures, error) {
	var h measure.Histogram
	for range 3 {
		began := time.Now()
		p, err := b.startBusu(ctx, r, "api")
		if err != nil {
			return nil, err
		}
		h.Add(time.Since(began))
		if err := p.Stop(); err != nil {
			return nil, err
		}
	}
	return measure.Figures{readyMS: h.Percentile(.5) / milli}, nil
}
