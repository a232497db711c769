// Package lineup tells of the models that may answer: what each is and costs,
// what share of the requests it has, how good its answers were found, and what
// other prices of quality would have chosen.
package lineup

import (
	"math"
	"time"

	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/rollup"
	"github.com/busuhq/busu/internal/stats"
	"github.com/busuhq/busu/internal/system"
)

// Model is one that may answer, and how it fared in the window.
type Model struct {
	ID            string   `json:"id"`
	Provider      string   `json:"provider"`
	Upstream      string   `json:"upstream"`
	Tier          *string  `json:"tier"`    // null for what does not chat
	Purpose       string   `json:"purpose"` // chat or embedding
	Formats       []string `json:"formats"` // chat, messages, embeddings
	Lacks         []string `json:"lacks"`   // what it is known not to do: tools, images, json
	ContextTokens *int     `json:"context_tokens"`
	Baseline      bool     `json:"is_baseline"`
	Price         Price    `json:"price"`
	Breaker       *string  `json:"breaker"` // of its provider; null where that is not known

	RequestShare float64 `json:"share"` // of all requests in the window
	ErrorRate    float64 `json:"error_rate"`
	rollup.Share
	Quality        *Quality `json:"quality"`         // of the answers that routing chose; null without verdicts
	HoldoutQuality *Quality `json:"quality_holdout"` // of those of the hold-out
}

// Price is that of tokens, in dollars a million, and of a request.
type Price struct {
	Known       bool          `json:"known"`
	Input       pricing.Nanos `json:"input_usd_per_mtok"`
	CachedInput pricing.Nanos `json:"cached_input_usd_per_mtok"`
	Output      pricing.Nanos `json:"output_usd_per_mtok"`
	PerRequest  pricing.Nanos `json:"per_request_usd"`
}

// PriceOf is a price in these words.
func PriceOf(p pricing.Price) Price {
	return Price{Known: !p.Unknown, Input: p.Input, CachedInput: p.CachedInput, Output: p.Output, PerRequest: p.PerRequest}
}

// Quality is what verdicts say of a model's answers, 0 to 1.
type Quality struct {
	Verdicts int64    `json:"verdicts"` // requests that have one
	Users    int64    `json:"users"`    // who asked them: the unit of the interval
	Mean     float64  `json:"mean"`
	Low      *float64 `json:"low"` // of the 95 % interval; null where there are too few users
	High     *float64 `json:"high"`
	Bad      int64    `json:"bad"` // requests that a verdict calls bad
}

// QualityOf makes it of users' judged requests and the sums of their verdicts.
func QualityOf(users stats.Moments, bad int64) *Quality {
	if users.Units == 0 || users.N == 0 {
		return nil
	}
	q := &Quality{Verdicts: int64(users.N), Users: users.Units, Mean: users.Ratio(), Bad: bad}
	if variance, ok := users.Variance(); ok && users.Units >= leastUsers {
		const z = 1.959963984540054 // of 95 %
		low, high := max(q.Mean-z*math.Sqrt(variance), 0), min(q.Mean+z*math.Sqrt(variance), 1)
		q.Low, q.High = &low, &high
	}
	return q
}

// leastUsers is from when on the sum of users is normal enough.
const leastUsers = 30

// Judged is what verdicts say, by model.
type Judged struct {
	Routed, Holdout map[string]*Quality
}

// Report is the answer of GET /models.
type Report struct {
	Window        string            `json:"window"`
	From          time.Time         `json:"from"`
	AsOf          time.Time         `json:"as_of"`
	Stale         bool              `json:"stale"`
	Degraded      []string          `json:"degraded"` // without PostgreSQL there are no verdicts, and nothing of what was learned
	TotalRequests int64             `json:"total_requests"`
	BaselineModel string            `json:"baseline_model"`
	Models        []Model           `json:"models"`
	Learned       []system.Snapshot `json:"learned"` // what the project's strategies go by
	Curve         *Curve            `json:"curve"`   // null without decisions that list candidates
}

// Fill says how the models fared.
func (r *Report) Fill(w rollup.Report, judged Judged) {
	r.Window, r.From, r.AsOf, r.Stale, r.TotalRequests = w.Window, w.From, w.AsOf, w.Stale, w.TotalRequests
	for i := range r.Models {
		m := &r.Models[i]
		m.Share = w.ByModel[m.ID]
		if w.TotalRequests > 0 {
			m.RequestShare = float64(m.Requests) / float64(w.TotalRequests)
		}
		if m.Requests > 0 {
			m.ErrorRate = float64(m.Errors) / float64(m.Requests)
		}
		m.Quality, m.HoldoutQuality = judged.Routed[m.ID], judged.Holdout[m.ID]
	}
}
