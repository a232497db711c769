package routing

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/busuhq/busu/internal/llm"
)

// It sorts like the library does, whatever the number.
func TestArrange(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 5))
	for range 2000 {
		choices := make([]Choice, r.IntN(50))
		for i := range choices {
			choices[i] = Choice{Candidate: Candidate{Model: llm.Model{ID: fmt.Sprint(i)}}, Quality: float64(r.IntN(6))}
		}
		want := slices.Clone(choices)
		slices.SortStableFunc(want, func(a, b Choice) int { return cmp.Compare(a.Quality, b.Quality) })
		arrange(choices, func(a, b *Choice) int { return cmp.Compare(a.Quality, b.Quality) })
		for i := range want {
			if choices[i].Model.ID != want[i].Model.ID {
				t.Fatalf("place %d of %d has %s, not %s", i, len(want), choices[i].Model.ID, want[i].Model.ID)
			}
		}
	}
}
