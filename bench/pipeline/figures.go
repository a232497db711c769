package pipeline

import (
	"fmt"
	"strings"

	"github.com/busuhq/busu/bench/measure"
)

type (
	figures = measure.Figures
	summary = measure.Summary
)

// Names of figures. CPU is in µs per event, latency in µs.
const (
	perSecond         = "events_per_second"
	producedPerSecond = "produced_per_second"
	clientCPU         = "client_cpu_us"
	redisCPU          = "redis_cpu_us"
	postgresCPU       = "postgres_cpu_us"
	p50               = measure.P50
	p99               = measure.P99
	p999              = measure.P999
	callP99           = "call_p99_us" // of the call alone, however late it began
)

// describe is for progress.
func describe(f figures) string {
	var parts []string
	if v, ok := f[p99]; ok {
		parts = append(parts, fmt.Sprintf("p50 %.4g, p99 %.4g, p99.9 %.4g µs", f[p50], v, f[p999]))
	}
	if v, ok := f[perSecond]; ok {
		parts = append(parts, fmt.Sprintf("%.1fk/s, µs CPU: client %.1f redis %.1f postgres %.1f",
			v/1000, f[clientCPU], f[redisCPU], f[postgresCPU]))
	}
	return strings.Join(parts, "; ")
}
