package cache_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/cache"
	"github.com/busuhq/busu/internal/flight"
	"github.com/busuhq/busu/internal/llm"
)

// A gateway answers from memory; else those who ask the same at once share one
// flight, in which Redis and PostgreSQL are asked before a provider is.
type gateway struct {
	keys    cache.Keys
	answers *cache.Cache
	flights flight.Group[[32]byte, served]
}

// served is what one flight brings to all who are on it: an answer that was
// kept, or one that was made, with what the fact of that says.
type served struct {
	hit      cache.Hit // of a level beyond memory; zero when a provider was called
	entry    cache.Entry
	degraded bool
}

func (g *gateway) complete(ctx context.Context, q cache.Question, models []string, emit llm.Emit) (string, error) {
	key, ok := g.keys.Of(q) // not ok, or a request that bypasses the cache: call, and be done
	if !ok {
		return g.record(g.call(ctx, models, emit), "miss", ""), nil
	}
	if hit, ok := g.answers.Recall(key, models); ok {
		return g.record(*hit.Entry, hit.Level, hit.Label), replay(hit.Response, emit)
	}
	r, err := g.flights.Do(ctx, key.Within(models), emit, func(ctx context.Context, emit llm.Emit) (served, error) {
		look := g.answers.Get(ctx, key, models)
		defer look.Release()
		if look.Found {
			return served{hit: look.Hit, degraded: look.Degraded}, nil
		}
		e := g.call(ctx, models, emit) // intent, call, fact: with what is paid
		g.record(e, "miss", "")        // the fact, before anybody has the end of the answer
		g.answers.Put(look, e)
		return served{entry: e, degraded: look.Degraded}, nil
	})
	if err != nil {
		return "", err
	}
	answer := r.Value.entry
	switch {
	case r.Value.hit.Entry != nil:
		answer = *r.Value.hit.Entry
		g.record(answer, r.Value.hit.Level, r.Value.hit.Label) // each its own fact: paid nothing
	case r.Followed:
		g.record(answer, "memory", cache.InFlight)
	}
	if r.Emitted == 0 {
		return answer.Response.Text, replay(answer.Response, emit)
	}
	return answer.Response.Text, nil
}

// call stands for intent, provider and fact.
func (g *gateway) call(_ context.Context, models []string, _ llm.Emit) cache.Entry {
	return cache.Entry{Project: "default", RequestID: uuid.Must(uuid.NewV7()), At: time.Now(), Provider: "vendor", Model: models[0], CostNanos: 21_300,
		Response: llm.Response{Text: "Paris.", FinishReason: llm.FinishStop, Usage: llm.Usage{In: 12, Out: 2}}}
}

// record stands for the fact of one request.
func (g *gateway) record(e cache.Entry, cached string, label cache.Label) string {
	paid := e.CostNanos
	if cached != "miss" {
		paid = 0
	}
	fmt.Println("cache", cached, label, "cost_nanos", paid, "origin_cost_nanos", e.CostNanos, "model", e.Model)
	return e.Response.Text
}

// replay stands for chat.Chunks.
func replay(r llm.Response, emit llm.Emit) error {
	if emit == nil {
		return nil
	}
	return emit(llm.Chunk{Text: r.Text, FinishReason: r.FinishReason, Usage: &r.Usage})
}

func Example() {
	g := &gateway{keys: cache.Keys{Scope: cache.ScopeProject, Similar: true},
		answers: cache.New(cache.Options{MemoryBytes: 64 << 20, TTL: 5 * time.Minute, Log: slog.New(slog.DiscardHandler)})}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = g.answers.Run(ctx) })
	defer running.Wait()
	defer stop()

	ask := func(text string) {
		q := cache.Question{Project: "default", Request: &llm.Request{Messages: []llm.Message{{Role: llm.RoleUser, Content: text}}}}
		if _, err := g.complete(ctx, q, []string{"small", "large"}, nil); err != nil {
			fmt.Println(err)
		}
	}
	ask("What is the capital of France?")
	ask("What is the capital of France?")
	ask("what is the capital of france")
	// Output:
	// cache miss  cost_nanos 21300 origin_cost_nanos 21300 model small
	// cache memory exact cost_nanos 0 origin_cost_nanos 21300 model small
	// cache memory similar cost_nanos 0 origin_cost_nanos 21300 model small
}
