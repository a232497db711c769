package gateway

import (
	"slices"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/prompt"
)

// begin is the fact as it would read if the process died right after the
// provider was called: interrupted, at the expected cost.
func (g *Gateway) begin(r *Request, p *decision) *event.CompletionRecorded {
	planned := &p.Choices[0]
	f := g.outline(r, p)
	f.Status = event.StatusInterrupted
	f.Estimated = true
	g.charge(f, planned.Candidate, llm.Usage{In: p.tokensIn, Out: planned.TokensOut})
	return f
}

// outline is what a fact says of the request and its plan, whatever comes of them.
func (g *Gateway) outline(r *Request, p *decision) *event.CompletionRecorded {
	planned := &p.Choices[0]
	f := event.NewCompletion(r.ID)
	f.Project, f.KeyID = r.Project, r.KeyID
	f.UserID, f.SessionID, f.CallerID, f.Metadata = r.UserID, r.SessionID, r.CallerID, r.Metadata
	f.Strategy, f.Complexity, f.Confidence, f.Reason = p.Strategy, p.Complexity, string(p.Confidence), p.reason
	f.PlannedModel, f.Propensity = planned.Model.ID, planned.Probability
	f.Snapshot, f.Features, f.Holdout, f.Experiments = p.Snapshot, p.features, p.holdout, p.arms
	f.Candidates = make([]event.Candidate, 0, len(p.Choices))
	for i := range p.Choices {
		c := &p.Choices[i]
		candidate := event.Candidate{
			Model: c.Model.ID, Quality: c.Quality, CostNanos: int64(c.Cost), Probability: c.Probability, Unpriced: c.Price.Unknown}
		if p.Learns {
			candidate.Prior = c.Prior
		}
		f.Candidates = append(f.Candidates, candidate)
	}
	f.Provider, f.Model = planned.Model.Provider, planned.Model.ID
	f.Cache, f.Degraded = event.CacheMiss, slices.Concat(r.Degraded, p.degraded)
	offer := g.offer(f.At)
	f.BaselineModel, f.PriceVersion = offer.baselineFor(planned.Candidate).Model.ID, offer.PriceVersion
	return f
}

// finish turns the intent into the fact.
func (g *Gateway) finish(f *event.CompletionRecorded, o *outcome, started time.Time) {
	latency := time.Since(started)
	f.LatencyUS = latency.Microseconds()
	f.TTFTUS = f.LatencyUS // a whole answer comes at once
	if !o.first.IsZero() {
		f.TTFTUS = o.first.Sub(started).Microseconds()
	}
	f.OverheadUS = max(latency-o.waited, 0).Microseconds()
	f.Provider, f.Model, f.Fallbacks = o.served.Model.Provider, o.served.Model.ID, o.failed
	if o.err != nil {
		g.finishFailed(f, o)
		return
	}
	f.FinishReason = o.response.FinishReason
	f.Status = statusOf(o.format, o.response)
	usage, estimated := usageOf(o.response, f.TokensIn)
	f.Estimated = estimated
	g.charge(f, o.served, usage)
}

// finishFailed charges what was consumed: nothing of a call that brought
// nothing; of an answer that broke off, what had come of it; and when the
// caller left before anything came, the estimate of the intent, at the price
// of the model that was being asked, since the provider went on; but for one
// that was still waiting to be asked.
func (g *Gateway) finishFailed(f *event.CompletionRecorded, o *outcome) {
	f.Status = event.StatusError
	f.ErrorKind = string(o.kind)
	if o.kind == llm.ErrorCanceled {
		f.Status = event.StatusCanceled
	}
	usage, estimated := llm.Usage{}, false
	switch {
	case generated(o.response) != "" || o.response.Usage != (llm.Usage{}):
		usage, estimated = usageOf(o.response, f.TokensIn)
		estimated = estimated || o.response.FinishReason == "" // the last count may be missing
	case o.kind == llm.ErrorCanceled && !o.unsent:
		usage, estimated = llm.Usage{In: f.TokensIn, Out: f.TokensOut}, true
	}
	f.Estimated = estimated
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
		u.In, u.CachedIn, u.CacheWriteIn, estimated = tokensIn, 0, 0, true
	}
	if least := prompt.EstimateTokens(generated(r)); u.Out < 0 || u.Out > maxTokens || u.Out == 0 && least > 0 {
		u.Out, u.Reasoning, estimated = least, 0, true
	}
	u.CachedIn = min(max(u.CachedIn, 0), u.In)
	u.CacheWriteIn = min(max(u.CacheWriteIn, 0), u.In-u.CachedIn)
	u.Reasoning = min(max(u.Reasoning, 0), u.Out)
	return u, estimated
}

// generated is all that the caller sees of what a model wrote.
func generated(r llm.Response) string {
	text := r.Text + r.Refusal
	for _, call := range r.ToolCalls {
		text += call.Name + call.Arguments
	}
	return text
}

func statusOf(format llm.Format, r llm.Response) string {
	switch {
	case format == llm.FormatEmbeddings: // vectors, which only its provider can judge
		return event.StatusOK
	case r.FinishReason == llm.FinishLength || r.FinishReason == llm.FinishContentFilter:
		return event.StatusCutOff
	case generated(r) == "":
		return event.StatusEmpty
	default:
		return event.StatusOK
	}
}
