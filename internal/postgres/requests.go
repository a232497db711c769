package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/requests"
)

// entryColumns are what a list shows of a completion, in the order of
// entryInto.
const entryColumns = `id, at, user_id, session_id, caller_id, strategy, confidence, planned_model, provider, model,
	status, error_kind, finish_reason, fallbacks, degraded, cache, experiments, holdout, tokens_in, tokens_out,
	cost_nanos, baseline_cost_nanos, unpriced, estimated, latency_us, ttft_us, overhead_us`

// entryRow is a row of entryColumns.
type entryRow struct {
	requests.Entry
	latencyUS, ttftUS, overheadUS int64
}

func (r *entryRow) into() []any {
	e := &r.Entry
	return []any{&e.ID, &e.At, &e.UserID, &e.SessionID, &e.CallerID, &e.Strategy, &e.Confidence, &e.PlannedModel, &e.Provider, &e.Model,
		&e.Status, &e.ErrorKind, &e.FinishReason, &e.Fallbacks, &e.Degraded, &e.Cache, &e.Experiments, &e.Holdout, &e.TokensIn, &e.TokensOut,
		(*int64)(&e.CostUSD), (*int64)(&e.BaselineCostUSD), &e.Unpriced, &e.Estimated, &r.latencyUS, &r.ttftUS, &r.overheadUS}
}

// entry is the row in the words of requests.
func (r *entryRow) entry() requests.Entry {
	e := r.Entry
	e.At = e.At.UTC()
	e.SavingsUSD = e.BaselineCostUSD - e.CostUSD
	e.LatencyMS, e.TTFTMS, e.OverheadMS = milliseconds(r.latencyUS), milliseconds(r.ttftUS), milliseconds(r.overheadUS)
	for _, list := range []*[]string{&e.Fallbacks, &e.Degraded} {
		if *list == nil {
			*list = []string{}
		}
	}
	if e.Experiments == nil {
		e.Experiments = []event.Arm{}
	}
	return e
}

func milliseconds(us int64) float64 { return float64(us) / 1000 }

// Request gives all that is stored of one request of a project, or
// requests.ErrUnknown.
func (db *DB) Request(ctx context.Context, project string, id uuid.UUID) (requests.Record, error) {
	var e entryRow
	var r requests.Record
	var candidates []event.Candidate
	c := &r.Cost
	err := db.pool.QueryRow(ctx, `SELECT `+entryColumns+`, project, key_id, metadata, reason, complexity, propensity, snapshot,
			candidates, cache_match, origin_id, cost_nanos, origin_cost_nanos, baseline_cost_nanos, baseline_model, price_version,
			tokens_in_cached, tokens_in_cache_write, tokens_reasoning, journal, partition, seq, persisted_at
		FROM completions WHERE id = $1 AND at = $2 AND project = $3`, id, event.TimeOf(id), project).
		Scan(append(e.into(), &r.Project, &r.KeyID, &r.Metadata, &r.Plan.Reason, &r.Plan.Complexity, &r.Plan.Propensity, &r.Plan.Snapshot,
			&candidates, &r.CacheMatch, &r.OriginID, &c.CostNanos, &c.OriginNanos, &c.BaselineNanos, &c.BaselineModel, &c.PriceVersion,
			&c.TokensCached, &c.TokensCacheWrite, &c.TokensReasoning, &r.Ledger.Journal, &r.Ledger.Partition, &r.Ledger.Seq, &r.Ledger.PersistedAt)...)
	if errors.Is(err, pgx.ErrNoRows) {
		return requests.Record{}, requests.ErrUnknown
	}
	if err != nil {
		return requests.Record{}, fmt.Errorf("read request %s: %w", id, err)
	}
	r.Entry = e.entry()
	r.Attempts = r.Asked()
	r.Ledger.PersistedAt = r.Ledger.PersistedAt.UTC()
	r.Plan.Candidates = requests.Candidates(candidates)
	r.Feedback, err = db.FeedbackOf(ctx, project, id)
	return r, err
}

// FindRequests gives a page of a project's requests, newest first. It looks no
// longer than patience asks for, but for the step that it is in; what it has
// not got to is left to the next page.
func (db *DB) FindRequests(ctx context.Context, project string, q requests.Query, patience time.Duration) (requests.Page, error) {
	s := &search{project: project, q: q, f: filterOf(q.Filter)}
	// A plan is made for the stretch that is searched, which says how few
	// partitions it needs.
	s.mode = pgx.QueryExecModeDescribeExec
	err := pgx.BeginTxFunc(ctx, db.pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		return s.run(ctx, tx, time.Now().Add(patience))
	})
	if err != nil {
		return requests.Page{}, fmt.Errorf("find requests: %w", err)
	}
	return s.page(), nil
}

