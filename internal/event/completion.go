package event

import (
	"cmp"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
)

// DefaultProject is the project of requests made without a key.
const DefaultProject = "default"

// How a request ended.
const (
	StatusOK          = "ok"          // answered in full
	StatusCutOff      = "cut_off"     // answered, but stopped by max_tokens or a filter
	StatusEmpty       = "empty"       // answered with nothing
	StatusError       = "error"       // every provider failed
	StatusCanceled    = "canceled"    // the caller left
	StatusInterrupted = "interrupted" // the process died between intent and fact
)

var statuses = map[string]bool{StatusOK: true, StatusCutOff: true, StatusEmpty: true,
	StatusError: true, StatusCanceled: true, StatusInterrupted: true}

// Strategies of calls that no caller asked for: a second model that is asked
// beside one that was planned, and a model that is asked which of both answers
// is better.
const (
	StrategyShadow = "shadow"
	StrategyJudge  = "judge"
)

// Where an answer came from.
const (
	CacheMiss     = "miss"
	CacheMemory   = "memory"
	CacheRedis    = "redis"
	CachePostgres = "postgres"
)

var cacheLevels = map[string]bool{CacheMiss: true, CacheMemory: true, CacheRedis: true, CachePostgres: true}

// What an answer may say against its model.
const (
	ImplicitCutOff  = "cut_off"      // it did not find an end, without a limit of the caller's
	ImplicitEmpty   = "empty"        // it says nothing
	ImplicitRefused = "refused"      // the model, or a filter, would not answer
	ImplicitInvalid = "invalid_json" // it is not the JSON that was asked for
)

// Arm names the side of an experiment that a request belongs to.
type Arm struct {
	Experiment string `json:"experiment"`
	Arm        string `json:"arm"`
}

// Candidate is one model that the plan considered, with the prediction it was
// judged by.
type Candidate struct {
	Model       string  `json:"model"`
	Quality     float64 `json:"quality"`         // predicted chance of a good answer
	Prior       float64 `json:"prior,omitempty"` // the same before anything was learned; 0 where nothing is
	CostNanos   int64   `json:"cost_nanos"`
	Probability float64 `json:"probability"` // of being planned
	Unpriced    bool    `json:"unpriced,omitempty"`
}

// CompletionRecorded is the fact of one answered or failed request. Money is
// in nano-dollars, durations in microseconds, both integers, so that every
// reader adds up to the same totals.
//
// The same struct, as it would read if the process died now, is the intent
// that is journaled before a provider is paid.
type CompletionRecorded struct {
	Header

	Project   string            `json:"project"`
	KeyID     string            `json:"key_id,omitempty"`
	UserID    string            `json:"user_id,omitempty"`
	SessionID string            `json:"session_id,omitempty"`
	CallerID  string            `json:"caller_id,omitempty"` // the caller's own request id
	Metadata  map[string]string `json:"metadata,omitempty"`

	Strategy     string      `json:"strategy"`
	Experiments  []Arm       `json:"experiments,omitempty"`
	Holdout      bool        `json:"holdout,omitempty"`
	PlannedModel string      `json:"planned_model"`
	Propensity   float64     `json:"propensity"` // of planned_model; 0 where nothing was chosen
	Snapshot     int64       `json:"snapshot,omitempty"`
	Complexity   float64     `json:"complexity"`
	Confidence   string      `json:"confidence,omitempty"`
	Reason       string      `json:"reason,omitempty"`
	Candidates   []Candidate `json:"candidates,omitempty"`

	// Features are what a strategy that learns has seen of the prompt: hashed
	// words and counters, as package prompt encodes them. They expire before
	// the rest.
	Features []byte `json:"features,omitempty"`

	Provider     string   `json:"provider,omitempty"` // that served, or was tried last
	Model        string   `json:"model,omitempty"`    // that served, or was tried last
	Status       string   `json:"status"`
	ErrorKind    string   `json:"error_kind,omitempty"`
	FinishReason string   `json:"finish_reason,omitempty"`
	Fallbacks    []string `json:"fallbacks,omitempty"` // models that failed before
	Degraded     []string `json:"degraded,omitempty"`
	Cache        string   `json:"cache"`
	CacheMatch   string   `json:"cache_match,omitempty"` // how the question matched the answer's; "" for a miss

	Implicit string `json:"implicit,omitempty"` // what the answer says against its model, though nobody judged it

	// OriginID is the request whose call made the answer, where that is another;
	// of a call in the background, the request that it was made for.
	OriginID uuid.UUID `json:"origin_id,omitzero"`

	TokensIn       int64 `json:"tokens_in"`
	TokensInCached int64 `json:"tokens_in_cached,omitempty"`

	TokensInCacheWrite int64 `json:"tokens_in_cache_write,omitempty"` // of tokens_in, written to the provider's cache

	TokensOut       int64 `json:"tokens_out"`
	TokensReasoning int64 `json:"tokens_reasoning,omitempty"`

	CostNanos         int64  `json:"cost_nanos"`
	OriginCostNanos   int64  `json:"origin_cost_nanos"` // of the call that made the answer; cost_nanos unless cached
	BaselineCostNanos int64  `json:"baseline_cost_nanos"`
	BaselineModel     string `json:"baseline_model"`
	PriceVersion      string `json:"price_version,omitempty"`
	Unpriced          bool   `json:"unpriced,omitempty"`
	Estimated         bool   `json:"estimated,omitempty"` // tokens and cost are estimates

	LatencyUS  int64 `json:"latency_us"`  // from arrival to the answer
	TTFTUS     int64 `json:"ttft_us"`     // to the first token
	OverheadUS int64 `json:"overhead_us"` // latency without the time providers took
}

