package performance

import (
	"bufio"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/busuhq/busu/bench/load"
	"github.com/busuhq/busu/bench/measure"
)

// Figures, for each request where their name does not say otherwise.
const (
	perSecond   = "per_second"
	apiCPU      = "cpu_us"       // of the server that is asked
	redisCPU    = "redis_cpu_us" // of what else works for it
	postgresCPU = "postgres_cpu_us"
	alsoCPU     = "worker_and_aggregator_cpu_us"
	allocations = "allocations"
	allocated   = "allocated_bytes"
	collections = "collections_per_second" // of garbage
	rssMB       = "rss_mb"
	failedPct   = "failed_pct"
	refusedPct  = "refused_pct"
	holdingPct  = "as_expected_pct" // of the answers, by their head
	firstP50    = "first_p50_us"
	firstP99    = "first_p99_us"
	eachEvent   = "cpu_us_per_event"
)

// percentiles are of the plot, as shares, by the name of their figure.
func percentiles() map[string]float64 {
	return map[string]float64{measure.P50: .5, "p75_us": .75, "p90_us": .9, "p95_us": .95, "p98_us": .98, measure.P99: .99, measure.P999: .999}
}

// meter measures what a target uses while requests are counted.
type meter struct {
	target      target
	rig         *rig // nil: none is asked
	before, end usage
}

// usage is what was used until a moment.
type usage struct {
	server, redis, postgres, also time.Duration
	mallocs, bytes, collections   float64
}

func (m *meter) counting(on bool) {
	u := m.usage()
	if on {
		m.before = u
	} else {
		m.end = u
	}
}

func (m *meter) usage() (u usage) {
	children := measure.Children()
	for _, pid := range m.target.pids {
		u.server += measure.FamilyUsage(pid, children)
	}
	if m.rig != nil {
		u.redis = measure.AloneUsage(m.rig.stack.Redis.Pid()) // its child that rewrites the file comes to the scenario in which that has doubled
		u.postgres = measure.FamilyUsage(m.rig.stack.Postgres.Pid(), children)
		for _, p := range m.rig.also {
			u.also += measure.ProcessUsage(p.PID())
		}
	}
	if m.target.metrics {
		values := scrape("http://" + m.target.addr + "/metrics")
		u.mallocs, u.bytes, u.collections = values["go_memstats_mallocs_total"], values["go_memstats_alloc_bytes_total"], values["go_gc_duration_seconds_count"]
	}
	return u
}

// scrape reads the values without labels of a page for Prometheus; none where
// there is none.
func scrape(url string) map[string]float64 {
	r, err := http.Get(url)
	if err != nil {
		return nil
	}
	defer r.Body.Close()
	defer func() { _, _ = io.Copy(io.Discard, r.Body) }()
	values := map[string]float64{}
	for lines := bufio.NewScanner(r.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if x, err := strconv.ParseFloat(value, 64); err == nil {
			values[name] = x
		}
	}
	return values
}

// figures are those of an outcome.
func (m *meter) figures(o load.Outcome) measure.Figures {
	n := float64(max(o.Sent(), 1))
	each := func(from, to time.Duration) float64 { return float64(to-from) / float64(time.Microsecond) / n }
	f := measure.Figures{perSecond: o.PerSecond(), failedPct: o.Share(o.Failed), refusedPct: o.Share(o.Refused)}
	for name, share := range percentiles() {
		f[name] = o.Took.Percentile(share)
	}
	if len(m.target.pids) > 0 {
		f[apiCPU] = each(m.before.server, m.end.server)
		for _, pid := range m.target.pids {
			f[rssMB] += float64(measure.Resident(pid)) / 1e6
		}
	}
	if m.rig != nil {
		f[redisCPU], f[postgresCPU] = each(m.before.redis, m.end.redis), each(m.before.postgres, m.end.postgres)
		if len(m.rig.also) > 0 {
			f[alsoCPU] = each(m.before.also, m.end.also)
		}
	}
	if m.target.metrics {
		f[allocations], f[allocated] = (m.end.mallocs-m.before.mallocs)/n, (m.end.bytes-m.before.bytes)/n
		f[collections] = (m.end.collections - m.before.collections) / o.Elapsed.Seconds()
	}
	if o.Events > 0 {
		f[firstP50], f[firstP99] = o.First.Percentile(.5), o.First.Percentile(.99)
		f[eachEvent] = f[apiCPU] * n / float64(o.Events)
	}
	return f
}
