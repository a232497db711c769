package cache_test

import (
	"testing"

	"github.com/busuhq/busu/internal/cache"
	"github.com/busuhq/busu/internal/cachetest"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/llm"
)

// TestAllocations holds what a request pays here in allocations, which are the
// same on every machine; what it pays in time is for benchmarks to say.
func TestAllocations(t *testing.T) {
	c := cache.New(cache.Options{MemoryBytes: 8 << 20, TTL: ttl})
	k := cachetest.Key(t, "q")
	c.Put(c.Get(t.Context(), k, models), *cachetest.Entry("large"))
	question := cache.Question{Project: event.DefaultProject, Request: &llm.Request{
		Body:     []byte(`{"model":"auto","temperature":0,"messages":[{"role":"system","content":"Be short."},{"role":"user","content":"What is the capital of Peru?"}]}`),
		Messages: []llm.Message{{Role: "system", Content: "Be short."}, {Role: "user", Content: "What is the capital of Peru?"}}}}
	keys := cache.Keys{Scope: cache.ScopeProject}
	for _, op := range []struct {
		name string
		most float64
		do   func() bool
	}{
		{"a key", raced, func() bool { _, ok := keys.Of(question); return ok }},
		{"a hit in memory", 0, func() bool { _, ok := c.Recall(k, models); return ok }},
	} {
		if n := testing.AllocsPerRun(200, func() {
			if !op.do() {
				t.Fatal(op.name)
			}
		}); n > op.most {
			t.Errorf("%s: %g allocations, more than %g", op.name, n, op.most)
		}
	}
}
