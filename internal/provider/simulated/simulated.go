// Package simulated is a provider that calls no model. It is what a newcomer
// meets before any key is configured, and what tests and demos run against.
//
// Three models, small, medium and large, answer at the speed and length of
// real ones. Every prompt has a latent difficulty that follows from its text,
// and each model's chance to answer well falls with it, the stronger model's
// later: a router can learn where the small model is good enough, and because
// [Provider.Truth] tells how well an answer is, anyone can check what it
// learned. They stream, call tools, keep to a schema and embed, in OpenAI's
// words and in Anthropic's; as judges they rate each other by the truth. All of it is a function of the seed and the text;
// nothing is remembered, so that another process with the same seed knows the
// same truth.
package simulated

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/busuhq/busu/internal/llm"
)

// Upstream names of the models, from the weakest.
const (
	Small  = "small"
	Medium = "medium"
	Large  = "large"
)

// Models lists the upstream names, from the weakest.
func Models() []string { return []string{Small, Medium, Large} }

// Options say how the simulation behaves. The zero value answers at once and
// never fails.
type Options struct {
	Name        string  // the configured provider's name, for errors; default "simulated"
	Seed        uint64  // another seed is another world: other luck on the same prompts
	Speed       float64 // 1 is realistic, 2 twice as fast; 0 or less does not wait
	FailureRate float64 // share of (prompt, model) pairs that fail with 503, always the same ones
}

// Provider answers as simulated models. It is safe for concurrent use.
type Provider struct {
	options Options
	lexicon lexicon
}

var _ llm.Provider = (*Provider)(nil)

// New returns a provider. It holds no resources.
func New(o Options) *Provider {
	if o.Name == "" {
		o.Name = "simulated"
	}
	return &Provider{options: o, lexicon: newLexicon()}
}

// Complete answers r.Model's answer to the last user turn after the time it
// would have taken, or piece by piece at that pace. Chat and messages are
// answered from the request's fields, with one answer whatever Request.N says;
// embeddings from its body. An unknown model is rejected; a context that ends
// first gives a timeout or a cancellation; see also Options.FailureRate. All
// errors are *llm.ProviderError.
func (p *Provider) Complete(ctx context.Context, r llm.Request) (llm.Response, error) {
	if r.Format == llm.FormatEmbeddings {
		return p.embed(ctx, r)
	}
	m, ok := modelNamed(r.Model)
	if !ok {
		return llm.Response{}, p.fail(llm.ErrorRejected, http.StatusNotFound,
			fmt.Errorf("no simulated model is called %q: there are %v", r.Model, Models()))
	}
	if err := checkTools(r); err != nil {
		return llm.Response{}, p.fail(llm.ErrorRejected, http.StatusBadRequest, err)
	}
	asked := question(r.Messages)
	clock := p.start(p.pace(m, asked))
	if p.unlucky(m.name, asked) {
		return llm.Response{}, p.unavailable(ctx, clock)
	}
	reply := p.write(m, r, asked)
	if r.Emit != nil {
		return p.stream(ctx, clock, r, reply)
	}
	if err := p.wait(ctx, clock, reply.usage.Out); err != nil {
		return llm.Response{}, err
	}
	return reply.response(r), nil
}

// response is the whole answer at once.
func (w *reply) response(r llm.Request) llm.Response {
	response := llm.Response{Model: r.Model, Text: w.text, ToolCalls: w.calls, FinishReason: w.finish, Usage: w.usage}
	if r.Format == llm.FormatMessages {
		response.Body = marshal(w.message(r.Model))
	}
	return response
}

// unavailable is the failure that the failure rate asks for.
func (p *Provider) unavailable(ctx context.Context, c clock) error {
	if err := p.wait(ctx, c, 0); err != nil {
		return err
	}
	return p.fail(llm.ErrorUnavailable, http.StatusServiceUnavailable,
		errors.New("simulated failure, as failure rate asks for"))
}

func (p *Provider) unlucky(model, asked string) bool {
	return uniform(p.options.Seed, "failure", model, asked) < p.options.FailureRate
}

// interrupted is a call that ended before its answer did.
func (p *Provider) interrupted(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return p.fail(llm.ErrorTimeout, 0, err)
	}
	return p.fail(llm.ErrorCanceled, 0, err)
}

func (p *Provider) fail(kind llm.ErrorKind, status int, err error) error {
	return &llm.ProviderError{Provider: p.options.Name, Kind: kind, Status: status, Err: err}
}

// question is what the difficulty is read from: the last user turn, or, in a
// conversation without one, its last message.
func question(messages []llm.Message) string {
	if asked := llm.LastUser(messages); asked != "" || len(messages) == 0 {
		return asked
	}
	return messages[len(messages)-1].Content
}
