package gateway

import (
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/prompt"
	"github.com/busuhq/busu/internal/routing"
)

// begin is the fact as it would read if the process died right after the
// provider was called: interrupted, at the expected cost.
func (g *Gateway) begin(r Request, p routing.Plan) *event.CompletionRecorded {
	planned := p.Choices[0]
	f := event.NewCompletion(r.ID)
	f.Project, f.KeyID = r.Project, r.KeyID
	f.UserID, f.SessionID, f.CallerID, f.Metadata = r.UserID, r.SessionID, r.CallerID, r.Metadata
	f.Strategy, f.Complexity, f.Confidence, f.Reason = p.Strategy, p.Complexity, string(p.Confidence), p.Reason
	f.PlannedModel, f.Propensity = planned.Model.ID, planned.Probability
	for _, c := range p.Choices {
		f.Candidates = append(f.Candidates, event.Candidate{
			Model: c.Model.ID, Quality: c.Quality, CostNanos: int64(c.Cost), Probability: c.Probability})
	}
	f.Provider, f.Model = planned.Model.Provider, planned.Model.ID
	f.Cache = event.CacheMiss
	f.BaselineModel, f.PriceVersion = g.Baseline.Model.ID, g.PriceVersion
	f.Status = event.StatusInterrupted
	f.Estimated = true
	g.charge(f, planned.Candidate, llm.Usage{In: estimateTokens(r.Messages), Out: planned.TokensOut})
	return f
}

// charge writes down what was used, what it cost, and what the baseline model
// would have cost for the same tokens.
func (g *Gateway) charge(f *event.CompletionRecorded, c routing.Candidate, u llm.Usage) {
	f.TokensIn, f.TokensInCached, f.TokensOut, f.TokensReasoning = u.In, u.CachedIn, u.Out, u.Reasoning
	f.CostNanos = nanos(c.Price, u)
	f.OriginCostNanos = f.CostNanos
	f.BaselineCostNanos = nanos(g.Baseline.Price, u)
}

func nanos(p pricing.Price, u llm.Usage) int64 { return int64(p.Cost(u)) }

// finish turns the intent into the fact.
func (g *Gateway) finish(f *event.CompletionRecorded, o outcome, started time.Time) {
	latency := time.Since(started)
	f.LatencyUS = latency.Microseconds()
	f.TTFTUS = f.LatencyUS // a whole answer comes at once
	f.OverheadUS = max(latency-o.waited, 0).Microseconds()
	f.Provider, f.Model, f.Fallbacks = o.served.Model.Provider, o.served.Model.ID, o.failed
	if o.err != nil {
		g.finishFailed(f, o)
		return
	}
	f.FinishReason = o.response.FinishReason
	f.Status = statusOf(o.response)
	usage, estimated := usageOf(o.response, f.TokensIn)
	f.Estimated = estimated
	g.charge(f, o.served, usage)
}

// finishFailed charges nothing for what failed, except when the caller left in
// the middle: the provider went on, and the estimate of the intent stands, at
// the price of the model that was being asked.
func (g *Gateway) finishFailed(f *event.CompletionRecorded, o outcome) {
	f.Status = event.StatusError
	f.ErrorKind = string(o.kind)
	usage := llm.Usage{}
	if o.kind == llm.ErrorCanceled {
		f.Status = event.StatusCanceled
		usage = llm.Usage{In: f.TokensIn, Out: f.TokensOut}
	}
	f.Estimated = o.kind == llm.ErrorCanceled
	g.charge(f, o.served, usage)
}

// maxTokens is above what any model can use in one call, and far below what a
// fact can hold.
const maxTokens = 1 << 32

// usageOf is what the provider says was used. Counts that it did not give, or
// that cannot be, are estimated: a wrong fact would be refused by the ledger,
// and the answer lost with it.
func usageOf(r llm.Response, tokensIn int64) (u llm.Usage, estimated bool) {
	u = r.Usage
	if u.In <= 0 || u.In > maxTokens {
		u.In, u.CachedIn, estimated = tokensIn, 0, true
	}
	if u.Out < 0 || u.Out > maxTokens || u.Out == 0 && r.Text != "" {
		u.Out, u.Reasoning, estimated = prompt.EstimateTokens(r.Text), 0, true
	}
	u.CachedIn = min(max(u.CachedIn, 0), u.In)
	u.Reasoning = min(max(u.Reasoning, 0), u.Out)
	return u, estimated
}

func statusOf(r llm.Response) string {
	switch {
	case r.FinishReason == llm.FinishLength || r.FinishReason == llm.FinishContentFilter:
		return event.StatusCutOff
	case r.Text == "":
		return event.StatusEmpty
	default:
		return event.StatusOK
	}
}
