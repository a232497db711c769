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

// BenchmarkDeep is the same with a call that goes as far down as one to a
// provider does.
func BenchmarkDeep(b *testing.B) {
	var g group
	call := func(context.Context, llm.Emit) (string, error) { return "answer"[:down(70)%2], nil }
	for b.Loop() {
		if _, err := g.Do(b.Context(), "key", nil, call); err != nil {
			b.Fatal(err)
		}
	}
}

//go:noinline
func down(frames int) int {
	var room [200]byte // about what a frame has there, 280 bytes with the rest
	room[frames&127] = byte(frames)
	if frames == 0 {
		return int(room[5])
	}
	return down(frames-1) + int(room[frames&63])
}
