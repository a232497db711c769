package flight_test

import (
	"context"
	"testing"

	"github.com/busuhq/busu/internal/llm"
)

// BenchmarkAlone is what a flight adds to a call that nobody follows.
func BenchmarkAlone(b *testing.B) {
	for name, pieces := range map[string]int{"whole": 0, "100 pieces": 100} {
		b.Run(name, func(b *testing.B) {
			var g group
			var emit llm.Emit
			if pieces > 0 {
				emit = func(llm.Chunk) error { return nil }
			}
			data := make([]byte, 200)
			call := func(_ context.Context, emit llm.Emit) (string, error) {
				for range pieces {
					if err := emit(llm.Chunk{Text: "word ", Data: data}); err != nil {
						return "", err
					}
				}
				return "", nil
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := g.Do(b.Context(), "key", emit, call); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
