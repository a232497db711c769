package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
)

// Budgets keep what is spent under limits.
type Budgets interface {
	// Reserve puts by, of each budget, what a request that arrived at a moment may
	// cost; or of none, with a budget.ExhaustedError or budget.UnavailableError.
	Reserve(ctx context.Context, budgets []budget.Budget, at time.Time, most pricing.Nanos) (budget.Holds, error)
}

// reserve puts by what a call may cost at the worst. Only calls are paid for:
// who gets an answer that was made before needs no budget.
func (g *Gateway) reserve(ctx context.Context, r *Request, p *decision) (budget.Holds, error) {
	if g.Budgets == nil || len(r.Budgets) == 0 {
		return budget.Holds{}, nil
	}
	most := worst(r, p)
	if most == 0 { // nobody knows the price, and the ledger will say 0
		return budget.Holds{}, nil
	}
	return g.Budgets.Reserve(ctx, r.Budgets, r.at(), most)
}

const (
	// unlimitedTokens is taken for the longest answer where the caller sets no
	// limit, and imageTokens for an image: more than most take.
	unlimitedTokens = 4 * assumedMaxTokens
	imageTokens     = 1600
)

// worst is what the dearest model of a plan would cost, if the request used all
// that it may. One model is paid: those that failed before it have cost nothing.
func worst(r *Request, p *decision) (most pricing.Nanos) {
	u := mostOf(&r.Ask, p.tokensIn)
	for i := range p.Choices {
		c := &p.Choices[i]
		if !c.Model.Chats() {
			u.Out = 0
		}
		most = max(most, c.Price.Cost(u))
	}
	return most
}

// mostOf is what a request uses if the prompt is half as long again as the tokens
// in that are estimated, and every answer as long as it may be.
func mostOf(ask *llm.Request, in int64) llm.Usage {
	for _, m := range ask.Messages {
		for _, part := range m.Parts {
			if part.Kind == llm.PartImage {
				in += imageTokens
			}
		}
	}
	out := int64(ask.MaxTokens)
	if out == 0 {
		out = unlimitedTokens
	}
	return llm.Usage{In: in + in/2, Out: out * int64(max(ask.N, 1))}
}

// MostTokens is how many tokens a request may use, at the worst.
func MostTokens(ask *llm.Request) int64 {
	u := mostOf(ask, estimateTokens(ask))
	if ask.Format == llm.FormatEmbeddings {
		return u.In
	}
	return u.In + u.Out
}

// refusedByBudget reports whether err is about a budget.
func refusedByBudget(err error) bool {
	_, full := errors.AsType[*budget.ExhaustedError](err)
	_, unknown := errors.AsType[*budget.UnavailableError](err)
	return full || unknown
}
