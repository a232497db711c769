package routing

import (
	"errors"
	"fmt"
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
