package guard_test

import (
	"testing"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/provider/guard"
)

// TestAllocations holds what the whole line adds to a call that nothing holds
// up.
func TestAllocations(t *testing.T) {
	whole := llm.Request{Caller: "ada"}
	stream := whole
	stream.Emit = func(llm.Chunk) error { return nil }
	for _, op := range []struct {
		name string
		most float64
		r    llm.Request
	}{{"whole", 6, whole}, {"stream", 9, stream}} {
		p := guard.New(instant{}, everything)
		if n := testing.AllocsPerRun(200, func() {
			if _, err := p.Complete(t.Context(), op.r); err != nil {
				t.Fatal(err)
			}
		}); n > op.most {
			t.Errorf("%s: %g allocations, more than %g", op.name, n, op.most)
		}
	}
}
