package routing

import (
	"errors"
	"fmt"

	"github.com/busuhq/busu/internal/pricing"
)

// ErrNoCandidate says that no model can serve the request.
var ErrNoCandidate = errors.New("no model can serve this request")

// ContextError says that every candidate's context window is too small for
// the request. It is an ErrNoCandidate to errors.Is.
type ContextError struct {
	Needed  int64  // tokens of the prompt (estimated) and of the answer (limit)
	Largest int64  // the largest window among the candidates, in tokens
	Model   string // the model that has it
}

func (e *ContextError) Error() string {
	return fmt.Sprintf("the request needs about %d tokens of context, but the largest window is %d (model %s)",
		e.Needed, e.Largest, e.Model)
}

func (e *ContextError) Unwrap() error { return ErrNoCandidate }

// CostError says that no model that can serve the request stays within its
// greatest cost.
type CostError struct {
	Max   pricing.Nanos // that was asked for
	Least pricing.Nanos // that the cheapest model may cost; 0: no price is known
	Model string        // which is that
}

func (e *CostError) Error() string {
	if e.Model == "" {
		return "the request may cost at most " + e.Max.String() + ", and no model that can serve it has a known price"
	}
	return fmt.Sprintf("the request may cost at most %s, but the cheapest model that can serve it, %s, may cost %s", e.Max, e.Model, e.Least)
}

// Unwrap is ErrNoCandidate.
func (e *CostError) Unwrap() error { return ErrNoCandidate }
