package rollup

import (
	"time"

	"github.com/busuhq/busu/internal/pricing"
)

// Where a report was read from.
const (
	SourceRedis    = "redis"
	SourcePostgres = "postgres"
)

// Quantiles of durations in milliseconds; null without any.
type Quantiles struct {
	P50 *float64 `json:"p50"`
	P95 *float64 `json:"p95"`
	P99 *float64 `json:"p99"`
}

// Share is one name's part of a report.
type Share struct {
	Requests   int64         `json:"requests"`
	Errors     int64         `json:"errors"`
	CostUSD    pricing.Nanos `json:"cost_usd"`
	SavingsUSD pricing.Nanos `json:"savings_usd"`
	LatencyMS  Quantiles     `json:"latency_ms"`
}

// Sums are what can be added over all requests.
type Sums struct {
	TotalRequests   int64         `json:"total_requests"`
	Errors          int64         `json:"errors"`
	Unpriced        int64         `json:"unpriced_requests"` // missing from the sums of money
	TokensIn        int64         `json:"tokens_in"`
	TokensOut       int64         `json:"tokens_out"`
	CostUSD         pricing.Nanos `json:"cost_usd"`
	BaselineCostUSD pricing.Nanos `json:"baseline_cost_usd"`
	SavingsUSD      pricing.Nanos `json:"savings_usd"`
	SavingsPct      float64       `json:"savings_pct"` // of the baseline; 0 without one
}

// Report is the routing metrics of a project over a window.
type Report struct {
	Window string    `json:"window"`
	From   time.Time `json:"from"` // requests that arrived since then are counted
	Sums
	LatencyMS    Quantiles        `json:"latency_ms"`
	TTFTMS       Quantiles        `json:"ttft_ms"`
	OverheadMS   Quantiles        `json:"overhead_ms"`
	Cache        CacheCounts      `json:"cache"`
	ByStrategy   map[string]Share `json:"by_strategy"`
	ByModel      map[string]Share `json:"by_model"`
	ByProvider   map[string]Share `json:"by_provider"`
	ByConfidence map[string]Share `json:"by_confidence"`
	ErrorsByKind map[string]int64 `json:"errors_by_kind"`
	Fallbacks    Fallbacks        `json:"fallbacks"`
	Source       string           `json:"source"`
	AsOf         time.Time        `json:"as_of"`
	Stale        bool             `json:"stale"`
}

// Fallbacks are requests that another model served, or tried to, since one had
// failed.
type Fallbacks struct {
	Requests int64            `json:"requests"`
	ByModel  map[string]int64 `json:"by_model"` // that failed; a request may count for several
}

// CacheCounts are requests by where their answer came from.
type CacheCounts struct {
	Memory   int64 `json:"memory"`
	Redis    int64 `json:"redis"`
	Postgres int64 `json:"postgres"`
	Miss     int64 `json:"miss"`
}

// Snapshot is the live feed: the last minute, the state of the pipeline and
// the providers, and what there is in all.
type Snapshot struct {
	Report
	RequestsPerSecond float64       `json:"requests_per_second"`
	ErrorsPerSecond   float64       `json:"errors_per_second"`
	CostUSDPerHour    pricing.Nanos `json:"cost_usd_per_hour"`
	Totals            *Sums         `json:"totals"`   // since the first request; null when only PostgreSQL answers
	Pipeline          *Pipeline     `json:"pipeline"` // likewise

	// Providers are those of all API processes; null when only PostgreSQL answers.
	Providers []ProviderState `json:"providers"`
}

// Pipeline is how far the facts have come.
type Pipeline struct {
	StreamEntries int64   `json:"stream_entries"`
	Unread        int64   `json:"unread"`       // not yet handed to the worker
	Pending       int64   `json:"pending"`      // handed to the worker, not yet stored
	OldestMS      float64 `json:"oldest_ms"`    // age of the oldest that is not stored
	DeadLetters   int64   `json:"dead_letters"` // could not be processed

	// Of all API processes' journals.
	JournalBytes    int64 `json:"journal_bytes"`
	JournalMaxBytes int64 `json:"journal_max_bytes"` // at which requests are refused
	JournalBacklog  int64 `json:"journal_backlog"`   // facts that are not shipped
}

