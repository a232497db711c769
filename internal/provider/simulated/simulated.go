// Package simulated is a provider that calls no model. It is what a newcomer
// meets before any key is configured, and what tests and demos run against.
//
// Three models, small, medium and large, answer at the speed and length of
// real ones. Every prompt has a latent difficulty that follows from its text,
// and each model's chance to answer well falls with it, the stronger model's
// later: a router can learn where the small model is good enough, and because
// [Provider.Truth] tells how well an answer is, anyone can check what it
// learned. All of it is a function of the seed and the text; nothing is
// remembered, so that another process with the same seed knows the same truth.
package simulated

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

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
// would have taken. An unknown model is rejected; a context that ends first
// gives a timeout or a cancellation; see also Options.FailureRate. All errors
// are *llm.ProviderError.
func (p *Provider) Complete(ctx context.Context, r llm.Request) (llm.Response, error) {
	m, ok := modelNamed(r.Model)
	if !ok {
		return llm.Response{}, p.fail(llm.ErrorRejected, http.StatusNotFound,
			fmt.Errorf("no simulated model is called %q: there are %v", r.Model, Models()))
	}
	asked := question(r.Messages)
	answer := p.write(m, asked, r.MaxTokens)
	pace := p.pace(m, asked)
	if p.unlucky(m, asked) {
		if err := p.wait(ctx, pace.first); err != nil {
			return llm.Response{}, err
		}
		return llm.Response{}, p.fail(llm.ErrorUnavailable, http.StatusServiceUnavailable,
			errors.New("simulated failure, as failure rate asks for"))
	}
	answer.Usage.In = promptTokens(r.Messages)
	if err := p.wait(ctx, pace.total(answer.Usage.Out)); err != nil {
		return llm.Response{}, err
	}
	return answer, nil
}

func (p *Provider) unlucky(m model, asked string) bool {
	return uniform(p.options.Seed, "failure", m.name, asked) < p.options.FailureRate
}

// wait passes realistic time, divided by the speed.
func (p *Provider) wait(ctx context.Context, realistic time.Duration) error {
	if err := ctx.Err(); err != nil {
		return p.interrupted(err)
	}
	if p.options.Speed <= 0 {
		return nil
	}
	timer := time.NewTimer(time.Duration(float64(realistic) / p.options.Speed))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return p.interrupted(ctx.Err())
	}
}

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