// condition is a part of a WHERE, with a verb for each of its arguments.
type condition struct {
	sql  string
	args []any
}

// filter is a requests.Filter for SQL.
type filter struct {
	path   []condition // that an index finds rows by, in the order of time
	narrow bool        // there are few rows on the path, in all of time
	rest   []condition // that is looked for in the rows found
	dims   []dimension // of those, what rollups know the hours of
}

type dimension struct {
	kind  string
	names []string
}

// filterOf chooses the index: the one whose rows are the fewest, as a rule.
func filterOf(f requests.Filter) filter {
	var out filter
	list := func(column, kind string, values []string) {
		if len(values) > 0 {
			out.rest = append(out.rest, condition{column + " = ANY (%s)", []any{values}})
			if kind != "" {
				out.dims = append(out.dims, dimension{kind, values})
			}
		}
	}
	for _, indexed := range []struct {
		column string
		values []string
	}{{"caller_id", f.CallerIDs}, {"session_id", f.Sessions}, {"user_id", f.Users}} {
		// Only one value is in the order of time.
		if len(indexed.values) == 1 && out.path == nil {
			out.path, out.narrow = []condition{{indexed.column + " = %s", []any{indexed.values[0]}}}, true
		} else {
			list(indexed.column, "", indexed.values)
		}
	}
	list("provider", "provider", f.Providers)
	list("strategy", "strategy", f.Strategies)
	list("confidence", "confidence", f.Confidences)
	list("cache", "cache", f.Caches)
	list("error_kind", "error", f.ErrorKinds)
	list("status", "", f.Statuses)
	list("key_id", "", f.KeyIDs)
	out.flags(f)
	out.amounts(f)
	out.byTrouble(f)
	if len(f.Models) == 1 && out.path == nil {
		out.path = []condition{{"model = %s", []any{f.Models[0]}}}
		out.dims = append(out.dims, dimension{"model", f.Models})
	} else {
		list("model", "model", f.Models)
	}
	return out
}

func (out *filter) add(sql string, args ...any) {
	out.rest = append(out.rest, condition{sql, args})
}

func (out *filter) flags(f requests.Filter) {
	if len(f.Experiments) > 0 {
		out.add(`EXISTS (SELECT FROM jsonb_array_elements(experiments) AS e WHERE e->>'experiment' = ANY (%s))`, f.Experiments)
	}
	for _, flag := range []struct {
		sql    string
		wanted *bool
	}{{failed, f.Failed}, {"holdout", f.Holdout}, {"degraded IS NOT NULL", f.Degraded}, {"fallbacks IS NOT NULL", f.Fallbacks}} {
		switch {
		case flag.wanted == nil:
		case *flag.wanted:
			out.add("(" + flag.sql + ")")
		default:
			out.add("NOT (" + flag.sql + ")")
		}
	}
}

func (out *filter) amounts(f requests.Filter) {
	for _, least := range []struct {
		sql    string
		amount int64
	}{{"cost_nanos", f.MinCostNanos}, {"baseline_cost_nanos - cost_nanos", f.MinSavingsNanos}, {"latency_us", f.MinLatencyUS}} {
		if least.amount != 0 {
			out.add(least.sql+" >= %s", least.amount)
		}
	}
}

// byTrouble looks among the few that went not as planned, or in those of
// experiments, where nothing narrower is to be looked in. The conditions are
// those of the indexes, literally, so that any plan can use them.
func (out *filter) byTrouble(f requests.Filter) {
	wants := func(flag *bool) bool { return flag != nil && *flag }
	hasOK := len(f.Statuses) == 0
	for _, status := range f.Statuses {
		hasOK = hasOK || status == event.StatusOK
	}
	switch {
	case out.path != nil:
	case !hasOK || wants(f.Failed):
		out.path = []condition{{"status <> 'ok'", nil}}
	case len(f.ErrorKinds) > 0:
		out.path = []condition{{"error_kind IS NOT NULL", nil}}
	case wants(f.Fallbacks):
		out.path = []condition{{"fallbacks IS NOT NULL", nil}}
	case wants(f.Degraded):
		out.path = []condition{{"degraded IS NOT NULL", nil}}
	case len(f.Experiments) > 0:
		out.path = []condition{{"experiments IS NOT NULL", nil}}
	}
}

// where is conditions as SQL that goes on after others, whose arguments are
// added to args.
func where(args *[]any, conditions ...condition) string {
	parts := []string{""}
	for _, c := range conditions {
		sql := c.sql
		for _, arg := range c.args {
			*args = append(*args, arg)
			sql = strings.Replace(sql, "%s", fmt.Sprintf("$%d", len(*args)), 1)
		}
		parts = append(parts, sql)
	}
	return strings.Join(parts, " AND ")
}
