package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/routing"
)

// outcome is what came of calling a plan's models.
type outcome struct {
	format   llm.Format
	response llm.Response      // with an error, what had come until then
	tail     []llm.Chunk       // of a streamed answer, what the caller does not have yet
	first    time.Time         // when the first piece came; zero where the answer came whole
	served   routing.Candidate // that answered, or was tried last
	failed   []string          // the ids of models that failed before it
	waited   time.Duration     // for providers, in all
	err      error             // when none answered
	kind     llm.ErrorKind     // of err
	unsent   bool              // err came before the last model was asked
	room     time.Duration     // until one may have room that had none; 0 when none was full
}

// call tries the plan's models in order until one answers, or begins to.
func (g *Gateway) call(ctx context.Context, r *Request, p *decision, f *event.CompletionRecorded) outcome {
	o := outcome{format: r.Ask.Format}
	relay := &relay{sink: r.Sink, fact: f}
	for i := range p.Choices {
		choice := &p.Choices[i]
		if i > 0 {
			o.failed = append(o.failed, o.served.Model.ID)
		}
		o.served = choice.Candidate
		relay.restart(choice.Candidate, o.failed)
		began := time.Now()
		o.response, o.err = g.callModel(ctx, r, &choice.Model, relay)
		o.waited += time.Since(began)
		if o.err == nil {
			o.tail = relay.finish()
			break
		}
		o.note(ctx, relay)
		if relay.begun || !elsewhere(ctx, o.err) {
			break
		}
	}
	o.first = relay.first
	return o
}

func (g *Gateway) callModel(ctx context.Context, r *Request, m *llm.Model, relay *relay) (llm.Response, error) {
	if ctx.Err() != nil { // who has left owes nothing for what was never asked
		return llm.Response{}, &llm.ProviderError{Provider: m.Provider, Kind: llm.ErrorCanceled, Unsent: true, Err: context.Cause(ctx)}
	}
	provider, ok := g.Providers[m.Provider]
	if !ok {
		return llm.Response{}, &llm.ProviderError{Provider: m.Provider, Kind: llm.ErrorUnavailable,
			Err: errors.New("is not configured")}
	}
	ask := r.Ask
	ask.Model, ask.Caller = m.Upstream, cmp.Or(r.KeyID, r.UserID)
	if r.Sink != nil {
		ask.Emit = relay.emit
	}
	return provider.Complete(ctx, ask)
}

// note reads the failure that came last.
func (o *outcome) note(ctx context.Context, relay *relay) {
	o.kind, o.unsent = kindOf(ctx, relay, o.err), false
	failed, ok := errors.AsType[*llm.ProviderError](o.err)
	if !ok {
		return
	}
	o.unsent = failed.Unsent
	if failed.Kind == llm.ErrorOverloaded && (o.room == 0 || failed.RetryAfter < o.room) {
		o.room = max(failed.RetryAfter, time.Nanosecond)
	}
}

// elsewhere reports whether the next model may be tried: as long as somebody
// waits for an answer.
func elsewhere(ctx context.Context, err error) bool {
	var failed *llm.ProviderError
	return ctx.Err() == nil && (!errors.As(err, &failed) || failed.Elsewhere())
}

// kindOf says why a call failed. Whatever it failed with, when the caller has
// left, that is why; and nothing else is.
func kindOf(ctx context.Context, relay *relay, err error) llm.ErrorKind {
	if ctx.Err() != nil || relay.left {
		return llm.ErrorCanceled
	}
	var failed *llm.ProviderError
	switch {
	case errors.As(err, &failed) && failed.Kind != llm.ErrorCanceled:
		return failed.Kind
	case errors.Is(err, context.DeadlineExceeded):
		return llm.ErrorTimeout
	default:
		return llm.ErrorUnavailable
	}
}

// Explain gives a failed answer's reason in words that may be shown to the
// caller: kinds and models, never what a vendor wrote.
func Explain(f *event.CompletionRecorded) string {
	tried := append(slices.Clone(f.Fallbacks), f.Model)
	return fmt.Sprintf("no model answered: tried %s; the last one failed with %s", strings.Join(tried, ", "), f.ErrorKind)
}
