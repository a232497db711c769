package guard_test

import (
	"context"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/provider/guard"
)

// instant is a vendor that takes no time.
type instant struct{}

func (instant) Complete(_ context.Context, r llm.Request) (llm.Response, error) {
	if r.Emit != nil {
		if err := r.Emit(llm.Chunk{Text: "Paris."}); err != nil {
			return llm.Response{}, err
		}
	}
	return llm.Response{Text: "Paris."}, nil
}

var everything = guard.Options{Name: "vendor", MaxConcurrency: 64, Queue: 256, Retries: 2, Timeout: time.Minute,
	AttemptTimeout: 50 * time.Second, FirstTokenTimeout: 20 * time.Second, IdleTimeout: 20 * time.Second}

// BenchmarkComplete is what the whole line adds to a call that nothing holds
// up: an answer that comes whole, and one in a single piece. The goal is less
// than 2 µs.
func BenchmarkComplete(b *testing.B) {
	whole := llm.Request{Caller: "ada"}
	stream := whole
	stream.Emit = func(llm.Chunk) error { return nil }
	for name, r := range map[string]llm.Request{"whole": whole, "stream": stream} {
		b.Run(name, func(b *testing.B) {
			p := guard.New(instant{}, everything)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Complete(b.Context(), r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkParallel is the same from all sides at once.
func BenchmarkParallel(b *testing.B) {
	p := guard.New(instant{}, everything)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := p.Complete(b.Context(), llm.Request{Caller: "ada"}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