// NewReport makes a report of cells.
func NewReport(w Window, cells Cells, source string, now time.Time) Report {
	total := cells.get(all)
	r := Report{
		Window: w.Name, From: w.From(now), Sums: NewSums(cells),
		LatencyMS: quantiles(total.Latency), TTFTMS: quantiles(total.TTFT), OverheadMS: quantiles(total.Overhead),
		Cache: CacheCounts{
			Memory:   cells.get(Dim{KindCache, "memory"}).Requests,
			Redis:    cells.get(Dim{KindCache, "redis"}).Requests,
			Postgres: cells.get(Dim{KindCache, "postgres"}).Requests,
			Miss:     cells.get(Dim{KindCache, "miss"}).Requests,
		},
		ByStrategy: cells.shares(KindStrategy), ByModel: cells.shares(KindModel),
		ByProvider: cells.shares(KindProvider), ByConfidence: cells.shares(KindConfidence),
		ErrorsByKind: map[string]int64{}, Fallbacks: Fallbacks{cells.get(Dim{Kind: KindFallback}).Requests, map[string]int64{}},
		Source: source, AsOf: now.UTC(),
	}
	for d, c := range cells {
		switch {
		case d.Kind == KindError:
			r.ErrorsByKind[d.Name] = c.Requests
		case d.Kind == KindFallback && d.Name != "":
			r.Fallbacks.ByModel[d.Name] = c.Requests
		}
	}
	return r
}

// NewSums adds up all requests in cells.
func NewSums(cells Cells) Sums {
	c := cells.get(all)
	s := Sums{
		TotalRequests: c.Requests, Errors: c.Errors, Unpriced: cells.get(Dim{Kind: KindUnpriced}).Requests, TokensIn: c.TokensIn, TokensOut: c.TokensOut,
		CostUSD: pricing.Nanos(c.CostNanos), BaselineCostUSD: pricing.Nanos(c.BaselineNanos),
		SavingsUSD: pricing.Nanos(c.BaselineNanos - c.CostNanos),
	}
	if c.BaselineNanos > 0 {
		s.SavingsPct = 100 * float64(c.BaselineNanos-c.CostNanos) / float64(c.BaselineNanos)
	}
	return s
}

// NewSnapshot makes the live feed of the last minute's report.
func NewSnapshot(minute Report, totals *Sums, p *Pipeline) Snapshot {
	const seconds = 60
	return Snapshot{
		Report:            minute,
		RequestsPerSecond: float64(minute.TotalRequests) / seconds,
		ErrorsPerSecond:   float64(minute.Errors) / seconds,
		CostUSDPerHour:    minute.CostUSD * 60,
		Totals:            totals,
		Pipeline:          p,
	}
}

func (cs Cells) get(d Dim) Cell {
	if c := cs[d]; c != nil {
		return *c
	}
	return Cell{}
}

func (cs Cells) shares(kind string) map[string]Share {
	shares := map[string]Share{}
	for d, c := range cs {
		if d.Kind == kind {
			shares[d.Name] = Share{Requests: c.Requests, Errors: c.Errors, CostUSD: pricing.Nanos(c.CostNanos),
				SavingsUSD: pricing.Nanos(c.BaselineNanos - c.CostNanos), LatencyMS: quantiles(c.Latency)}
		}
	}
	return shares
}

func quantiles(s Sketch) Quantiles {
	v := s.Quantiles(.5, .95, .99)
	if v == nil {
		return Quantiles{}
	}
	return Quantiles{P50: &v[0], P95: &v[1], P99: &v[2]}
}
