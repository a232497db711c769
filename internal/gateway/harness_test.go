package gateway_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/routing"
)

// trace is what happened, in order, over the ledger and the provider.
type trace struct {
	mu    sync.Mutex
	steps []string
}

func (tr *trace) add(step string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.steps = append(tr.steps, step)
}

func (tr *trace) want(t *testing.T, steps ...string) {
	t.Helper()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if !slices.Equal(tr.steps, steps) {
		t.Errorf("happened: %v, want %v", tr.steps, steps)
	}
}

// ledger keeps one intent and one fact, and refuses what the journal refuses.
type ledger struct {
	*trace
	slow                       time.Duration // that writing an intent takes
	refuseIntents, refuseFacts error

	intent, fact event.CompletionRecorded
}

func (l *ledger) Intend(c *event.CompletionRecorded) error {
	l.add("intent")
	time.Sleep(l.slow)
	l.intent = *c
	return l.refuseIntents
}

func (l *ledger) Record(f event.Fact) error {
	l.add("fact")
	f.Head().Journal, f.Head().Seq = "test", 1
	if l.refuseFacts != nil {
		return l.refuseFacts
	}
	if err := f.Validate(); err != nil {
		return err
	}
	l.fact = *f.(*event.CompletionRecorded)
	return nil
}

// provider answers, model by model, in a test's words.
type provider struct {
	*trace
	answers map[string]func(ctx context.Context) (llm.Response, error)
	streams map[string]func(ctx context.Context, r llm.Request) (llm.Response, error) // instead, where set
	asked   llm.Request                                                               // last
}

func (p *provider) Complete(ctx context.Context, r llm.Request) (llm.Response, error) {
	p.add("call " + r.Model)
	p.asked = r
	if stream, ok := p.streams[r.Model]; ok {
		return stream(ctx, r)
	}
	return p.answers[r.Model](ctx)
}

func answering(r llm.Response) func(context.Context) (llm.Response, error) {
	return func(context.Context) (llm.Response, error) { return r, nil }
}

func failing(kind llm.ErrorKind) func(context.Context) (llm.Response, error) {
	return func(context.Context) (llm.Response, error) {
		return llm.Response{}, &llm.ProviderError{Provider: "vendor", Kind: kind, Err: errors.New("no")}
	}
}

// cheap and dear are prices whose costs do not come out even.
var (
	cheap = pricing.Price{Input: 150_000_000, CachedInput: 75_000_000, Output: 600_000_000}
	dear  = pricing.Price{Input: 3_000_000_000, CachedInput: 300_000_000, Output: 15_000_000_000}
)

// bench is a gateway with two models, of which trivial prompts go to the
// cheap one first.
type bench struct {
	*gateway.Gateway
	trace    *trace
	ledger   *ledger
	provider *provider
}

func newBench() *bench {
	tr := new(trace)
	b := &bench{trace: tr, ledger: &ledger{trace: tr}, provider: &provider{trace: tr,
		answers: map[string]func(context.Context) (llm.Response, error){},
		streams: map[string]func(context.Context, llm.Request) (llm.Response, error){}}}
	b.Gateway = &gateway.Gateway{
		Strategies: gateway.NewPublished(nil, nil), Default: "complexity",
		Candidates: []routing.Candidate{
			{Model: llm.Model{ID: "cheap", Provider: "vendor", Upstream: "cheap-2026", Tier: llm.TierSimple}, Price: cheap},
			{Model: llm.Model{ID: "dear", Provider: "vendor", Upstream: "dear-2026", Tier: llm.TierComplex}, Price: dear},
		},
		Providers: map[string]llm.Provider{"vendor": b.provider}, PriceVersion: "v7", Ledger: b.ledger,
	}
	b.Baseline = b.Candidates[1]
	b.provider.answers["cheap-2026"] = answering(paris)
	b.provider.answers["dear-2026"] = answering(paris)
	return b
}

var paris = llm.Response{Text: "Paris.", FinishReason: llm.FinishStop, Usage: llm.Usage{In: 13, CachedIn: 3, Out: 7, Reasoning: 2}}

// question is 30 ASCII characters and one message: 8 + 4 tokens estimated.
func question() gateway.Request {
	return gateway.Request{Project: "default", UserID: "ada", Ask: llm.Request{MaxTokens: 50,
		Messages: []llm.Message{{Role: llm.RoleUser, Content: "What is the capital of France?"}}}}
}

const estimatedIn = 12

func (b *bench) complete(t *testing.T, r gateway.Request) gateway.Answer {
	t.Helper()
	answer, err := b.Complete(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}