// NewCompletion begins the fact of a request that arrived as id.
func NewCompletion(id uuid.UUID) *CompletionRecorded {
	return &CompletionRecorded{Header: Header{V: Version, Type: TypeCompletionRecorded, ID: id, At: TimeOf(id)}}
}

// Stream is Completions.
func (c *CompletionRecorded) Stream() Stream { return Completions }

// Key is the user.
func (c *CompletionRecorded) Key() string { return c.UserID }

// Failed reports whether the request went without a usable answer.
func (c *CompletionRecorded) Failed() bool {
	return c.Status == StatusError || c.Status == StatusCanceled || c.Status == StatusInterrupted
}

// Background reports whether no caller asked for it and none waited: it was paid
// to learn from.
func (c *CompletionRecorded) Background() bool {
	return c.Strategy == StrategyShadow || c.Strategy == StrategyJudge
}

// SavingsNanos is baseline cost minus cost; negative when busu was dearer.
func (c *CompletionRecorded) SavingsNanos() int64 { return c.BaselineCostNanos - c.CostNanos }

// Latency from arrival to the answer.
func (c *CompletionRecorded) Latency() time.Duration {
	return time.Duration(c.LatencyUS) * time.Microsecond
}

// Limits on amounts, far above what is real and far below what overflows when
// a database adds up billions of them.
const (
	maxTokens = 1 << 40
	maxNanos  = 1 << 53
	maxMicros = 1 << 53
	maxKey    = 1024 // bytes of a text that PostgreSQL indexes

	maxFeatures = 8 << 10 // bytes; the longest prompt has half
)

// Validate says whether the fact can be stored and counted.
func (c *CompletionRecorded) Validate() error {
	if err := c.validate(TypeCompletionRecorded); err != nil {
		return err
	}
	if c.Project == "" || c.Strategy == "" || !statuses[c.Status] || !cacheLevels[c.Cache] {
		return fmt.Errorf("project %q, strategy %q, status %q, cache %q: missing or unknown",
			c.Project, c.Strategy, c.Status, c.Cache)
	}
	if n := max(len(c.Journal), len(c.Project), len(c.UserID), len(c.SessionID), len(c.CallerID), len(c.Model)); n > maxKey {
		return fmt.Errorf("journal, project, user_id, session_id, caller_id or model is longer than %d bytes: %d", maxKey, n)
	}
	if err := c.validateNumbers(); err != nil {
		return err
	}
	return c.validateText()
}

func (c *CompletionRecorded) validateNumbers() error {
	for _, r := range [...]struct {
		name  string
		value int64
		limit int64
	}{
		{"tokens_in", c.TokensIn, maxTokens}, {"tokens_in_cached", c.TokensInCached, maxTokens},
		{"tokens_in_cache_write", c.TokensInCacheWrite, maxTokens},
		{"tokens_out", c.TokensOut, maxTokens}, {"tokens_reasoning", c.TokensReasoning, maxTokens},
		{"cost_nanos", c.CostNanos, maxNanos}, {"origin_cost_nanos", c.OriginCostNanos, maxNanos},
		{"baseline_cost_nanos", c.BaselineCostNanos, maxNanos},
		{"latency_us", c.LatencyUS, maxMicros}, {"ttft_us", c.TTFTUS, maxMicros},
		{"overhead_us", c.OverheadUS, maxMicros}, {"snapshot", c.Snapshot, math.MaxInt64},
	} {
		if r.value < 0 || r.value > r.limit {
			return fmt.Errorf("%s %d is out of range", r.name, r.value)
		}
	}
	if !isShare(c.Propensity) || !isShare(c.Complexity) {
		return fmt.Errorf("propensity %g, complexity %g: not within 0 and 1", c.Propensity, c.Complexity)
	}
	if len(c.Features) > maxFeatures {
		return fmt.Errorf("features take %d bytes, more than %d", len(c.Features), maxFeatures)
	}
	for i, m := range c.Candidates {
		if !isShare(m.Quality) || !isShare(m.Prior) || !isShare(m.Probability) || m.CostNanos < 0 || m.CostNanos > maxNanos {
			return fmt.Errorf("candidate %d: quality %g, prior %g, probability %g or cost_nanos %d is out of range",
				i, m.Quality, m.Prior, m.Probability, m.CostNanos)
		}
	}
	return nil
}

func isShare(x float64) bool { return x >= 0 && x <= 1 } // false for NaN

// validateText refuses what PostgreSQL cannot store as text.
func (c *CompletionRecorded) validateText() error {
	err := storable(c.Journal, c.Project, c.KeyID, c.UserID, c.SessionID, c.CallerID, c.Strategy,
		c.PlannedModel, c.Confidence, c.Reason, c.Provider, c.Model, c.ErrorKind, c.FinishReason, c.CacheMatch, c.Implicit,
		c.BaselineModel, c.PriceVersion)
	err = cmp.Or(err, storable(c.Fallbacks...), storable(c.Degraded...))
	for _, a := range c.Experiments {
		err = cmp.Or(err, storable(a.Experiment, a.Arm))
	}
	for _, m := range c.Candidates {
		err = cmp.Or(err, storable(m.Model))
	}
	for k, v := range c.Metadata {
		err = cmp.Or(err, storable(k, v))
	}
	return err
}
