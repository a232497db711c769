package learning

import (
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/prompt"
)

// TestShipped reads the prior that ships: it says where it comes from, and
// expects more of a large model on a proof than on a greeting.
func TestShipped(t *testing.T) {
	t.Parallel()
	p, err := Shipped()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(p.Source, "LLMRouter") || !strings.Contains(p.Source, "without those that repeat") {
		t.Errorf("its source reads %q", p.Source)
	}
	hard := p.expect("Write a Python function that merges two sorted lists in O(n) time, and prove that it never loses an element.")
	easy := p.expect("hi")
	for _, e := range []Expected{hard, easy} {
		for _, ability := range []float64{0, 0.5, 1} {
			if q := e.Quality(ability); !(q > 0 && q < 1) {
				t.Errorf("a quality of %v is expected", q)
			}
		}
	}
	if hard.uplift <= easy.uplift {
		t.Errorf("the uplift on a hard prompt is %.3f, on an easy one %.3f", hard.uplift, easy.uplift)
	}
	if len(shipped) > 64<<10 {
		t.Errorf("it takes %d bytes", len(shipped))
	}
	known := 0
	rarest := p.rarest()
	for i := range prompt.Buckets {
		if p.idf[i] != rarest {
			known++
		}
	}
	if known < 5000 {
		t.Errorf("it knows how rare %d words are, want thousands", known)
	}
}
