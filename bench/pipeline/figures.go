package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// figures are what was measured of a scenario in one round, by name.
type figures map[string]float64

// Names of figures. CPU is in µs per event, latency in µs.
const (
	perSecond         = "events_per_second"
	producedPerSecond = "produced_per_second"
	clientCPU         = "client_cpu_us"
	redisCPU          = "redis_cpu_us"
	postgresCPU       = "postgres_cpu_us"
	p50               = "p50_us"
	p99               = "p99_us"
	p999              = "p99.9_us"
	callP99           = "call_p99_us" // of the call alone, however late it began
)

// addPercentiles sorts latencies and notes three of them.
func (f figures) addPercentiles(latencies []time.Duration) {
	f[p50], f[p99], f[p999] = percentile(latencies, .5), percentile(latencies, .99), percentile(latencies, .999)
}

// percentile sorts latencies and gives one of them in µs; 0 when there are none.
func percentile(latencies []time.Duration, share float64) float64 {
	if len(latencies) == 0 {
		return 0
	}
	slices.Sort(latencies)
	at := min(int(share*float64(len(latencies))), len(latencies)-1)
	return float64(latencies[at]) / float64(time.Microsecond)
}

// String is for progress.
func (f figures) String() string {
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

// summary is a figure over all rounds.
type summary struct{ median, least, most float64 }

func summarize(values []float64) (summary, bool) {
	if len(values) == 0 {
		return summary{}, false
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	median := sorted[middle]
	if len(sorted)%2 == 0 {
		median = (sorted[middle-1] + median) / 2
	}
	return summary{median, sorted[0], sorted[len(sorted)-1]}, true
}
